//! Histories small enough to draw, each with its reason.

use std::sync::Arc;

use super::bits::Bits;
use super::budget::{Budget, Exhausted, Ledger};
use super::depth_first::search;
use super::history::{KeyHistory, Layout};
use super::model::{Register, RegisterOp};
use super::outcome::Outcome;
use RegisterOp::{Cas, CasMismatch, Read, Write};

/// One row per operation: what it is, when it began, when it returned (if it did).
fn key(rows: &[(RegisterOp, u32, Option<u32>)]) -> (KeyHistory, Register) {
    let mut steps: Vec<(u32, usize, bool)> = Vec::new();
    for (row, (_, begin, end)) in rows.iter().enumerate() {
        steps.push((*begin, row, true));
        steps.extend(end.map(|end| (end, row, false)));
    }
    steps.sort_unstable();
    let mut layout = Layout::default();
    let mut numbers = vec![0; rows.len()];
    for (_, row, begins) in steps {
        let (class, event) = (row as u32, row as u32);
        match (begins, rows[row].2) {
            (true, Some(_)) => numbers[row] = layout.invoke(class, event).unwrap(),
            (true, None) => layout.crash(class, event),
            (false, _) => layout.complete(numbers[row]),
        }
    }
    (
        layout.finish(),
        Register::new(rows.iter().map(|row| row.0).collect()),
    )
}

fn judge(rows: &[(RegisterOp, u32, Option<u32>)]) -> Outcome {
    let (key, mut model) = key(rows);
    let narrow = search::<u64, _>(&key, 0, &mut model, &Budget::unlimited());
    let wide = search::<[u64; 2], _>(&key, 0, &mut model, &Budget::unlimited());
    assert_eq!(narrow, wide, "the width of the sets makes no difference");
    narrow
}

fn exhausted(outcome: Outcome) -> Exhausted {
    match outcome {
        Outcome::Unknown(open) => open.exhausted,
        other => panic!("expected no answer, found {other:?}"),
    }
}

fn order(rows: &[(RegisterOp, u32, Option<u32>)]) -> Vec<u32> {
    match judge(rows) {
        Outcome::Valid { order } => order,
        other => panic!("expected a linearization, found {other:?}"),
    }
}

fn stuck(rows: &[(RegisterOp, u32, Option<u32>)]) -> u32 {
    match judge(rows) {
        Outcome::Invalid(violation) => violation.event,
        other => panic!("expected a violation, found {other:?}"),
    }
}

#[test]
fn nothing_is_linearizable() {
    assert!(order(&[]).is_empty());
}

#[test]
fn concurrent_operations_may_take_effect_in_either_order() {
    assert_eq!(
        order(&[(Write(1), 0, Some(9)), (Read(1), 1, Some(2))]),
        [0, 1]
    );
    assert_eq!(
        order(&[(Write(1), 0, Some(9)), (Read(0), 1, Some(2))]),
        [1, 0]
    );
}

#[test]
fn a_stale_read_is_the_operation_that_cannot_be_placed() {
    assert_eq!(stuck(&[(Write(1), 0, Some(1)), (Read(0), 2, Some(3))]), 1);
}

#[test]
fn a_write_of_the_present_value_may_be_needed_later() {
    // write(0) changes nothing at first, but must come after write(1) for the read.
    let rows = [
        (Write(0), 0, Some(9)),
        (Write(1), 1, Some(2)),
        (Read(0), 3, Some(4)),
    ];
    assert_eq!(order(&rows), [1, 0, 2]);
}

#[test]
fn a_crashed_write_may_take_effect_long_after_or_never() {
    let crashed = (Write(1), 0, None);
    assert_eq!(
        order(&[crashed, (Read(0), 1, Some(2)), (Read(1), 3, Some(4))]),
        [1, 0, 2]
    );
    assert_eq!(order(&[crashed, (Read(0), 1, Some(2))]), [1]);
    assert_eq!(
        stuck(&[
            crashed,
            (Read(1), 1, Some(2)),
            (Read(0), 3, Some(4)),
            (Read(1), 5, Some(6))
        ]),
        2,
        "it takes effect once at most, and then the old value is gone"
    );
}

#[test]
fn equal_crashed_writes_are_as_many_as_there_are() {
    let read = |value, at| (Read(value), at, Some(at + 1));
    let two = [(Write(1), 0, None), (Write(1), 1, None)];
    let back = (Write(0), 4, Some(5));
    assert_eq!(
        order(&[two[0], two[1], read(1, 2), back, read(1, 6)]),
        [0, 2, 3, 1, 4]
    );
    let again = (Write(0), 8, Some(9));
    assert_eq!(
        stuck(&[
            two[0],
            two[1],
            read(1, 2),
            back,
            read(1, 6),
            again,
            read(1, 10)
        ]),
        6
    );
}

#[test]
fn a_compare_and_set_that_found_another_value_is_an_observation() {
    assert_eq!(order(&[(CasMismatch(1), 0, Some(1))]), [0]);
    assert_eq!(stuck(&[(CasMismatch(0), 0, Some(1))]), 0);
    assert_eq!(
        order(&[(Cas(0, 1), 0, Some(5)), (CasMismatch(0), 1, Some(2))]),
        [0, 1]
    );
}

#[test]
fn a_violation_tells_what_was_possible_just_before() {
    let rows = [
        (Write(1), 0, Some(9)),
        (Write(2), 1, Some(8)),
        (Read(3), 2, Some(3)),
    ];
    let Outcome::Invalid(violation) = judge(&rows) else {
        panic!("nobody wrote 3")
    };
    let mut states: Vec<u32> = violation.configurations.iter().map(|c| c.state).collect();
    states.sort_unstable();
    states.dedup();
    assert_eq!(
        (violation.event, violation.position, states),
        (2, 0, vec![0, 1, 2])
    );
}

#[test]
fn a_budget_without_time_ends_the_search_and_says_so() {
    // Many concurrent writes and an impossible read: every subset is a configuration.
    let mut rows: Vec<_> = (0..22)
        .map(|value| (Write(value), value, Some(100 + value)))
        .collect();
    rows.push((Read(99), 50, Some(60)));
    let (key, mut model) = key(&rows);
    let mut budget = Budget::unlimited();
    budget.deadline = Some(std::time::Instant::now());
    let outcome = search::<u64, _>(&key, 0, &mut model, &budget);
    assert_eq!(exhausted(outcome), Exhausted::Time);
    budget = Budget {
        ledger: Arc::new(Ledger::new(Some(1 << 20))),
        ..Budget::unlimited()
    };
    let outcome = search::<u64, _>(&key, 0, &mut model, &budget);
    assert_eq!(exhausted(outcome), Exhausted::Memory);
}

#[test]
fn sets_wider_than_a_word_hold_more_clients() {
    let rows: Vec<_> = (0..100)
        .map(|value| (Write(value), value, Some(200 + value)))
        .collect();
    let (key, mut model) = key(&rows);
    assert_eq!(key.width, 100);
    assert!(<[u64; 2]>::CAPACITY >= key.width);
    let outcome = search::<[u64; 2], _>(&key, 0, &mut model, &Budget::unlimited());
    assert!(matches!(outcome, Outcome::Valid { .. }));
}
