//! What a monitor says is checked before it is believed.

use super::intervals::{Interval, NEVER};
use super::{Finding, Operation, CRASHED};
use crate::search::budget::Budget;
use crate::search::history::{KeyHistory, Layout};
use crate::search::keys::search_key;
use crate::search::model::{State, Transitions, ILLEGAL};
use crate::search::outcome::Outcome;

/// Where a monitor has found a contradiction, the general search visits at most this many
/// configurations, and a few per operation, to tell where exactly things went wrong.  Many
/// keys may fail, and each costs a fraction of a second at most.
const STEPS_TO_EXPLAIN: u64 = 200_000;

/// A search that hardly ever turns back needs no more.
const STEPS_PER_OPERATION: u64 = 4;

/// The outcome that a finding stands for, if it stands up to the check.
///
/// A contradiction is told as the general search tells it, by the first operation that cannot
/// be placed; if that takes too long, by the few operations that contradict each other.
pub fn verified<T: Transitions>(
    finding: Finding,
    key: &KeyHistory,
    intervals: &[Interval],
    initial: State,
    model: &mut T,
    budget: &Budget,
) -> Option<Outcome> {
    let is_invalid = |outcome: &Outcome| matches!(outcome, Outcome::Invalid(_));
    match finding {
        Finding::Unfit => None,
        Finding::Linearizable(order) => {
            let completed = key.completed.len();
            is_linearization(&order, intervals, completed, initial, model).then(|| {
                let event = |operation: Operation| match operation & CRASHED {
                    0 => key.event[operation as usize],
                    _ => key.crashed[(operation & !CRASHED) as usize].event,
                };
                Outcome::Valid {
                    order: order.into_iter().map(event).collect(),
                }
            })
        }
        Finding::Contradiction(operations) => {
            let few = restricted(key, intervals, &operations);
            let contradiction = search_key(&few, initial, model, budget);
            if !is_invalid(&contradiction) {
                return None;
            }
            let steps = STEPS_TO_EXPLAIN + STEPS_PER_OPERATION * intervals.len() as u64;
            let whole = search_key(key, initial, model, &budget.with_steps(steps));
            // Under a limit of the caller's own, who will come back without it, it may be
            // told later; else the contradiction has to do.
            let later = budget.steps.is_some() && !is_invalid(&whole);
            Some(if is_invalid(&whole) || later {
                whole
            } else {
                contradiction
            })
        }
    }
}

/// Whether `order` is a linearization: every completed operation once, no crashed one
/// twice, each legal in its state, and none after one that was invoked when it had
/// returned.  The last is so iff the latest invocation so far is before each return.
fn is_linearization<T: Transitions>(
    order: &[Operation],
    intervals: &[Interval],
    completed: usize,
    initial: State,
    model: &mut T,
) -> bool {
    let mut placed = vec![false; intervals.len()];
    let mut state = initial;
    let mut latest = 0;
    for &operation in order {
        let index = match operation & CRASHED {
            0 => operation as usize,
            _ => completed + (operation & !CRASHED) as usize,
        };
        let interval = intervals[index];
        latest = latest.max(interval.invoked);
        state = model.step(state, interval.class);
        if placed[index] || interval.returned < latest || state == ILLEGAL {
            return false;
        }
        placed[index] = true;
    }
    placed[..completed].iter().all(|placed| *placed)
}

/// The history of a few operations of a key, in the same order of events.
fn restricted(key: &KeyHistory, intervals: &[Interval], operations: &[Operation]) -> KeyHistory {
    let completed = key.completed.len();
    let mut steps: Vec<(u32, Interval)> = Vec::new();
    for &operation in operations {
        let interval = match operation & CRASHED {
            0 => intervals[operation as usize],
            _ => intervals[completed + (operation & !CRASHED) as usize],
        };
        steps.push((interval.invoked, interval));
        if interval.returned != NEVER {
            steps.push((interval.returned, interval));
        }
    }
    steps.sort_unstable_by_key(|(rank, _)| *rank);
    steps.dedup_by_key(|(rank, _)| *rank);
    let mut layout = Layout::default();
    let mut numbers = std::collections::HashMap::new();
    for (rank, interval) in steps {
        let Interval {
            operation,
            class,
            invoked,
            ..
        } = interval;
        if operation & CRASHED != 0 {
            layout.crash(class, key.crashed[(operation & !CRASHED) as usize].event);
        } else if rank == invoked {
            let event = key.event[operation as usize];
            let number = layout
                .invoke(class, event)
                .expect("fewer than the whole history");
            numbers.insert(operation, number);
        } else {
            layout.complete(numbers[&operation]);
        }
    }
    layout.finish()
}
