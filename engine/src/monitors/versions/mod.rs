//! A register that numbers its values: one sweep by version.
//!
//! Versions say in which order the writes took effect, so there is one candidate for the
//! order: sort by version, the write of each version before its reads, these as they were
//! invoked.  It is a linearization iff
//!
//! 1. every version has one writer (the least one of all: the initial value), and its reads
//!    saw the value that this one wrote,
//! 2. nothing returned before something that stands in front of it was invoked.
//!
//! The second is seen in one pass that keeps the latest invocation so far.  Two operations
//! that violate it contradict each other, whatever else happened.
//!
//! *A version that nobody wrote* was written by a write whose version nobody learnt: one of
//! the value that was read, invoked before everything of this and later versions returned
//! (`until`), and not returned before everything of earlier versions was invoked (`latest`).
//! Of several the one that returns first is taken, as those that return later (or never) can
//! wait for later versions.
//!
//! *What has no version at all* is inserted into that order, each as early as it can be, in
//! the order of invocation: behind all that returned before it was invoked; a read where its
//! value is there, a compare-and-set that failed where another value is there; a write that
//! returned without its version, seen by nobody, right before the next write, in a gap between
//! two versions that has room for it.  As early as possible is best for all that follow, so
//! without gaps to be shared this finds a place for each if there is one.  A crashed write
//! that nobody saw is left out.
//!
//! *What is a contradiction.*  Writes of unknown version leave a choice, and that one choice
//! leads nowhere says nothing of the others.  So something is called a contradiction only if
//! it is one whatever these writes did; else it is left to the search:
//!
//! - known versions against real time, or against each other: no choice is involved;
//! - a version with no writer, where no write of that value, taken already or not, begins and
//!   returns in time as far as known versions tell;
//! - what has no version and finds no place: where all writes have their version, there is no
//!   choice at all, and it has none because of what stands right before and behind it, or of
//!   others without a version that it had to wait for, which are all named.  Where some have
//!   none, but could not help (they do not write what was read, or write just what was said
//!   not to be there), the known versions alone leave it no place.
//!
//! Cost: one sort by version.

mod chain;
mod places;

use std::cmp::Reverse;
use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use self::chain::Chain;
use super::intervals::{Interval, NEVER};
use super::{Finding, Operation};
use crate::objects::versioned::{Value, Version, VersionedOp};

type OfValue<T> = HashMap<Value, T, FxBuildHasher>;

/// An operation whose version is known.
#[derive(Clone, Copy)]
struct Placed {
    version: Version,
    /// It was told to the operation, not concluded from what others saw.
    learnt: bool,
    is_read: bool,
    value: Value,
    /// What a compare-and-set found.
    from: Option<Value>,
    invoked: u32,
    returned: u32,
    operation: Operation,
}

/// A write whose version nobody learnt.
#[derive(Clone, Copy)]
struct Unlearnt {
    value: Value,
    from: Option<Value>,
    invoked: u32,
    returned: u32,
    operation: Operation,
}

/// What is inserted where it fits.
#[derive(Clone, Copy)]
enum Fitting {
    Read(Value),
    Mismatch(Value),
    Write,
}

/// Operations by what is known of their version.
#[derive(Default)]
struct Sorted {
    placed: Vec<Placed>,
    /// By value, the last to be taken first.
    unlearnt: OfValue<Vec<Unlearnt>>,
    /// Those that some version has been given to.
    taken: Vec<Unlearnt>,
    fitting: Vec<(Interval, Fitting)>,
}

/// Judges a register that holds `initial` at first.
pub fn judge(
    intervals: &[Interval],
    classes: &[VersionedOp],
    initial: (Version, Value),
) -> Finding {
    let mut sorted = Sorted::of(intervals, classes);
    let chain = match Chain::of(&mut sorted, initial) {
        Ok(chain) => chain,
        Err(finding) => return finding,
    };
    // Writes that returned, and that no read has given a version.
    for writes in sorted.unlearnt.values() {
        for write in writes.iter().filter(|write| write.returned != NEVER) {
            if write.from.is_some() {
                return Finding::Unfit;
            }
            let interval = Interval {
                operation: write.operation,
                class: 0,
                invoked: write.invoked,
                returned: write.returned,
            };
            sorted.fitting.push((interval, Fitting::Write));
        }
    }
    if sorted.fitting.is_empty() {
        let order = chain.order.iter().map(|placed| placed.operation);
        return Finding::Linearizable(order.collect());
    }
    sorted
        .fitting
        .sort_unstable_by_key(|(interval, _)| interval.invoked);
    match chain.fit(&sorted) {
        Ok(order) => Finding::Linearizable(order),
        Err(finding) => finding,
    }
}

impl Sorted {
    fn of(intervals: &[Interval], classes: &[VersionedOp]) -> Sorted {
        let mut sorted = Sorted::default();
        sorted.placed.reserve_exact(intervals.len());
        for interval in intervals {
            match classes[interval.class as usize] {
                VersionedOp::Read(Some(version), value) => {
                    sorted.place(interval, version, true, value, None);
                }
                VersionedOp::Read(None, value) => {
                    sorted.fitting.push((*interval, Fitting::Read(value)));
                }
                VersionedOp::Mismatch(value) => {
                    sorted.fitting.push((*interval, Fitting::Mismatch(value)));
                }
                VersionedOp::Write(version, value) => sorted.write(interval, version, value, None),
                VersionedOp::Cas(version, from, to) => {
                    sorted.write(interval, version, to, Some(from));
                }
                VersionedOp::Nothing => {}
            }
        }
        let key = |placed: &Placed| (placed.version, placed.is_read, placed.invoked);
        sorted.placed.sort_unstable_by_key(key);
        for writes in sorted.unlearnt.values_mut() {
            writes.sort_unstable_by_key(|write| Reverse((write.returned, write.invoked)));
        }
        sorted
    }

    fn place(
        &mut self,
        interval: &Interval,
        version: Version,
        is_read: bool,
        value: Value,
        from: Option<Value>,
    ) {
        self.placed.push(Placed {
            version,
            learnt: true,
            is_read,
            value,
            from,
            invoked: interval.invoked,
            returned: interval.returned,
            operation: interval.operation,
        });
    }

    fn write(
        &mut self,
        interval: &Interval,
        version: Option<Version>,
        value: Value,
        from: Option<Value>,
    ) {
        match version {
            Some(version) => self.place(interval, version, false, value, from),
            None => self.unlearnt.entry(value).or_default().push(Unlearnt {
                value,
                from,
                invoked: interval.invoked,
                returned: interval.returned,
                operation: interval.operation,
            }),
        }
    }

    /// The write that gave its value to reads of a version without a writer, which come
    /// after `latest` and the first of which returns at `until`; `before` is the value there.
    fn writer_of(
        &mut self,
        value: Value,
        before: Value,
        latest: u32,
        until: u32,
    ) -> Option<Unlearnt> {
        let writes = self.unlearnt.get_mut(&value)?;
        let fits = |write: &Unlearnt| {
            write.invoked < until
                && write.returned > latest
                && write.from.is_none_or(|from| from == before)
        };
        let found = writes.iter().rposition(fits)?;
        let write = writes.remove(found);
        self.taken.push(write);
        Some(write)
    }

    /// Why the version of `placed[first]`, a read, has no writer: a contradiction, unless some
    /// other choice of writers might leave it one.
    fn without_writer(&self, placed: &[Placed], first: usize) -> Finding {
        let latest = placed[..first].iter().max_by_key(|placed| placed.invoked);
        let until = placed[first..].iter().min_by_key(|placed| placed.returned);
        let might = |write: &Unlearnt| {
            write.value == placed[first].value
                && until.is_none_or(|until| write.invoked < until.returned)
                && latest.is_none_or(|latest| latest.invoked < write.returned)
        };
        if self.all_unlearnt().any(might) {
            return Finding::Unfit;
        }
        let bounds = latest.into_iter().chain(until);
        let others = bounds.map(|placed| placed.operation);
        Finding::Contradiction(others.chain([placed[first].operation]).collect())
    }

    /// All writes whose version nobody learnt.
    fn all_unlearnt(&self) -> impl Iterator<Item = &Unlearnt> {
        self.unlearnt.values().flatten().chain(&self.taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Operations by when they began and ended, each of a class of its own; judged from null.
    fn judged(operations: &[(VersionedOp, u32, u32)]) -> Finding {
        let intervals: Vec<Interval> = (0..)
            .zip(operations)
            .map(|(number, &(_, invoked, returned))| Interval {
                operation: number,
                class: number,
                invoked,
                returned,
            })
            .collect();
        let classes: Vec<VersionedOp> = operations.iter().map(|each| each.0).collect();
        judge(&intervals, &classes, (0, NULL))
    }

    const NULL: Value = 9;

    /// The crashed write may come last, and explains the read; the crashed compare-and-set,
    /// which writes what is there already, must not make that look impossible.
    #[test]
    fn what_a_crashed_write_may_explain_is_no_contradiction() {
        let found = judged(&[
            (VersionedOp::Write(None, 0), 1, NEVER),
            (VersionedOp::Write(Some(2), 2), 2, 3),
            (VersionedOp::Cas(None, 2, 2), 4, NEVER),
            (VersionedOp::Read(None, 0), 5, 6),
        ]);
        assert!(!matches!(found, Finding::Contradiction(_)));
    }

    #[test]
    fn a_value_that_nobody_wrote_is_a_contradiction() {
        let found = judged(&[
            (VersionedOp::Write(Some(2), 2), 1, 2),
            (VersionedOp::Read(None, 0), 3, 4),
        ]);
        assert!(matches!(found, Finding::Contradiction(_)));
    }
}
