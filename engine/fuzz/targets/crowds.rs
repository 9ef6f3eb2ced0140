//! Registers with many clients, too large for brute force: verdicts come with proof, the
//! search keeps to its steps, and the monitor agrees with it.

#![no_main]

use _native::fuzzing::{by_zones, search_key, Class, Outcome, Register, State};
use libfuzzer_sys::fuzz_target;
use momus_fuzz::brute::{assert_certificate, assert_legal};
use momus_fuzz::choices::Choices;
use momus_fuzz::drawn::draw;
use momus_fuzz::limits::limits;
use momus_fuzz::register::{step, Draw};

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let kind = choices.byte();
    let width = [3, 10, 63, 64, 65, 130][usize::from(choices.byte()) % 6];
    let mut ops = Draw::new(2 + u32::from(kind >> 1) % 6, kind & 1 == 1);
    let drawn = draw(&mut choices, 250, width, |choices, completed| {
        ops.class(choices, completed)
    });
    let classes = ops.classes;
    let known = |state: &State, class: Class| step(state, classes[class as usize]);

    let mut model = Register::new(classes.clone());
    let budget = limits(Some(20_000), Some(1 << 20));
    let searched = search_key(&drawn.key, 0, &mut model, &budget);
    let proven = |outcome: &Outcome| match outcome {
        Outcome::Valid { order } => {
            assert_certificate(order, &drawn.rows, 0, known);
            Some(true)
        }
        Outcome::Invalid(violation) => {
            assert_legal(&violation.prefix, &drawn.rows, 0, known);
            Some(false)
        }
        Outcome::Unknown(_) => None,
    };
    let by_search = proven(&searched);
    if let Some(outcome) = by_zones(&drawn.key, &mut model, 0, &budget) {
        let by_zones = proven(&outcome);
        assert!(by_search.is_none() || by_zones.is_none() || by_search == by_zones);
    }
});
