//! The old log form: whatever the bytes, a history or a flaw with its line.

#![no_main]

use _native::fuzzing::read_log;
use libfuzzer_sys::fuzz_target;
use momus_fuzz::reading::assert_consistent;

fuzz_target!(|text: &[u8]| {
    let lines = 1 + text.iter().filter(|&&byte| byte == b'\n').count() as u64;
    match read_log(text) {
        Ok(columns) => assert_consistent(&columns),
        Err(flaw) => assert!((1..=lines).contains(&flaw.line), "{flaw:?}"),
    }
});
