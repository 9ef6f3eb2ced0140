//! A set from which nothing is removed, with whole reads.
//!
//! The sets that were read form a chain under inclusion, else two of them contradict each
//! other.  The chain says in which order the elements came: after the last read without the
//! element, and before the first with it.  So there is one candidate for the order, up to
//! what may be swapped freely.
//!
//! An element *comes* at one moment: with the addition that was told to have changed the
//! set, else with the first one to begin.  It comes when that one has begun and after every
//! operation that was told that it is not there has begun (`begin`), and before the first
//! return of all that find it or leave it there (`end`).  Along the chain, elements that come
//! between the same two reads by `begin`, reads of the same set by invocation, each gets the
//! least point that it can have, the latest beginning so far.  That is a linearization iff no
//! point is after its `end`.
//!
//! All the rest has a point then: what is told that an element is not there, when it is
//! invoked, which is no later than `begin`; what finds it or adds it again, when it is invoked
//! or when the element comes, whichever is later, which is no later than its return.
//!
//! Crashed removals are left out here (see `sets`).
//!
//! Cost: sorting, and the sizes of the sets that were read.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::intervals::{Interval, NEVER};
use super::points::Points;
use super::sets::by_element;
use super::{Finding, Operation};
use crate::objects::set::{Element, SetOp};

/// A moment, and the operation because of which it is not earlier, or not later.
type Moment = (u32, Operation);

/// What stands in the chain: an element that comes, or a read.
#[derive(Clone, Copy)]
struct Link {
    /// The number of the set, among those that were read, in which it is first seen.
    rank: u32,
    begin: Moment,
    end: Moment,
    /// The addition, or the read.
    operation: Operation,
    /// None for a read.
    element: Option<Element>,
}

/// Judges a set with no removals that returned.
pub fn judge(intervals: &[Interval], classes: &[SetOp], reads: &[Box<[Element]>]) -> Finding {
    match linearized(intervals, classes, reads) {
        Ok(order) => Finding::Linearizable(order),
        Err(finding) => finding,
    }
}

fn linearized(
    intervals: &[Interval],
    classes: &[SetOp],
    reads: &[Box<[Element]>],
) -> Result<Vec<Operation>, Finding> {
    let sorted = by_element(intervals, classes);
    let known = Known(intervals, &sorted);
    let chain = Chain::of(intervals, classes, reads, &known)?;
    let mut links = chain.links.clone();
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        let mine = group.iter().map(|(_, at)| &intervals[*at as usize]);
        links.extend(coming(group[0].0, mine, classes, &chain)?);
    }
    if let Some(read) = chain.strange(&known) {
        return Err(Finding::Contradiction(vec![read]));
    }
    links.sort_unstable_by_key(|link| (link.rank, link.element.is_none(), link.begin));
    let mut points = Points::with_capacity(intervals.len());
    for (element, at) in &sorted {
        let interval = intervals[*at as usize];
        if classes[interval.class as usize] == SetOp::Absent(*element) {
            points.place(interval.invoked, interval.operation);
        }
    }
    let mut comes: HashMap<Element, (u32, Operation), FxBuildHasher> = HashMap::default();
    let mut latest: Option<Link> = None;
    for link in links {
        if latest.is_none_or(|latest| latest.begin < link.begin) {
            latest = Some(link);
        }
        let reason = latest.expect("at least this one");
        if link.end.0 < reason.begin.0 {
            return Err(chain.contradiction(&reason, &link, &known));
        }
        points.place(reason.begin.0, link.operation);
        if let Some(element) = link.element {
            comes.insert(element, (reason.begin.0, link.operation));
        }
    }
    for (element, at) in &sorted {
        let interval = intervals[*at as usize];
        let Some(&(point, addition)) = comes.get(element) else {
            continue;
        };
        let finds = match classes[interval.class as usize] {
            SetOp::Present(_) => true,
            SetOp::Add(_) => interval.returned != NEVER && interval.operation != addition,
            _ => false,
        };
        if finds {
            points.place(point.max(interval.invoked), interval.operation);
        }
    }
    Ok(points.order())
}

/// When an element comes; None if it need not.
fn coming<'a>(
    element: Element,
    mine: impl Iterator<Item = &'a Interval>,
    classes: &[SetOp],
    chain: &Chain,
) -> Result<Option<Link>, Finding> {
    let mut told: Option<&Interval> = None;
    let mut first: Option<&Interval> = None;
    let mut begin: Moment = (0, 0);
    let mut end: Moment = (NEVER, 0);
    for interval in mine {
        let returns = (interval.returned, interval.operation);
        match classes[interval.class as usize] {
            SetOp::Added(_) => {
                if let Some(other) = told.replace(interval) {
                    let both = vec![other.operation, interval.operation];
                    return Err(Finding::Contradiction(both));
                }
                end = end.min(returns);
            }
            SetOp::Add(_) => {
                if first.is_none_or(|first| interval.invoked < first.invoked) {
                    first = Some(interval);
                }
                end = end.min(returns);
            }
            SetOp::Present(_) => end = end.min(returns),
            SetOp::Absent(_) => begin = begin.max((interval.invoked, interval.operation)),
            _ => {}
        }
    }
    let seen = chain.seen.get(&element);
    if end.0 == NEVER && seen.is_none() {
        return Ok(None);
    }
    let Some(addition) = told.or(first) else {
        // Something else speaks of it, and the contradiction is about the element.
        let other = if end.0 < NEVER { end } else { begin };
        let read = seen.map(|(_, read)| *read);
        return Err(Finding::Contradiction(
            read.into_iter().chain([other.1]).collect(),
        ));
    };
    Ok(Some(Link {
        rank: seen.map_or(chain.sets, |(rank, _)| *rank),
        begin: begin.max((addition.invoked, addition.operation)),
        end,
        operation: addition.operation,
        element: Some(element),
    }))
}

/// The sets that were read, each with the one before in it.
struct Chain {
    links: Vec<Link>,
    /// The number of the first set that has the element, and a read of it.
    seen: HashMap<Element, (u32, Operation), FxBuildHasher>,
    /// How many different sets there are.
    sets: u32,
    /// The first read of each.
    first: Vec<Operation>,
}

impl Chain {
    fn of(
        intervals: &[Interval],
        classes: &[SetOp],
        reads: &[Box<[Element]>],
        known: &Known,
    ) -> Result<Chain, Finding> {
        let read = |interval: &Interval| match classes[interval.class as usize] {
            SetOp::Read(read) => Some((read, *interval)),
            _ => None,
        };
        let mut all: Vec<(u32, Interval)> = intervals.iter().filter_map(read).collect();
        all.sort_unstable_by_key(|(read, interval)| {
            (reads[*read as usize].len(), *read, interval.invoked)
        });
        let mut chain = Chain {
            links: Vec::with_capacity(all.len()),
            seen: HashMap::default(),
            sets: 0,
            first: Vec::new(),
        };
        let mut before: Option<(u32, Operation)> = None;
        for (read, interval) in all {
            let smaller: &[Element] = before.map_or(&[], |(read, _)| &reads[read as usize]);
            let larger = &reads[read as usize];
            if before.is_none_or(|(before, _)| before != read) {
                let (more, less) = differences(smaller, larger);
                if let Some(&lost) = less.first() {
                    let reads = before.map(|(_, operation)| operation);
                    let reads = reads.into_iter().chain([interval.operation]);
                    let elements = more.first().into_iter().chain([&lost]);
                    let named = elements.filter_map(|&element| known.operation(element));
                    return Err(Finding::Contradiction(reads.chain(named).collect()));
                }
                // The same set may have been written in another order.
                if before.is_none() || !more.is_empty() {
                    chain.sets += 1;
                    chain.first.push(interval.operation);
                }
                let rank = chain.sets - 1;
                chain
                    .seen
                    .extend(more.into_iter().map(|e| (e, (rank, interval.operation))));
            }
            before = Some((read, interval.operation));
            chain.links.push(Link {
                rank: chain.sets - 1,
                begin: (interval.invoked, interval.operation),
                end: (interval.returned, interval.operation),
                operation: interval.operation,
                element: None,
            });
        }
        Ok(chain)
    }

    /// A read of an element on which there is no operation at all.
    fn strange(&self, known: &Known) -> Option<Operation> {
        let mut seen = self.seen.iter();
        let strange = seen.find(|(element, _)| known.operation(**element).is_none());
        strange.map(|(_, (_, read))| *read)
    }

    /// `early` stands in front of `late`, which ended before `early` began.
    ///
    /// The chain has them so because of a read between the two, or one of them: it has what
    /// comes first and lacks what comes then.
    fn contradiction(&self, early: &Link, late: &Link, known: &Known) -> Finding {
        let mut operations = vec![early.begin.1, late.end.1];
        let mut elements: Vec<Element> = [early.element, late.element]
            .into_iter()
            .flatten()
            .collect();
        if early.rank < late.rank {
            operations.push(self.first[early.rank as usize]);
        }
        if elements.is_empty() {
            let between = early.rank + 1..=late.rank;
            let mut seen = self.seen.iter();
            let found = seen.find(|(_, (rank, _))| between.contains(rank));
            elements.extend(found.map(|(element, _)| *element));
        }
        operations.extend(elements.iter().filter_map(|&e| known.operation(e)));
        Finding::Contradiction(operations)
    }
}

/// The operations on elements, by element.
struct Known<'a>(&'a [Interval], &'a [(Element, u32)]);

impl Known<'_> {
    /// Some operation on the element, which makes a contradiction one about it.
    fn operation(&self, element: Element) -> Option<Operation> {
        let first = self.1.partition_point(|(other, _)| *other < element);
        let found = self.1.get(first).filter(|(other, _)| *other == element);
        found.map(|(_, at)| self.0[*at as usize].operation)
    }
}

/// The elements in the second only, and those in the first only; both are in order.
fn differences(smaller: &[Element], larger: &[Element]) -> (Vec<Element>, Vec<Element>) {
    let (mut more, mut less) = (Vec::new(), Vec::new());
    let mut rest = smaller;
    for &element in larger {
        let below = rest.iter().take_while(|&&other| other < element).count();
        less.extend_from_slice(&rest[..below]);
        rest = &rest[below..];
        if rest.first() == Some(&element) {
            rest = &rest[1..];
        } else {
            more.push(element);
        }
    }
    less.extend_from_slice(rest);
    (more, less)
}
