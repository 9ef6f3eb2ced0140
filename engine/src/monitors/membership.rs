//! A set whose operations speak of single elements: each element is an object of its own.
//!
//! The state of a set is, for each element, whether it is there, and an operation looks at
//! one of these and changes no other.  So if the operations of each element have a
//! linearization, so has the whole (Herlihy & Wing 1990, "locality"): give each operation of
//! an element's order the earliest point that it can have there, the latest invocation of
//! all up to itself.  It is no later than its return, since nothing in front of it was
//! invoked after that.  Now order everything by these points: each element's operations keep
//! their order (ranks differ, so equal points belong to one element), and the points lie in
//! the intervals, so real time is kept too.  And if one element has no order, the whole has
//! none.
//!
//! An element has two states and mostly few operations, for which a search is over at once
//! (`little`); one with many is given to the general search.

use super::intervals::{Interval, NEVER};
use super::little::{Little, MANY};
use super::points::Points;
use super::sets::by_element;
use super::{Finding, Operation};
use crate::objects::set::SetOp;
use crate::search::budget::Budget;
use crate::search::history::{Class, Layout};
use crate::search::keys::search_key;
use crate::search::model::{State, Transitions, ILLEGAL};
use crate::search::outcome::Outcome;

/// The general search of one element may visit so many configurations for each operation;
/// then the set as a whole is searched, under the limits of the call.
const STEPS_EACH: u64 = 1_000;

/// Judges a set without whole reads.
pub fn judge(intervals: &[Interval], classes: &[SetOp]) -> Finding {
    let sorted = by_element(intervals, classes);
    let mut points = Points::with_capacity(sorted.len());
    let mut little = Little::default();
    let mut mine: Vec<Interval> = Vec::new();
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        mine.clear();
        mine.extend(group.iter().map(|(_, at)| intervals[*at as usize]));
        let all = || mine.iter().map(|interval| interval.operation).collect();
        let order = if mine.len() <= MANY {
            little.order(&mine, classes)
        } else {
            match searched(&mine, classes) {
                Some(order) => order,
                None => return Finding::Unfit,
            }
        };
        let Some(order) = order else {
            return Finding::Contradiction(all());
        };
        let mut point = 0;
        for at in order {
            let interval = mine[at as usize];
            point = point.max(interval.invoked);
            points.place(point, interval.operation);
        }
    }
    Finding::Linearizable(points.order())
}

/// Whether the element is there, as a model of its own: the states are 0 and 1.
#[derive(Clone)]
struct Presence<'a>(&'a [SetOp]);

impl Transitions for Presence<'_> {
    fn step(&mut self, state: State, class: Class) -> State {
        step(self.0[class as usize], state == 1).map_or(ILLEGAL, State::from)
    }

    fn read_only(&self, class: Class) -> bool {
        matches!(self.0[class as usize], SetOp::Present(_) | SetOp::Absent(_))
    }

    fn alike(&self, class: Class) -> u32 {
        kind(self.0[class as usize])
    }
}

/// Whether the element is there after an operation on it; None if that is illegal.
pub fn step(operation: SetOp, present: bool) -> Option<bool> {
    match operation {
        SetOp::Added(_) => (!present).then_some(true),
        SetOp::Removed(_) => present.then_some(false),
        SetOp::Add(_) => Some(true),
        SetOp::Remove(_) => Some(false),
        SetOp::Present(_) => present.then_some(true),
        SetOp::Absent(_) => (!present).then_some(false),
        SetOp::Read(_) | SetOp::Nothing => Some(present),
    }
}

/// A number for each thing that can be done to an element.
pub fn kind(operation: SetOp) -> u32 {
    match operation {
        SetOp::Added(_) => 0,
        SetOp::Removed(_) => 1,
        SetOp::Add(_) => 2,
        SetOp::Remove(_) => 3,
        SetOp::Present(_) => 4,
        SetOp::Absent(_) => 5,
        SetOp::Read(_) | SetOp::Nothing => 6,
    }
}

/// The general search of one element's operations: their order (by number in `mine`), or
/// that there is none; None if it takes too long.
fn searched(mine: &[Interval], classes: &[SetOp]) -> Option<Option<Vec<u32>>> {
    let mut steps: Vec<(u32, u32)> = Vec::with_capacity(2 * mine.len());
    for (interval, at) in mine.iter().zip(0..) {
        steps.push((interval.invoked, at));
        if interval.returned != NEVER {
            steps.push((interval.returned, at));
        }
    }
    steps.sort_unstable();
    let mut layout = Layout::default();
    let mut numbers: Vec<Operation> = vec![0; mine.len()];
    for (rank, at) in steps {
        let interval = mine[at as usize];
        if interval.returned == NEVER {
            layout.crash(interval.class, at);
        } else if rank == interval.invoked {
            numbers[at as usize] = layout.invoke(interval.class, at).ok()?;
        } else {
            layout.complete(numbers[at as usize]);
        }
    }
    let budget = Budget {
        steps: Some(STEPS_EACH * mine.len() as u64),
        ..Budget::default()
    };
    match search_key(&layout.finish(), 0, &mut Presence(classes), &budget) {
        Outcome::Valid { order } => Some(Some(order)),
        Outcome::Invalid(_) => Some(None),
        Outcome::Unknown { .. } => None,
    }
}
