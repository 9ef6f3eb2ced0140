//! Registers small enough for brute force: the general search, what it may leave out, and
//! the monitor for distinct writes agree with it, and prove what they say.

#![no_main]

use _native::fuzzing::{by_zones, relevant, search_key, Class, Outcome, Register, State};
use libfuzzer_sys::fuzz_target;
use momus_fuzz::brute::{assert_certificate, assert_legal, is_linearizable};
use momus_fuzz::choices::Choices;
use momus_fuzz::drawn::{draw, Drawn};
use momus_fuzz::limits::{in_stages, limits};
use momus_fuzz::register::{step, Draw};

/// Far more configurations than so small a history has.
const STEPS: u64 = 1_000_000;

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let kind = choices.byte();
    let mut ops = Draw::new(2 + u32::from(kind >> 1) % 3, kind & 1 == 1);
    let drawn = draw(&mut choices, 9, 6, |choices, completed| {
        ops.class(choices, completed)
    });
    let classes = ops.classes;
    let known = |state: &State, class: Class| step(state, classes[class as usize]);
    let expected = is_linearizable(&drawn.rows, 0, known);
    let agree = |outcome: &Outcome, who: &str| judge(outcome, expected, &drawn, &known, who);

    let mut model = Register::new(classes.clone());
    let budget = limits(Some(STEPS), None);
    agree(&search_key(&drawn.key, 0, &mut model, &budget), "search");
    let stage = 1 + u64::from(kind >> 4);
    let staged = in_stages(&drawn.key, 0, &mut model, stage, kind & 8 == 0);
    agree(&staged, "search in stages");
    if let Some(less) = relevant(&drawn.key, &classes) {
        agree(
            &search_key(&less, 0, &mut model, &budget),
            "search of the relevant",
        );
    }
    if let Some(outcome) = by_zones(&drawn.key, &mut model, 0, &budget) {
        agree(&outcome, "zones");
    }
    // With hardly any memory or steps it may give up, but not lie.
    for budget in [limits(Some(STEPS), Some(64)), budget.with_steps(1)] {
        let outcome = search_key(&drawn.key, 0, &mut model, &budget);
        if !matches!(outcome, Outcome::Unknown(_)) {
            agree(&outcome, "search within limits");
        }
    }
});

fn judge(
    outcome: &Outcome,
    expected: bool,
    drawn: &Drawn,
    known: &dyn Fn(&State, Class) -> Option<State>,
    who: &str,
) {
    match outcome {
        Outcome::Valid { order } => {
            assert!(expected, "{who} says valid: {drawn:?}");
            assert_certificate(order, &drawn.rows, 0, known);
        }
        Outcome::Invalid(violation) => {
            assert!(!expected, "{who} says invalid: {drawn:?}");
            assert_legal(&violation.prefix, &drawn.rows, 0, known);
            assert!(drawn.rows[violation.event as usize].returned.is_some());
        }
        Outcome::Unknown(open) => panic!("{who} gave up: {:?}", open.exhausted),
    }
}
