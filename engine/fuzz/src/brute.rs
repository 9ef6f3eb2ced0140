//! Linearizability by its definition: every order that respects real time is tried.
//!
//! Only what has been placed and the state that it led to matter for what may follow, so
//! each pair of these is visited once.  Nothing else is clever here.

use crate::drawn::Row;
use _native::fuzzing::Class;
use std::collections::HashSet;
use std::hash::Hash;

/// Whether some order of the operations is legal, from `initial`.
pub fn is_linearizable<S: Clone + Eq + Hash>(
    rows: &[Row],
    initial: S,
    step: impl Fn(&S, Class) -> Option<S>,
) -> bool {
    assert!(rows.len() < 32, "a brute force is for small histories");
    let completed = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| row.returned.is_some());
    let goal = completed.fold(0u32, |all, (number, _)| all | 1 << number);
    let mut seen = HashSet::from([(0u32, initial.clone())]);
    let mut waiting = vec![(0u32, initial)];
    while let Some((placed, state)) = waiting.pop() {
        if placed & goal == goal {
            return true;
        }
        for (number, row) in rows.iter().enumerate() {
            let too_early = |(other, before): (usize, &Row)| {
                placed & (1 << other) == 0 && before.returned.is_some_and(|at| at < row.invoked)
            };
            if placed & (1 << number) != 0 || rows.iter().enumerate().any(too_early) {
                continue;
            }
            if let Some(next) = step(&state, row.class) {
                let reached = (placed | 1 << number, next);
                if seen.insert(reached.clone()) {
                    waiting.push(reached);
                }
            }
        }
    }
    false
}

/// Asserts that `order` proves the history linearizable: every completed operation is in
/// it, none twice, each legal, and none after one that was invoked when it had returned.
pub fn assert_certificate<S>(
    order: &[u32],
    rows: &[Row],
    initial: S,
    step: impl Fn(&S, Class) -> Option<S>,
) {
    assert_legal(order, rows, initial, step);
    for (number, row) in rows.iter().enumerate() {
        let placed = order.contains(&(number as u32));
        assert!(
            placed || row.returned.is_none(),
            "operation {number} is missing: {order:?}"
        );
    }
}

/// Asserts that `order` is legal and respects real time; it may be a beginning only.
pub fn assert_legal<S>(
    order: &[u32],
    rows: &[Row],
    initial: S,
    step: impl Fn(&S, Class) -> Option<S>,
) {
    let mut placed = vec![false; rows.len()];
    let mut state = initial;
    let mut latest = 0;
    for &number in order {
        let row = rows[number as usize];
        assert!(
            !placed[number as usize],
            "operation {number} twice: {order:?}"
        );
        placed[number as usize] = true;
        latest = latest.max(row.invoked);
        assert!(
            row.returned.is_none_or(|at| at > latest),
            "{number} is too late: {order:?}"
        );
        state = step(&state, row.class).unwrap_or_else(|| panic!("{number} is illegal: {order:?}"));
    }
}
