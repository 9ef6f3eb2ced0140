//! The elements of a container, each with the move that put it in and the one that took it.
//!
//! Where no element is put in twice, a history of moves is a history of elements: each has
//! an interval in which it was put in and one in which it was taken out.  An element that
//! is there for ever is taken at the end of time.
//!
//! Three steps make this so, and each keeps the history linearizable or not, as it was:
//!
//! - A move that puts in an element and never returned counts only if somebody took that
//!   element: otherwise it, with whatever unseen move took its element, can be dropped.
//! - An element is put in before it is taken out, so it is put in before its taking
//!   returns, and taken after its putting is invoked: the intervals are cut accordingly.
//! - What is left to the monitor are the *unseen* moves: each may have taken one element
//!   that nobody was seen to take.

use std::collections::{HashMap, HashSet};

use rustc_hash::FxBuildHasher;

use super::intervals::{Interval, NEVER};
use super::{Finding, Operation};
use crate::objects::container::{Element, Move};

/// In place of an operation that did not happen.
pub const NOBODY: Operation = Operation::MAX;

/// An interval of time, in ranks.  Intervals are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: u32,
    pub to: u32,
}

/// What there is of one element.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub element: Element,
    pub put: Operation,
    pub putting: Span,
    /// `NOBODY` where nobody is known to have taken it.
    pub take: Operation,
    pub taking: Span,
}

impl Life {
    /// When the element was certainly there: strictly between these two, if they come in
    /// this order.
    pub fn certain(&self) -> Option<Span> {
        let span = Span {
            from: self.putting.to,
            to: self.taking.from,
        };
        (span.from < span.to).then_some(span)
    }

    /// Nobody was seen to take it; perhaps an unseen move did.
    pub fn unclaimed(&self) -> bool {
        self.taking.to == NEVER
    }

    /// An unseen move, invoked at `invoked`, takes it.
    pub fn taken_unseen(&mut self, take: Operation, invoked: u32) {
        self.take = take;
        self.taking.from = self.putting.from.max(invoked);
    }
}

/// A history of moves, by element.
#[derive(Default)]
pub struct Lives {
    pub lives: Vec<Life>,
    /// Looks at an empty container.
    pub empties: Vec<(Operation, Span)>,
    /// Moves that took nobody knows what, and when they were invoked, the first one first.
    pub unseen: Vec<(Operation, u32)>,
    /// By when each of the lives must be gone, if it is unclaimed; empty if nobody asked.
    pub deadlines: Vec<u32>,
}

/// Gathers the moves by element.  The error is a contradiction between two moves of one
/// element, or `Unfit` where an element is put in twice.
pub fn lives(intervals: &[Interval], moves: &[Move]) -> Result<Lives, Finding> {
    let mut found = Lives::default();
    let mut numbers: HashMap<Element, usize, FxBuildHasher> = HashMap::default();
    numbers.reserve(intervals.len() / 2);
    for interval in intervals {
        let putting = Span {
            from: interval.invoked,
            to: interval.returned,
        };
        match moves[interval.class as usize] {
            Move::Put(element) => {
                let life = Life {
                    element,
                    put: interval.operation,
                    putting,
                    take: NOBODY,
                    taking: Span {
                        from: NEVER,
                        to: NEVER,
                    },
                };
                if numbers.insert(element, found.lives.len()).is_some() {
                    return Err(Finding::Unfit);
                }
                found.lives.push(life);
            }
            Move::Empty => found.empties.push((interval.operation, putting)),
            Move::Unseen => found.unseen.push((interval.operation, interval.invoked)),
            Move::Take(_) => {}
        }
    }
    for interval in intervals {
        let Move::Take(element) = moves[interval.class as usize] else {
            continue;
        };
        let take = interval.operation;
        let Some(&number) = numbers.get(&element) else {
            return Err(Finding::Contradiction(vec![take]));
        };
        let life = &mut found.lives[number];
        if life.take != NOBODY {
            return Err(Finding::Contradiction(vec![life.take, take]));
        }
        if interval.returned < life.putting.from {
            return Err(Finding::Contradiction(vec![life.put, take]));
        }
        life.take = take;
        life.putting.to = life.putting.to.min(interval.returned);
        life.taking = Span {
            from: interval.invoked.max(life.putting.from),
            to: interval.returned,
        };
    }
    // Only a putting that crashed and was never seen still ends at the end of time.
    found.lives.retain(|life| life.putting.to != NEVER);
    Ok(found)
}

impl Lives {
    /// A contradiction between these elements and operations.  If one of the elements is
    /// unclaimed, so are others that the unseen moves may have taken instead: `also` says
    /// which of them belong to the argument, and with them belongs whatever needs them to be
    /// gone by their deadlines.
    pub fn contradiction(
        &self,
        lives: &[&Life],
        others: &[Operation],
        also: impl Fn(&Life) -> bool,
    ) -> Finding {
        let mut operations = others.to_vec();
        let mut add = |life: &Life| {
            operations.push(life.put);
            if !life.unclaimed() {
                operations.push(life.take);
            }
        };
        lives.iter().for_each(|life| add(life));
        if self.unseen.is_empty() || !lives.iter().any(|life| life.unclaimed()) {
            return Finding::Contradiction(operations);
        }
        let numbered = self.lives.iter().enumerate();
        let unclaimed = numbered.filter(|(_, life)| life.unclaimed() && also(life));
        let mut deadlines: HashSet<u32, FxBuildHasher> = HashSet::default();
        for (number, life) in unclaimed {
            add(life);
            deadlines.extend(self.deadlines.get(number).filter(|&&rank| rank != NEVER));
        }
        let due = self
            .lives
            .iter()
            .filter(|l| deadlines.contains(&l.taking.to));
        due.for_each(add);
        let due = self
            .empties
            .iter()
            .filter(|(_, s)| deadlines.contains(&s.to));
        operations.extend(due.map(|(empty, _)| *empty));
        Finding::Contradiction(operations)
    }
}
