//! JSON lines: whatever the bytes, a history or a flaw with its line; and blocks of any size
//! read like one.

#![no_main]

use _native::fuzzing::{read_in_blocks, read_jsonl, Order, Recording, Trouble};
use libfuzzer_sys::fuzz_target;
use momus_fuzz::reading::assert_consistent;

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, text)) = bytes.split_first() else {
        return;
    };
    let order = if choice & 1 == 0 {
        Order::Dense
    } else {
        Order::Increasing
    };
    let whole = read_jsonl(text, order);
    if let Ok(recording) = &whole {
        assert_consistent(&recording.columns);
    }
    // Threads are slow to start, so not every time.
    if choice & 6 == 0 {
        let blocks = read_in_blocks(text, order, 1 + usize::from(choice >> 3));
        assert_eq!(told(&whole), told(&blocks), "blocks make no difference");
    }
});

fn told(result: &Result<Recording, Trouble>) -> String {
    match result {
        Ok(Recording {
            columns: c,
            checksummed,
            torn,
            ..
        }) => format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {checksummed} {torn}",
            c.time,
            c.pairs,
            c.process,
            c.kind,
            c.f,
            c.key,
            c.value,
            c.tables.value.data(),
        ),
        Err(Trouble::Flawed(flaw)) => format!("{flaw:?}"),
        Err(Trouble::Io(error)) => panic!("bytes are always there: {error}"),
    }
}
