//! What every reader promises of the columns that it delivers.

use _native::fuzzing::{canonical, Columns, NONE};

/// Asserts that pairs are mutual, codes have texts, and the texts are canonical JSON.
pub fn assert_consistent(columns: &Columns) {
    let count = columns.len();
    assert!(
        [
            columns.time.len(),
            columns.pairs.len(),
            columns.process.len()
        ] == [count; 3]
    );
    for (event, &partner) in columns.pairs.iter().enumerate() {
        if let Ok(partner) = usize::try_from(partner) {
            assert_eq!(columns.pairs[partner], event as i64, "pairs are mutual");
            assert_eq!(columns.process[partner], columns.process[event]);
            assert_eq!(columns.f[partner], columns.f[event]);
        }
        assert!(columns.line(event) > 0);
    }
    assert!(
        columns.time.windows(2).all(|pair| pair[0] <= pair[1]),
        "time never runs backwards"
    );
    let tables = &columns.tables;
    for (codes, table) in [
        (&columns.f, &tables.f),
        (&columns.key, &tables.key),
        (&columns.value, &tables.value),
        (&columns.error, &tables.error),
        (&columns.node, &tables.node),
    ] {
        assert_eq!(codes.len(), count);
        assert!(codes
            .iter()
            .all(|&code| code == NONE || (code as usize) < table.len()));
        for code in 0..table.len() as u32 {
            assert_canonical(table.text(code));
        }
    }
    assert!(
        columns.f.iter().all(|&f| f != NONE),
        "every event does something"
    );
}

/// Asserts that a text is its own canonical form.
pub fn assert_canonical(text: &[u8]) {
    let mut again = Vec::new();
    canonical(text, &mut again).expect("a canonical text is JSON");
    assert_eq!(again, text);
}
