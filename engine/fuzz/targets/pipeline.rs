//! From the bytes of a file to verdicts, as `momus check` goes: nothing on the way panics,
//! and the search keeps to its limits.

#![no_main]

use _native::fuzzing::{
    compile_register, read_edn, read_jsonl, read_log, relevant, search_key, Columns, EventColumns,
    Operations, Order, Outcome, States, Strings, Texts,
};
use libfuzzer_sys::fuzz_target;
use momus_fuzz::limits::limits;

fuzz_target!(|bytes: &[u8]| {
    let Some((&format, text)) = bytes.split_first() else {
        return;
    };
    let columns = match format % 3 {
        0 => read_jsonl(text, Order::Dense)
            .ok()
            .map(|recording| recording.columns),
        1 => read_edn(text).ok(),
        _ => read_log(text).ok(),
    };
    if let Some(columns) = columns {
        check(&columns);
    }
});

fn check(columns: &Columns) {
    let gathered = Operations::new(
        &EventColumns {
            time: &columns.time,
            process: &columns.process,
            kind: &columns.kind,
            f: &columns.f,
            key: &columns.key,
            value: &columns.value,
            partner: &columns.pairs,
        },
        false,
        1,
    );
    let Ok(gathered) = gathered else {
        return;
    };
    let unquoted = |code| {
        let text: String = serde_json::from_slice(columns.tables.f.text(code)).expect("a string");
        text
    };
    let names: Vec<String> = (0..columns.tables.f.len() as u32).map(unquoted).collect();
    let offsets: Vec<i64> = columns
        .tables
        .value
        .offsets()
        .chunks_exact(8)
        .map(|chunk| i64::from_ne_bytes(chunk.try_into().expect("eight bytes")))
        .collect();
    let texts = Texts::new(columns.tables.value.data(), &offsets).expect("the offsets fit");
    let budget = limits(Some(20_000), Some(1 << 22));
    let mut states = States::new(&texts);
    let compiled = compile_register(&gathered.classes, &names, &texts, &mut states, "null", true);
    for (_, key) in &gathered.keys {
        if let Ok((mut model, initial)) = compiled.clone() {
            let less = relevant(key, &model.classes);
            let whole = search_key(key, initial, &mut model, &budget);
            let less = less.map(|less| search_key(&less, initial, &mut model, &budget));
            let verdict = |outcome: &Outcome| match outcome {
                Outcome::Valid { .. } => Some(true),
                Outcome::Invalid(_) => Some(false),
                Outcome::Unknown(_) => None,
            };
            let less = less.as_ref().and_then(verdict);
            assert!(less.is_none() || verdict(&whole).is_none() || verdict(&whole) == less);
        }
        if let Ok(mut model) = Strings::compile(&gathered.classes, &names, &texts, "null") {
            search_key(key, 0, &mut model, &budget);
        }
    }
}
