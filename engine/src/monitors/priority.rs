//! A priority queue whose elements are all distinct.
//!
//! An element can be deleted only at an instant at which no lesser one is there.  When an
//! element is inserted matters to nobody but the greater ones, who want it late, and when it
//! is deleted, who want it early.  So take the elements from the least to the greatest, and
//! let each be inserted as late and deleted as early as possible: at the first instant,
//! after the delete was invoked, at which no lesser element is there; and inserted when the
//! insert returns, or right before the delete, if that is earlier.  By induction, in every
//! linearization each element is there at least as long as here, so if the first free
//! instant is after the delete returned, there is no linearization; and if it never is,
//! these instants are one.  A delete that found nothing is like one of an element greater
//! than all.  (A delete that waits lets its element stay no longer than the lesser ones it
//! waits for, so it is these alone that a contradiction is about.)
//!
//! Deletes stand at invocations and inserts at returns, or with their delete, so what
//! shares an instant is put in order by size.
//!
//! *Unseen deletes*: some element must be gone by a deadline, the earliest return of a
//! delete of a greater one whose instant is surely after the element was inserted.  They are
//! taken in this order.  That suffices but in odd cases: it is what decides if it works,
//! and if the claimed elements contradict each other by themselves.  Else the contradiction
//! is told with all unclaimed elements, for the search to confirm or not.
//!
//! Cost: O(n log n).

use std::collections::BTreeMap;

use super::elements::{lives, Lives, Span};
use super::intervals::{Interval, NEVER};
use super::presence::cover;
use super::unseen::LeastBehind;
use super::{Finding, Operation};
use crate::objects::container::{Element, Move};

/// Judges a priority queue that is empty at first; elements are numbered by size.  Unfit
/// where one is inserted twice.
pub fn judge(intervals: &[Interval], moves: &[Move]) -> Finding {
    let mut found = match lives(intervals, moves) {
        Ok(found) => found,
        Err(finding) => return finding,
    };
    found.lives.sort_unstable_by_key(|life| life.element);
    if found.has_choice() {
        let easier = found.without_unclaimed();
        match Stays::of(&easier) {
            Ok(stays) => {
                let deadlines = deadlines(&found, &easier, &stays);
                found.give_unseen(deadlines);
            }
            Err(stuck) => return easier.reasons(&stuck),
        }
    }
    match Stays::of(&found) {
        Ok(stays) => Finding::Linearizable(stays.sequence(&found)),
        Err(stuck) => found.reasons(&stuck),
    }
}

/// From when to when each element is there, at least.
struct Stays {
    of_life: Vec<Span>,
    /// The instants of the deletes that found nothing.
    of_empty: Vec<u32>,
}

/// A delete that has no instant in its interval.
struct Stuck {
    during: Span,
    /// How many elements are lesser than its own, which comes right behind them.
    lesser: usize,
    /// Itself, if it found nothing.
    empty: Option<Operation>,
}

impl Stays {
    /// For lives from the least to the greatest.
    fn of(found: &Lives) -> Result<Stays, Stuck> {
        let mut present = Stretches::default();
        let mut of_life: Vec<Span> = Vec::with_capacity(found.lives.len());
        for (number, life) in found.lives.iter().enumerate() {
            let deleted = present.first_gap(life.taking.from);
            if deleted > life.taking.to {
                return Err(Stuck {
                    during: life.taking,
                    lesser: number,
                    empty: None,
                });
            }
            let stay = Span {
                from: life.putting.to.min(deleted),
                to: deleted,
            };
            present.add(stay);
            of_life.push(stay);
        }
        let mut of_empty = Vec::with_capacity(found.empties.len());
        for &(empty, during) in &found.empties {
            let instant = present.first_gap(during.from);
            if instant > during.to {
                return Err(Stuck {
                    during,
                    lesser: found.lives.len(),
                    empty: Some(empty),
                });
            }
            of_empty.push(instant);
        }
        Ok(Stays { of_life, of_empty })
    }

    /// The operations by instant, and at one instant by size; each element's insert first.
    fn sequence(&self, found: &Lives) -> Vec<Operation> {
        let mut steps: Vec<(u32, Element, u8, Operation)> =
            Vec::with_capacity(2 * self.of_life.len() + self.of_empty.len());
        for (life, stay) in found.lives.iter().zip(&self.of_life) {
            steps.push((stay.from, life.element, 0, life.put));
            if stay.to != NEVER {
                steps.push((stay.to, life.element, 1, life.take));
            }
        }
        let empties = found.empties.iter().zip(&self.of_empty);
        steps.extend(empties.map(|(&(empty, _), &instant)| (instant, Element::MAX, 1, empty)));
        steps.sort_unstable();
        steps.into_iter().map(|(.., operation)| operation).collect()
    }
}

/// By when each of the lives must be gone; the claimed ones have no deadline.
///
/// With no unclaimed elements at all, the deletes would have the instants of `stays`; with
/// them no earlier ones.  So where such an instant is after an unclaimed element was surely
/// inserted, and the element is the lesser one, it must be gone before that delete returns.
fn deadlines(found: &Lives, easier: &Lives, stays: &Stays) -> Vec<u32> {
    let mut returns = LeastBehind::new(found.end());
    for (&(_, during), &instant) in easier.empties.iter().zip(&stays.of_empty) {
        returns.put(instant as usize, during.to);
    }
    let mut greater = easier.lives.iter().zip(&stays.of_life).rev().peekable();
    let mut deadlines = vec![NEVER; found.lives.len()];
    for (number, life) in found.lives.iter().enumerate().rev() {
        if !life.unclaimed() {
            continue;
        }
        while let Some((other, stay)) = greater.next_if(|(other, _)| other.element > life.element) {
            returns.put(stay.to as usize, other.taking.to);
        }
        deadlines[number] = returns.least(life.putting.to as usize);
    }
    deadlines
}

/// Disjoint stretches of time, from their beginning to their end, joined as they overlap.
#[derive(Default)]
struct Stretches(BTreeMap<u32, u32>);

impl Stretches {
    /// The first instant from `instant` on that is strictly inside of none.
    fn first_gap(&self, instant: u32) -> u32 {
        let before = self.0.range(..instant).next_back();
        before.map_or(instant, |(_, &to)| instant.max(to))
    }

    fn add(&mut self, span: Span) {
        let Span { mut from, mut to } = span;
        if from >= to {
            return;
        }
        if let Some((&earlier, &end)) = self.0.range(..=from).next_back() {
            if end > from {
                from = earlier;
                to = to.max(end);
            }
        }
        while let Some((&next, &end)) = self.0.range(from..to).next() {
            self.0.remove(&next);
            to = to.max(end);
        }
        self.0.insert(from, to);
    }
}

impl Lives {
    /// Why there is no instant for a delete: the lesser elements that cover its interval.
    fn reasons(&self, stuck: &Stuck) -> Finding {
        let mut reasons = cover(&self.lives[..stuck.lesser], stuck.during);
        reasons.extend(
            self.lives
                .get(stuck.lesser)
                .filter(|_| stuck.empty.is_none()),
        );
        let others: Vec<Operation> = stuck.empty.into_iter().collect();
        self.contradiction(&reasons, &others, |_| true)
    }
}
