//! Data types beyond registers, small enough for brute force over their specification: the
//! general search, in one go and in stages, and each type's monitor agree with it.

#![no_main]

use _native::fuzzing::{
    Counter, Lease, Lock, Log, PriorityQueue, Queue, Semaphore, Set, Stack, Versioned,
};
use libfuzzer_sys::fuzz_target;
use momus_fuzz::choices::Choices;
use momus_fuzz::objects::{agree, Vocabulary};

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let choices = &mut choices;
    match choices.byte() % 12 {
        0 => agree(choices, &moves(["enqueue", "dequeue"]), Queue::compile),
        1 => agree(choices, &moves(["push", "pop"]), Stack::compile),
        2 => agree(
            choices,
            &moves(["insert", "delete-min"]),
            PriorityQueue::compile,
        ),
        3 => agree(choices, &versions(), Versioned::compile),
        4 => agree(choices, &permits("null"), |source| {
            Lock::compile(source, false)
        }),
        5 => agree(choices, &permits("null"), |source| {
            Lock::compile(source, true)
        }),
        6 => agree(choices, &permits("2"), Semaphore::compile),
        7 => agree(choices, &tokens(), Lease::compile),
        8 => agree(choices, &sums(), Counter::compile),
        9 => agree(choices, &members(3), Set::compile),
        10 => agree(choices, &members(4), Set::compile),
        _ => agree(choices, &offsets(), Log::compile),
    }
});

/// Permits, or the one of a lock, to be acquired and released.
fn permits(initial: &'static str) -> Vocabulary {
    Vocabulary {
        names: vec!["acquire", "release"],
        values: ["1", "2"].map(String::from).to_vec(),
        initial,
        by_process: true,
        operation: |choices| {
            (
                choices.below(2) as i32,
                choices.below(5).min(2) as i32 - 1,
                -1,
            )
        },
    }
}

/// Tokens up to 4, granted and used.
fn tokens() -> Vocabulary {
    Vocabulary {
        names: vec!["acquire", "use", "release"],
        values: ["1", "2", "3", "4", "true", "false"]
            .map(String::from)
            .to_vec(),
        initial: "null",
        by_process: false,
        operation: |choices| {
            let token = choices.below(4) as i32;
            match choices.below(3) {
                0 => (0, -1, token),
                1 => (1, token, 4 + choices.below(2) as i32),
                _ => (2, token, -1),
            }
        },
    }
}

/// Small sums of small numbers, of either sign.
fn sums() -> Vocabulary {
    Vocabulary {
        names: vec!["add", "read"],
        values: (-3..=3).map(|n: i32| n.to_string()).collect(),
        initial: "0",
        by_process: false,
        operation: |choices| match (choices.below(2), choices.below(7) as i32) {
            (0, n) => (0, n, -1),
            (_, n) => (1, -1, n),
        },
    }
}

/// A container of five elements, to put in and to take out.
fn moves(names: [&'static str; 2]) -> Vocabulary {
    Vocabulary {
        names: names.to_vec(),
        values: ["1", "2", "3", "4", "5"].map(String::from).to_vec(),
        initial: "null",
        by_process: false,
        operation: |choices| match choices.below(2) {
            0 => (0, choices.below(5) as i32, -1),
            _ => (1, -1, choices.below(6) as i32 - 1),
        },
    }
}

/// Three elements; of the four kinds of operations the last, a read of the whole, only where
/// `kinds` says so.
fn members(kinds: u32) -> Vocabulary {
    let mut values: Vec<String> = ["1", "2", "3", "true", "false"].map(String::from).to_vec();
    for set in 0..8 {
        let inside = (0..3).filter(|element| set >> element & 1 == 1);
        let texts: Vec<String> = inside.map(|element| (element + 1).to_string()).collect();
        values.push(format!("[{}]", texts.join(",")));
    }
    let operation = match kinds {
        3 => |choices: &mut Choices| of_element(choices, 3),
        _ => |choices: &mut Choices| match choices.below(3) {
            0 => (3, -1, 5 + choices.below(8) as i32),
            // Mostly nothing is removed, since the monitor of whole reads wants that.
            _ => match choices.below(8) {
                0 => of_element(choices, 3),
                kind => (
                    2 * (kind as i32 % 2),
                    choices.below(3) as i32,
                    3 + kind as i32 / 2 % 2,
                ),
            },
        },
    };
    Vocabulary {
        names: vec!["add", "remove", "contains", "read"],
        values,
        initial: "[]",
        by_process: false,
        operation,
    }
}

/// An operation on one element of a set, with or without an answer.
fn of_element(choices: &mut Choices, kinds: u32) -> (i32, i32, i32) {
    let (kind, element) = (choices.below(kinds) as i32, choices.below(3) as i32);
    let answer = choices.below(3) as i32;
    match (kind, answer) {
        (2, _) => (kind, element, 3 + answer % 2),
        (_, 2) => (kind, element, -1),
        _ => (kind, element, 3 + answer),
    }
}

/// A log of two values, with offsets up to 3.
fn offsets() -> Vocabulary {
    let mut values = Vec::new();
    for offset in ["null", "0", "1", "2", "3"] {
        values.extend(["null", "7", "8"].map(|value| format!("[{offset},{value}]")));
    }
    Vocabulary {
        names: vec!["append", "read"],
        values: values
            .into_iter()
            .chain(["7", "8"].map(String::from))
            .collect(),
        initial: "[]",
        by_process: false,
        operation: |choices| {
            let (offset, value) = (choices.below(5) as i32, choices.below(3) as i32);
            match choices.below(2) {
                // What is appended, and where it went if that was told.
                0 if offset == 0 => (0, 15 + value % 2, -1),
                0 => (0, 15 + value % 2, 3 * offset + 1 + value % 2),
                _ => (1, 3 * offset.max(1), 3 * offset.max(1) + value),
            }
        },
    }
}

/// How many versions and values there are; version 0 is the initial one, of null.
const VERSIONS: i32 = 6;
const VALUES: i32 = 3;

/// A register of three values with versions up to 5; what is not learnt is null.
fn versions() -> Vocabulary {
    let number = |n: i32| {
        if n < 0 {
            "null".to_string()
        } else {
            n.to_string()
        }
    };
    let mut values = vec!["false".to_string()];
    for version in -1..VERSIONS {
        values.extend((-1..VALUES).map(|value| format!("[{},{}]", number(version), number(value))));
    }
    for version in -1..VERSIONS {
        for from in 0..VALUES {
            let told = |to| format!("[{},[{from},{to}]]", number(version));
            values.extend((0..VALUES).map(told));
        }
    }
    Vocabulary {
        names: vec!["read", "write", "cas"],
        values,
        initial: "[0,null]",
        by_process: false,
        operation: |choices| {
            let version = choices.below(VERSIONS as u32 + 1) as i32 - 1;
            let (from, to) = (choices.below(3) as i32, choices.below(3) as i32);
            let single = |version: i32, value: i32| 1 + (version + 1) * (VALUES + 1) + value + 1;
            let pairs = 1 + (VERSIONS + 1) * (VALUES + 1);
            let pair = |version: i32| pairs + (version + 1) * VALUES * VALUES + from * VALUES + to;
            match choices.below(4) {
                0 if version == 0 => (0, -1, single(0, -1)),
                0 => (0, -1, single(version, to)),
                1 => (1, single(-1, to), single(version, to)),
                2 => (2, pair(-1), pair(version)),
                _ => (2, pair(-1), 0),
            }
        },
    }
}
