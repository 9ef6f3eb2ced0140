//! A set: one object for each element, or a chain of whole reads.
//!
//! Without whole reads every operation speaks of one element, and the elements are objects
//! of their own (`membership`).  Without removals the whole reads say in which order the
//! elements came (`growing`).  A history with both is for the general search.

use std::collections::HashSet;

use super::growing;
use super::intervals::{Interval, NEVER};
use super::membership;
use super::{Finding, Operation};
use crate::objects::set::{Element, SetOp};

/// Judges a set that is empty at first; `reads` are the sets that were read, by number.
pub fn judge(intervals: &[Interval], classes: &[SetOp], reads: &[Box<[Element]>]) -> Finding {
    let (mut has_reads, mut shrinks) = (false, false);
    for interval in intervals {
        match classes[interval.class as usize] {
            SetOp::Read(_) => has_reads = true,
            SetOp::Removed(_) => shrinks = true,
            SetOp::Remove(_) => shrinks |= interval.returned != NEVER,
            _ => {}
        }
    }
    match (has_reads, shrinks) {
        (false, _) => membership::judge(intervals, classes),
        (true, false) => unless_removed(
            growing::judge(intervals, classes, reads),
            intervals,
            classes,
        ),
        (true, true) => Finding::Unfit,
    }
}

/// What was found without crashed removals.  An order is one with them, too: they never
/// happened.  But a contradiction is one only if no such removal is of an element that it
/// speaks of; others do nothing to these elements.
fn unless_removed(finding: Finding, intervals: &[Interval], classes: &[SetOp]) -> Finding {
    let Finding::Contradiction(operations) = &finding else {
        return finding;
    };
    let of = |interval: &Interval| classes[interval.class as usize];
    let mut removed: HashSet<Element> = HashSet::new();
    for interval in intervals {
        if let SetOp::Remove(element) = of(interval) {
            removed.insert(element);
        }
    }
    let given: HashSet<Operation> = operations.iter().copied().collect();
    let mut elements = intervals
        .iter()
        .filter(|interval| !removed.is_empty() && given.contains(&interval.operation))
        .filter_map(|interval| of(interval).element());
    if elements.any(|element| removed.contains(&element)) {
        return Finding::Unfit;
    }
    finding
}

/// The intervals of each element, by element; those of one stand as in `intervals`.
pub fn by_element(intervals: &[Interval], classes: &[SetOp]) -> Vec<(Element, u32)> {
    let numbered = intervals.iter().zip(0..);
    let mut found: Vec<(Element, u32)> = numbered
        .filter_map(|(interval, at)| {
            let element = classes[interval.class as usize].element()?;
            Some((element, at))
        })
        .collect();
    found.sort_unstable();
    found
}
