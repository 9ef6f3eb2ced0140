//! What a monitor says is checked before it is believed.

use std::collections::HashSet;

use super::intervals::{Interval, NEVER};
use super::{Excerpt, Finding, Operation, Part, CRASHED};
use crate::search::budget::Budget;
use crate::search::history::{Class, KeyHistory, Layout};
use crate::search::model::{State, Transitions};
use crate::search::outcome::Outcome;

/// The outcome that a finding stands for, if it stands up to the check.
///
/// Operations that contradict each other prove nothing alone: without its write any read is
/// impossible.  So `excerpt` joins them with all that they depend on, and says in which state
/// that begins: the rest could be dropped from any linearization, and what is left would be
/// one.  If these few have no linearization, neither has the whole.  Where an object can be
/// looked at in parts, only some of them may be; that allows no less than the whole.
///
/// A contradiction is told as the general search tells it, by the first operation that cannot
/// be placed; if that takes too long, by the few operations that contradict each other.
pub fn verified<T: Transitions>(
    finding: Finding,
    key: &KeyHistory,
    intervals: &[Interval],
    initial: State,
    model: &mut T,
    excerpt: impl Fn(&mut T, Vec<Operation>) -> Excerpt<State>,
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
            let excerpt = excerpt(model, operations);
            let few = restricted(key, intervals, &excerpt);
            let parts = excerpt.parts.as_deref();
            let mut contradiction = match parts.and_then(|parts| model.narrowed(parts)) {
                Some(mut narrow) => {
                    // An earlier search was one of the whole.
                    let budget = Budget {
                        earlier: None,
                        ..budget.clone()
                    };
                    told_by(narrow.search(&few, initial, &budget), &narrow)
                }
                None => model.search(&few, excerpt.initial, budget),
            };
            let Outcome::Invalid(violation) = &mut contradiction else {
                return None;
            };
            violation.excerpt = true;
            let steps = model.explained_within(intervals.len());
            let whole = model.search(key, initial, &budget.with_steps(steps));
            // Under a limit of the caller's own, who will come back without it, it may be
            // told later; else the contradiction has to do.
            let later = budget.comes_back && !is_invalid(&whole);
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
    let mut latest = 0;
    let index = |operation: Operation| match operation & CRASHED {
        0 => operation as usize,
        _ => completed + (operation & !CRASHED) as usize,
    };
    for &operation in order {
        let interval = intervals[index(operation)];
        latest = latest.max(interval.invoked);
        if placed[index(operation)] || interval.returned < latest {
            return false;
        }
        placed[index(operation)] = true;
    }
    let mut classes = order.iter().map(|&o| intervals[index(o)].class);
    placed[..completed].iter().all(|placed| *placed) && model.replay(initial, &mut classes)
}

/// The outcome with the states of its configurations as texts: their numbers mean nothing to
/// any other model.
fn told_by<T: Transitions>(mut outcome: Outcome, model: &T) -> Outcome {
    if let Outcome::Invalid(violation) = &mut outcome {
        for configuration in &mut violation.configurations {
            configuration.told = model.tell(configuration.state);
        }
    }
    outcome
}

/// The operations, and all that `part` says they depend on.
pub fn joined(
    mut operations: Vec<Operation>,
    intervals: &[Interval],
    part: impl Fn(Class) -> Part,
) -> Vec<Operation> {
    operations.sort_unstable();
    operations.dedup();
    let given = |interval: &&Interval| operations.binary_search(&interval.operation).is_ok();
    let parts: HashSet<u32> = intervals
        .iter()
        .filter(given)
        .filter_map(|interval| match part(interval.class) {
            Part::Whole(part) | Part::Spare(part) => Some(part),
            Part::Free | Part::Kept => None,
        })
        .collect();
    let needed = |interval: &&Interval| match part(interval.class) {
        Part::Whole(part) => parts.contains(&part),
        Part::Spare(_) | Part::Free => false,
        Part::Kept => true,
    };
    let kept = intervals.iter().filter(|i| given(i) || needed(i));
    kept.map(|interval| interval.operation).collect()
}

/// The history of a few operations of a key, in the same order of events, up to some moment.
fn restricted(key: &KeyHistory, intervals: &[Interval], excerpt: &Excerpt<State>) -> KeyHistory {
    let completed = key.completed.len();
    let mut steps: Vec<(u32, Interval)> = Vec::new();
    for &operation in &excerpt.operations {
        let mut interval = match operation & CRASHED {
            0 => intervals[operation as usize],
            _ => intervals[completed + (operation & !CRASHED) as usize],
        };
        if interval.invoked > excerpt.until {
            continue;
        }
        if interval.returned > excerpt.until {
            interval.returned = NEVER;
        }
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
            returned,
        } = interval;
        if operation & CRASHED != 0 {
            layout.crash(class, key.crashed[(operation & !CRASHED) as usize].event);
        } else if returned == NEVER {
            layout.crash(class, key.event[operation as usize]);
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
