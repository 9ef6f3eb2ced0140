//! Data types beyond registers, small enough for brute force over their specification: the
//! general search, in one go and in stages, and each type's monitor agree with it.

#![no_main]

use _native::fuzzing::Queue;
use libfuzzer_sys::fuzz_target;
use momus_fuzz::choices::Choices;
use momus_fuzz::objects::{agree, Vocabulary};

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    agree(&mut choices, &QUEUE, Queue::compile);
});

const QUEUE: Vocabulary = Vocabulary {
    names: &["enqueue", "dequeue"],
    values: &["1", "2", "3", "4", "5"],
    initial: "null",
    by_process: false,
    operation: |choices| match choices.below(2) {
        0 => (0, choices.below(5) as i32, -1),
        _ => (1, -1, choices.below(6) as i32 - 1),
    },
};
