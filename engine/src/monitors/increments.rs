//! A counter of which every add adds the same.
//!
//! A read tells how many adds have taken effect.  Adds are interchangeable, so of the open
//! ones the one that returns first is always as good as any, and what remains to be told is
//! how many, `a(t)`, have taken effect by each time `t`:
//!
//! - between two times at least those adds took effect that lie inside, and by each time at
//!   most those that have been invoked; one that has no place yet is still open, whatever was
//!   chosen before;
//! - of a read that saw `k` adds: `a <= k` when it was invoked, and `a >= k` when it returned.
//!   (Then there is a moment in between with `a = k`, since adds come one by one.)
//!
//! All these bound differences of two numbers, from one side each, and so with two solutions
//! their minimum is one: if there is a solution there is a least one, at all times at once.
//! It is found by doing nothing that is not needed: an add takes effect when it returns, or
//! when a read returns that has seen more.  A read that is invoked when there are too many
//! already, or returns when no more adds are open, has no place.
//!
//! An add that crashed has no end, so it is taken only where a read needs it and nothing else
//! is left.  This is the definition of crashed.  Adds of 0 constrain nothing.
//!
//! *Why a read has no place.*  Too few: all adds that had been invoked are not enough.  Too
//! many: if those placed have all returned, these are too many.  If not, let `s` be the last
//! read for which an add was placed that has not returned.  Each add placed since had to
//! return earlier than that one, which was taken as the first to return; so it was not open
//! at that time, but began after `s` had returned.  So what `s` saw, and what lies between the
//! two reads, are too many.  Of such reads `s` the nearest is told.
//!
//! Cost: one heap operation per operation.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use rustc_hash::FxBuildHasher;

use super::intervals::{in_time, Interval, Moment};
use super::{Finding, Operation};
use crate::objects::counter::{CounterOp, Sum};

/// Judges a counter.  Unfit where adds other than of 0 differ.
///
/// A contradiction is told by one read or two; see above.
pub fn judge(intervals: &[Interval], operations: &[CounterOp], initial: Sum) -> Finding {
    let Some(step) = the_step(intervals, operations) else {
        return Finding::Unfit;
    };
    let of = |interval: &Interval| operations[interval.class as usize];
    // How many adds a read has seen, if it is one.
    let seen = |interval: &Interval| match of(interval) {
        CounterOp::Read(sum) => Some((Sum::from(sum) - initial).div_euclid(step)),
        _ => None,
    };
    let mut counting = Counting::new(intervals);
    for moment in in_time(intervals) {
        let (number, returns) = match moment {
            Moment::Invoked(number) => (number, false),
            Moment::Returned(number) => (number, true),
        };
        let interval = &intervals[number as usize];
        match of(interval) {
            CounterOp::Nothing => {}
            CounterOp::Add(0) if returns => {}
            CounterOp::Add(0) => counting.order.push(interval.operation),
            CounterOp::Add(_) if returns => counting.return_add(number),
            CounterOp::Add(_) => counting.open_add(number),
            CounterOp::Read(sum) => {
                let whole = (Sum::from(sum) - initial) % step == 0;
                let count = seen(interval).and_then(|seen| u64::try_from(seen).ok());
                let Some(count) = count.filter(|_| whole) else {
                    return Finding::Contradiction(vec![interval.operation]);
                };
                if returns && !counting.return_read(count) {
                    return Finding::Contradiction(vec![interval.operation]);
                }
                if !returns && !counting.open_read(number, count) {
                    let other = too_high(interval, Sum::from(count), intervals, seen);
                    let both = other.into_iter().chain([interval.operation]);
                    return Finding::Contradiction(both.collect());
                }
            }
        }
    }
    Finding::Linearizable(counting.order)
}

/// What every add adds; anything but 0 where nothing is added.  None if they differ.
fn the_step(intervals: &[Interval], operations: &[CounterOp]) -> Option<Sum> {
    let mut added =
        intervals
            .iter()
            .filter_map(|interval| match operations[interval.class as usize] {
                CounterOp::Add(count) if count != 0 => Some(Sum::from(count)),
                _ => None,
            });
    let Some(step) = added.next() else {
        // No number of steps as long as this leads from one sum to another.
        return Some(Sum::MAX);
    };
    added.all(|count| count == step).then_some(step)
}

/// The sweep, at some moment.
struct Counting<'a> {
    intervals: &'a [Interval],
    /// How many adds have a place.
    count: u64,
    /// Adds that have none, the first to return first.
    open: BinaryHeap<Reverse<(u32, u32)>>,
    placed: Vec<bool>,
    /// Open reads that have seen more than there is yet, by what they saw.
    waiting: HashMap<u64, Vec<Operation>, FxBuildHasher>,
    order: Vec<Operation>,
}

impl<'a> Counting<'a> {
    fn new(intervals: &'a [Interval]) -> Self {
        Counting {
            intervals,
            count: 0,
            open: BinaryHeap::new(),
            placed: vec![false; intervals.len()],
            waiting: HashMap::default(),
            order: Vec::with_capacity(intervals.len()),
        }
    }

    fn open_add(&mut self, number: u32) {
        let returned = self.intervals[number as usize].returned;
        self.open.push(Reverse((returned, number)));
    }

    /// Places the open add that returns first, if there is one.
    fn place_add(&mut self) -> bool {
        let Some(Reverse((_, number))) = self.open.pop() else {
            return false;
        };
        self.placed[number as usize] = true;
        self.count += 1;
        self.order.push(self.intervals[number as usize].operation);
        if let Some(reads) = self.waiting.remove(&self.count) {
            self.order.extend(reads);
        }
        true
    }

    fn return_add(&mut self, number: u32) {
        if !self.placed[number as usize] {
            // Earlier ones have a place, so it is this one.
            self.place_add();
        }
    }

    /// False if there are too many adds already.
    fn open_read(&mut self, number: u32, seen: u64) -> bool {
        let operation = self.intervals[number as usize].operation;
        if seen == self.count {
            self.order.push(operation);
        } else {
            self.waiting.entry(seen).or_default().push(operation);
        }
        seen >= self.count
    }

    /// False if there are not enough adds.
    fn return_read(&mut self, seen: u64) -> bool {
        while self.count < seen {
            if !self.place_add() {
                return false;
            }
        }
        true
    }
}

/// The nearest read that proves with the adds in between that there were too many for `late`,
/// which saw only `seen`; none if the adds that had returned prove it.
fn too_high(
    late: &Interval,
    seen: Sum,
    intervals: &[Interval],
    count: impl Fn(&Interval) -> Option<Sum>,
) -> Option<Operation> {
    let mut inside = 0;
    for moment in in_time(intervals)[..late.invoked as usize - 1].iter().rev() {
        match *moment {
            Moment::Invoked(number) => {
                let interval = &intervals[number as usize];
                let is_add = count(interval).is_none();
                inside += Sum::from(is_add && interval.returned < late.invoked);
            }
            Moment::Returned(number) => {
                let read = &intervals[number as usize];
                if count(read).is_some_and(|count| count + inside > seen) {
                    return Some(read.operation);
                }
            }
        }
    }
    None
}
