//! A semaphore of which every operation takes or gives back the same number of permits.
//!
//! Operations that do the same are interchangeable, so of the open ones the one that returns
//! first is always as good as any.  What remains to be told is how many acquires, `a(t)`, and
//! releases, `r(t)`, have taken effect by each time `t`:
//!
//! - `r - a` stays between two bounds,
//! - between two times at least those operations took effect that lie inside, and
//! - at no time more than have been invoked; what has been invoked and has no place yet is
//!   still open, whatever was chosen before.
//!
//! All these bound differences of two numbers, from one side each, and so with two solutions
//! their minimum is one: if there is a solution there is a least one, at all times at once.
//! It is found by doing nothing that is not needed: an operation takes effect when it
//! returns, and another one before only where the first is not legal otherwise (that is one
//! of the other kind, and one is enough).  Where none is open, there is no solution.
//!
//! An operation that crashed has no end, so it is never needed for its own sake, and is
//! taken when nothing else is left.  This is the definition of crashed.
//!
//! Cost: one heap operation per operation.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::intervals::{in_time, Interval, Moment};
use super::{Finding, Operation};
use crate::objects::semaphore::Returned;

/// Open operations of one kind that have no place yet: when each returns, and its number.
type Open = BinaryHeap<Reverse<(u32, u32)>>;

/// Judges a semaphore.  Unfit where operations differ in how many permits they move.
///
/// A contradiction is told by the operation that cannot be placed: everything before its
/// return matters.
pub fn judge(intervals: &[Interval], operations: &[Returned], free: i64, permits: i64) -> Finding {
    let moved = |interval: &Interval| operations[interval.class as usize];
    let Some(size) = intervals.first().map(|first| moved(first).abs()) else {
        return Finding::Linearizable(Vec::new());
    };
    if !(0..=permits).contains(&free) || intervals.iter().any(|i| moved(i).abs() != size) {
        return Finding::Unfit;
    }
    // As many more may be released, and acquired, as fit in.
    let (most, least) = ((permits - free) / size, -(free / size));
    let mut balance = 0;
    let mut open = [Open::new(), Open::new()];
    let mut placed = vec![false; intervals.len()];
    let mut order: Vec<Operation> = Vec::with_capacity(intervals.len());
    for moment in in_time(intervals) {
        let (number, returns) = match moment {
            Moment::Invoked(number) => (number, false),
            Moment::Returned(number) => (number, true),
        };
        let interval = &intervals[number as usize];
        let releases = moved(interval) > 0;
        if !returns {
            open[usize::from(releases)].push(Reverse((interval.returned, number)));
            continue;
        }
        if placed[number as usize] {
            continue;
        }
        // The one that returns now is the first of its kind, for all earlier ones have a place.
        let chain = [!releases, releases];
        let is_legal = if releases {
            balance < most
        } else {
            balance > least
        };
        for releases in &chain[usize::from(is_legal)..] {
            balance += if *releases { 1 } else { -1 };
            let next = open[usize::from(*releases)].pop();
            let Some(Reverse((_, next))) = next.filter(|_| (least..=most).contains(&balance))
            else {
                return Finding::Contradiction(vec![interval.operation]);
            };
            placed[next as usize] = true;
            order.push(intervals[next as usize].operation);
        }
    }
    Finding::Linearizable(order)
}
