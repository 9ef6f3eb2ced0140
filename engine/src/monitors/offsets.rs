//! A log with offsets: one sweep along them.
//!
//! Offsets are dense, so they say in which order the appends took effect, and there is one
//! candidate for the order.  The append at an offset has a moment: not before it and every
//! read that found nothing there have begun (`begin`), and not after it or any read of it has
//! returned (`end`).  Each offset gets the least point that it can have, the latest `begin`
//! so far; that is a linearization iff no point is after its `end`.  Then every read has a
//! point too: one that found nothing when it is invoked, which is no later than `begin`; one
//! that found a value when it is invoked or when that was appended, whichever is later.
//!
//! *Offsets that nobody was told* belong to appends that crashed or did not learn them.
//! Where the value was read, it is an append of that value; else any that is left; of several
//! the one that returns first among those begun in time, since those that return later can
//! wait.  The appends that returned and are left over come behind the rest, by their returns.
//!
//! Two moments out of order contradict each other, whatever else happened, unless one is that
//! of an append of unknown offset, which might have been put elsewhere.  That an offset has
//! nobody to fill it is no contradiction of a few.  In both cases the general search decides.
//!
//! Cost: sorting.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::intervals::{Interval, NEVER};
use super::points::Points;
use super::{Finding, Operation};
use crate::objects::log::{LogOp, Offset, Value};

/// A moment, and the operation because of which it is not earlier, or not later.
type Moment = (u32, Operation);

/// What is known of one offset.
#[derive(Clone, Copy)]
struct Entry {
    append: Option<Interval>,
    value: Option<(Value, Operation)>,
    begin: Moment,
    end: Moment,
}

const UNKNOWN: Entry = Entry {
    append: None,
    value: None,
    begin: (0, 0),
    end: (NEVER, 0),
};

impl Entry {
    fn appended_by(&mut self, append: &Interval) {
        self.append = Some(*append);
        self.begin = self.begin.max((append.invoked, append.operation));
        self.end = self.end.min((append.returned, append.operation));
    }

    /// Sees the value; the error is an operation that saw another one.
    fn holds(&mut self, value: Value, operation: Operation) -> Result<(), Operation> {
        match self.value {
            Some((known, other)) if known != value => Err(other),
            _ => {
                self.value = Some((value, operation));
                Ok(())
            }
        }
    }
}

/// Judges a log that is empty at first.
pub fn judge(intervals: &[Interval], classes: &[LogOp]) -> Finding {
    match linearized(intervals, classes) {
        Ok(order) => Finding::Linearizable(order),
        Err(finding) => finding,
    }
}

fn linearized(intervals: &[Interval], classes: &[LogOp]) -> Result<Vec<Operation>, Finding> {
    let mut entries = known(intervals, classes)?;
    let mut left = Left::of(intervals, classes);
    left.fill(&mut entries)?;
    for append in left.behind() {
        entries.push(UNKNOWN);
        entries
            .last_mut()
            .expect("just pushed")
            .appended_by(&append);
    }
    let mut points = Points::with_capacity(intervals.len());
    for interval in intervals {
        if let LogOp::Nothing(offset) = classes[interval.class as usize] {
            points.place(interval.invoked, interval.operation);
            if let Some(entry) = entries.get_mut(offset as usize) {
                let begun = (interval.invoked, interval.operation);
                entry.begin = entry.begin.max(begun);
            }
        }
    }
    let mut moments = Vec::with_capacity(entries.len());
    let mut latest: Moment = (0, 0);
    for entry in &entries {
        latest = latest.max(entry.begin);
        if entry.end.0 < latest.0 {
            let both = vec![latest.1, entry.end.1];
            return Err(match both.iter().any(|&operation| left.has(operation)) {
                true => Finding::Unfit,
                false => Finding::Contradiction(both),
            });
        }
        let append = entry.append.expect("every offset has been filled");
        points.place(latest.0, append.operation);
        moments.push(latest.0);
    }
    for interval in intervals {
        if let LogOp::Read(offset, _) = classes[interval.class as usize] {
            let point = moments[offset as usize].max(interval.invoked);
            points.place(point, interval.operation);
        }
    }
    Ok(points.order())
}

/// What the operations say that know their offsets.
fn known(intervals: &[Interval], classes: &[LogOp]) -> Result<Vec<Entry>, Finding> {
    let offsets = intervals
        .iter()
        .filter_map(|interval| match classes[interval.class as usize] {
            LogOp::Append(Some(offset), _) | LogOp::Read(offset, _) => Some((offset, interval)),
            _ => None,
        });
    let last: Option<(Offset, &Interval)> = offsets.max_by_key(|(offset, _)| *offset);
    let Some((last, farthest)) = last else {
        return Ok(Vec::new());
    };
    // With fewer operations than offsets some offset has nobody to fill it.
    if last >= intervals.len() as Offset {
        // Alone it is a contradiction only if nobody wrote the value who might have done so there.
        let LogOp::Read(_, value) = classes[farthest.class as usize] else {
            return Err(Finding::Unfit);
        };
        let might = |i: &Interval| classes[i.class as usize] == LogOp::Append(None, value);
        return Err(match intervals.iter().any(might) {
            true => Finding::Unfit,
            false => Finding::Contradiction(vec![farthest.operation]),
        });
    }
    let mut entries = vec![UNKNOWN; last as usize + 1];
    for interval in intervals {
        let operation = interval.operation;
        let found = match classes[interval.class as usize] {
            LogOp::Append(Some(offset), value) => {
                let entry = &mut entries[offset as usize];
                if let Some(other) = entry.append {
                    return Err(Finding::Contradiction(vec![other.operation, operation]));
                }
                entry.appended_by(interval);
                entry.holds(value, operation)
            }
            LogOp::Read(offset, value) => {
                let entry = &mut entries[offset as usize];
                entry.end = entry.end.min((interval.returned, operation));
                entry.holds(value, operation)
            }
            _ => Ok(()),
        };
        if let Err(other) = found {
            return Err(Finding::Contradiction(vec![other, operation]));
        }
    }
    Ok(entries)
}

/// Appends of unknown offsets, to be taken where they are needed.
struct Left {
    appends: Vec<(Interval, Value)>,
    taken: Vec<bool>,
    /// By value, numbers among `appends`, by return.
    of_value: HashMap<Value, Vec<u32>, FxBuildHasher>,
}

impl Left {
    /// By return, and of those that never returned by invocation.
    fn of(intervals: &[Interval], classes: &[LogOp]) -> Left {
        let unlearnt =
            intervals
                .iter()
                .filter_map(|interval| match classes[interval.class as usize] {
                    LogOp::Append(None, value) => Some((*interval, value)),
                    _ => None,
                });
        let mut appends: Vec<(Interval, Value)> = unlearnt.collect();
        appends.sort_unstable_by_key(|(interval, _)| (interval.returned, interval.invoked));
        let mut of_value: HashMap<Value, Vec<u32>, FxBuildHasher> = HashMap::default();
        for ((_, value), number) in appends.iter().zip(0..) {
            of_value.entry(*value).or_default().push(number);
        }
        Left {
            taken: vec![false; appends.len()],
            appends,
            of_value,
        }
    }

    /// Whether it is one of these.
    fn has(&self, operation: Operation) -> bool {
        let mut all = self.appends.iter();
        all.any(|(interval, _)| interval.operation == operation)
    }

    /// Gives each offset without an append one of those.
    fn fill(&mut self, entries: &mut [Entry]) -> Result<(), Finding> {
        if entries.iter().all(|entry| entry.append.is_some()) {
            return Ok(());
        }
        // By offset: the first return of this and all later ones.
        let mut untils = vec![NEVER; entries.len()];
        let mut until = NEVER;
        for (offset, entry) in entries.iter().enumerate().rev() {
            until = until.min(entry.end.0);
            untils[offset] = until;
        }
        self.fill_seen(entries, &untils)?;
        let numbers: Vec<u32> = (0..self.appends.len() as u32).collect();
        let mut latest = 0;
        // Before this number all are taken.
        let mut first = 0;
        for (offset, entry) in entries.iter_mut().enumerate() {
            if entry.append.is_none() {
                while self.taken.get(first).is_some_and(|taken| *taken) {
                    first += 1;
                }
                let found = self.take(&numbers[first..], latest, untils[offset]);
                entry.appended_by(&found.ok_or(Finding::Unfit)?);
            }
            latest = latest.max(entry.begin.0);
        }
        Ok(())
    }

    /// Fills the offsets that were read.
    fn fill_seen(&mut self, entries: &mut [Entry], untils: &[u32]) -> Result<(), Finding> {
        let mut latest = 0;
        for (offset, entry) in entries.iter_mut().enumerate() {
            if let (None, Some((value, read))) = (entry.append, entry.value) {
                let Some(numbers) = self.of_value.remove(&value) else {
                    return Err(Finding::Contradiction(vec![read]));
                };
                let found = self.take(&numbers, latest, untils[offset]);
                self.of_value.insert(value, numbers);
                entry.appended_by(&found.ok_or(Finding::Unfit)?);
            }
            latest = latest.max(entry.begin.0);
        }
        Ok(())
    }

    /// The first of these to return after `latest` that was invoked before `until`.
    fn take(&mut self, numbers: &[u32], latest: u32, until: u32) -> Option<Interval> {
        let fits = |&&number: &&u32| {
            let (interval, _) = &self.appends[number as usize];
            !self.taken[number as usize] && interval.invoked < until && interval.returned > latest
        };
        let number = *numbers.iter().find(fits)? as usize;
        self.taken[number] = true;
        Some(self.appends[number].0)
    }

    /// Those that returned and are left over, by return.
    fn behind(&self) -> impl Iterator<Item = Interval> + '_ {
        let rest = self.appends.iter().zip(&self.taken);
        rest.filter(|((interval, _), taken)| !**taken && interval.returned != NEVER)
            .map(|((interval, _), _)| *interval)
    }
}
