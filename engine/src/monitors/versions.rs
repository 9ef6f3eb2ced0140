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

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use rustc_hash::FxBuildHasher;

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

/// The operations of one version.
#[derive(Clone, Copy)]
struct Span {
    version: Version,
    value: Value,
    /// Where its writer stands; the initial value has none.
    start: usize,
    /// What its writer must have found.
    from: Option<Value>,
}

/// The operations whose version is known, in their order.
struct Chain {
    order: Vec<Placed>,
    versions: Vec<Span>,
}

impl Chain {
    /// The order that the versions ask for; the error is what contradicts it.
    fn of(sorted: &mut Sorted, initial: (Version, Value)) -> Result<Chain, Finding> {
        let placed = std::mem::take(&mut sorted.placed);
        in_real_time(&placed)?;
        let untils = if sorted.unlearnt.is_empty() {
            Vec::new()
        } else {
            least_returns(&placed)
        };
        let mut chain = Chain {
            order: Vec::with_capacity(placed.len()),
            versions: vec![Span {
                version: initial.0,
                value: initial.1,
                start: 0,
                from: None,
            }],
        };
        let mut latest = 0;
        let mut next = 0;
        while next < placed.len() {
            let first = placed[next];
            if first.version < initial.0 || (first.version == initial.0 && !first.is_read) {
                return Err(Finding::Contradiction(vec![first.operation]));
            }
            let before = chain.versions.last().expect("the initial one").value;
            if first.version > initial.0 {
                chain.versions.push(Span {
                    version: first.version,
                    value: first.value,
                    start: chain.order.len(),
                    from: first.from,
                });
            }
            if first.version > initial.0 && first.is_read {
                let until = untils.get(next).copied().unwrap_or(0);
                let Some(writer) = sorted.writer_of(first.value, before, latest, until) else {
                    return Err(sorted.without_writer(&placed, next));
                };
                chain.versions.last_mut().expect("just pushed").from = writer.from;
                latest = latest.max(writer.invoked);
                chain.order.push(Placed {
                    version: first.version,
                    learnt: false,
                    is_read: false,
                    value: writer.value,
                    from: writer.from,
                    invoked: writer.invoked,
                    returned: writer.returned,
                    operation: writer.operation,
                });
            }
            let version = *chain.versions.last().expect("the initial one");
            if version.from.is_some_and(|from| from != before) {
                return Err(if sorted.all_unlearnt().next().is_none() {
                    Finding::Contradiction(vec![first.operation])
                } else {
                    Finding::Unfit
                });
            }
            let alike = placed[next..]
                .iter()
                .take_while(|other| other.version == first.version);
            for (number, other) in alike.enumerate() {
                if other.value != version.value || (number > 0 && !other.is_read) {
                    return Err(Finding::Contradiction(vec![
                        first.operation,
                        other.operation,
                    ]));
                }
                latest = latest.max(other.invoked);
                chain.order.push(*other);
                next += 1;
            }
        }
        // Writers were taken within their bounds, so they too are in real time.
        Ok(chain)
    }

    /// The order with everything inserted that has no version, in order of invocation.
    fn fit(&self, sorted: &Sorted) -> Result<Vec<Operation>, Finding> {
        let fitting = &sorted.fitting;
        let mut places = Places::of(self);
        // The returns and places of what has been inserted, the first return on top.
        let mut open: BinaryHeap<Reverse<(u32, Place, usize)>> = BinaryHeap::new();
        let mut floor: (Place, usize) = ((0, false), 0);
        // What each had to wait for, unless that was the chain alone.
        let mut waits: Vec<Option<usize>> = Vec::with_capacity(fitting.len());
        let mut inserted: Vec<(Place, u32, Operation)> = Vec::with_capacity(fitting.len());
        for (number, (interval, what)) in fitting.iter().enumerate() {
            while let Some(Reverse((returned, place, other))) = open.peek().copied() {
                if returned > interval.invoked {
                    break;
                }
                floor = floor.max((place, other));
                open.pop();
            }
            let earliest = (places.behind(interval.invoked), false);
            let latest = places.before(interval.returned);
            waits.push((floor.0 > earliest).then_some(floor.1));
            let place = places.first(self, earliest.max(floor.0), *what);
            let Some(place) = place.filter(|place| place.0 <= latest) else {
                return Err(match sorted.all_unlearnt().next() {
                    None => self.without_place(fitting, &waits, &places),
                    Some(_) => self.without_help(sorted, number, &mut places),
                });
            };
            inserted.push((place, interval.invoked, interval.operation));
            open.push(Reverse((interval.returned, place, number)));
        }
        inserted.sort_unstable();
        let mut order = Vec::with_capacity(self.order.len() + inserted.len());
        let mut next = 0;
        for ((place, _), _, operation) in inserted {
            order.extend(
                self.order[next..place]
                    .iter()
                    .map(|placed| placed.operation),
            );
            next = place;
            order.push(operation);
        }
        order.extend(self.order[next..].iter().map(|placed| placed.operation));
        Ok(order)
    }

    /// Why the last of these has no place, where every write has its version: what stands
    /// behind it, and what it waited for, back to something that only the chain held up.
    fn without_place(
        &self,
        fitting: &[(Interval, Fitting)],
        waits: &[Option<usize>],
        places: &Places,
    ) -> Finding {
        let mut at = waits.len() - 1;
        let mut operations = vec![fitting[at].0.operation];
        let behind = self.order.get(places.before(fitting[at].0.returned));
        while let Some(other) = waits[at] {
            at = other;
            operations.push(fitting[at].0.operation);
        }
        let before = places.behind(fitting[at].0.invoked).checked_sub(1);
        let around = behind.into_iter().chain(before.map(|at| &self.order[at]));
        operations.extend(around.map(|placed| placed.operation));
        Finding::Contradiction(operations)
    }

    /// Why one of these has no place, where some writes have no version: a contradiction only
    /// if none of those could help, and it has no place between known versions alone.
    fn without_help(&self, sorted: &Sorted, number: usize, places: &mut Places) -> Finding {
        let (interval, what) = sorted.fitting[number];
        let helps = |write: &Unlearnt| match what {
            Fitting::Read(value) => write.value == value,
            Fitting::Mismatch(value) => write.value != value,
            Fitting::Write => true,
        };
        if sorted.all_unlearnt().any(helps) {
            return Finding::Unfit;
        }
        let mut known = self.order.iter();
        let before = known.rposition(|p| p.learnt && p.returned < interval.invoked);
        let mut known = self.order.iter();
        let behind = known.position(|p| p.learnt && interval.returned < p.invoked);
        let earliest = before.map_or(0, |at| at + 1);
        let place = places.first(self, (earliest, false), what);
        if place.is_some_and(|place| behind.is_none_or(|behind| place.0 <= behind)) {
            return Finding::Unfit;
        }
        let around = before.into_iter().chain(behind);
        let around = around.map(|at| self.order[at].operation);
        Finding::Contradiction(around.chain([interval.operation]).collect())
    }
}

/// Whether nothing returned before something in front of it was invoked.
fn in_real_time(order: &[Placed]) -> Result<(), Finding> {
    let mut latest = (0, 0);
    for placed in order {
        if placed.returned < latest.0 {
            return Err(Finding::Contradiction(vec![latest.1, placed.operation]));
        }
        latest = latest.max((placed.invoked, placed.operation));
    }
    Ok(())
}

/// By position: the least return from there on.
fn least_returns(placed: &[Placed]) -> Vec<u32> {
    let mut least = vec![NEVER; placed.len()];
    let mut so_far = NEVER;
    for (at, placed) in placed.iter().enumerate().rev() {
        so_far = so_far.min(placed.returned);
        least[at] = so_far;
    }
    least
}

/// How many operations of the chain stand before, and whether a write of unknown version
/// does so too since the last write of a known one.
type Place = (usize, bool);

/// Where what has no version may be inserted.
struct Places {
    /// By position: the least return from there on.
    least: Vec<u32>,
    /// By place: the greatest invocation of all before it.
    greatest: Vec<u32>,
    /// The places of each value's versions in the chain.
    of_value: OfValue<Vec<usize>>,
    /// By version: the next one with another value.
    other: Vec<usize>,
    /// By version: how many more versions fit between it and the next.
    room: Vec<i64>,
}

impl Places {
    fn of(chain: &Chain) -> Places {
        let mut greatest = vec![0];
        for placed in &chain.order {
            let latest = *greatest.last().expect("not empty");
            greatest.push(latest.max(placed.invoked));
        }
        let versions = &chain.versions;
        let mut of_value: OfValue<Vec<usize>> = HashMap::default();
        for (number, version) in versions.iter().enumerate() {
            of_value.entry(version.value).or_default().push(number);
        }
        let mut other = vec![versions.len(); versions.len()];
        for number in (0..versions.len().saturating_sub(1)).rev() {
            other[number] = match versions[number].value == versions[number + 1].value {
                true => other[number + 1],
                false => number + 1,
            };
        }
        let room = (0..versions.len()).map(|number| match versions.get(number + 1) {
            // A compare-and-set must find what stands there.
            Some(next) if next.from.is_some() => 0,
            Some(next) => next.version - versions[number].version - 1,
            None => i64::MAX,
        });
        Places {
            least: least_returns(&chain.order),
            greatest,
            of_value,
            other,
            room: room.collect(),
        }
    }

    /// How many operations of the chain certainly stand before what is invoked then.
    fn behind(&self, invoked: u32) -> usize {
        self.least.partition_point(|&r| r < invoked)
    }

    /// How many operations of the chain may stand before what returns then.
    fn before(&self, returned: u32) -> usize {
        self.greatest.partition_point(|&i| i <= returned) - 1
    }

    /// The first place from `least` on where the operation is legal.
    fn first(&mut self, chain: &Chain, least: Place, what: Fitting) -> Option<Place> {
        let (place, overwritten) = least;
        // The first version's place is 0; the others' begin behind their writers.
        let behind = |number: usize| match number {
            0 => 0,
            _ => chain.versions[number].start + 1,
        };
        let begun = chain.versions.partition_point(|v| v.start < place);
        let here = begun.max(1) - 1;
        let value = chain.versions[here].value;
        let next = match what {
            Fitting::Read(wanted) if wanted == value && !overwritten => return Some(least),
            Fitting::Mismatch(found) if found != value && !overwritten => return Some(least),
            Fitting::Read(wanted) => {
                let numbers = self.of_value.get(&wanted)?;
                let next = numbers.partition_point(|&number| number <= here);
                *numbers.get(next)?
            }
            Fitting::Mismatch(found) => match chain.versions.get(here + 1) {
                Some(version) if overwritten && version.value != found => here + 1,
                Some(_) if overwritten => self.other[here + 1],
                _ => self.other[here],
            },
            Fitting::Write => {
                let number = (here..self.room.len()).find(|&number| self.room[number] > 0)?;
                self.room[number] -= 1;
                let end = chain.versions.get(number + 1);
                return Some((end.map_or(chain.order.len(), |next| next.start), true));
            }
        };
        (next < chain.versions.len()).then(|| (behind(next), false))
    }
}
