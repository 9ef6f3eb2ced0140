//! A stack whose elements are all distinct.
//!
//! An element is certainly there from the return of its push to the invocation of its pop.
//! One for which these do not come in this order is pushed and popped in one instant, which
//! disturbs nobody.  Of the others:
//!
//! - At an instant at which nothing need be there (`presence`), the stack may always be
//!   empty: given a linearization, put all operations of the elements whose stretch is
//!   before the instant first, then the others.  Each part is legal alone.  No operation of
//!   the second part returned before the instant, and none of the first was invoked after
//!   it, so real time allows that.  So components of overlapping stretches are apart, and
//!   such an instant serves every empty pop that overlaps with it.
//! - Within a component the stack is never empty, so one element lies at the bottom all the
//!   time: it is pushed before all others were, and popped after.  It is one whose push was
//!   invoked before the component begins, and whose pop returns after it ends.  Any such
//!   element will do: given a linearization, take it out, which is legal, and put it around
//!   the rest, which is.  So take one, and what is left falls into components again.
//!
//! If a component has no such element, there is no linearization; nor has any part of it
//! with the same ends that hangs together.  (The idea of splitting and peeling is that of
//! Abdulla et al., "Efficient linearizability monitoring", and Lee & Mathur, "Efficient
//! decrease-and-conquer linearizability monitoring", both 2025.)
//!
//! *Unseen pops*: an element must be gone by a deadline, the earliest return of a pop of an
//! element that surely lies below it, or of an empty pop.  They are taken in this order.
//! That suffices but in odd cases: it is what decides if it works, and if the claimed
//! elements contradict each other by themselves.  Else the contradiction is told with all
//! unclaimed elements, for the search to confirm or not.
//!
//! Cost: O(c n log n), where c is how many pushes are open when a component begins.

use super::coverage::Coverage;
use super::elements::{lives, Life, Lives, Span};
use super::intervals::{Interval, NEVER};
use super::presence::{cover, Presence};
use super::unseen::LeastBehind;
use super::{Finding, Operation};
use crate::objects::container::Move;

/// Judges a stack that is empty at first.  Unfit where an element is pushed twice.
pub fn judge(intervals: &[Interval], moves: &[Move]) -> Finding {
    let mut found = match lives(intervals, moves) {
        Ok(found) => found,
        Err(finding) => return finding,
    };
    if found.has_choice() {
        if let Err(contradiction) = linearize(&found.without_unclaimed()) {
            return contradiction;
        }
        let deadlines = deadlines(&found);
        found.give_unseen(deadlines);
    }
    match linearize(&found) {
        Ok(order) => Finding::Linearizable(order),
        Err(contradiction) => contradiction,
    }
}

/// By when each of the lives must be gone; only that of the unclaimed ones matters.
///
/// What was surely pushed before an element, and surely popped after that was pushed, lies
/// below it.
fn deadlines(found: &Lives) -> Vec<u32> {
    let lives = &found.lives;
    let sorted = |key: fn(&Life) -> u32| {
        let mut numbers: Vec<usize> = (0..lives.len()).collect();
        numbers.sort_unstable_by_key(|&number| key(&lives[number]));
        numbers
    };
    let mut returns = LeastBehind::new(found.end());
    for (_, during) in &found.empties {
        returns.put(during.from as usize, during.to);
    }
    let mut pushed = sorted(|life| life.putting.to).into_iter().peekable();
    let mut deadlines = vec![NEVER; lives.len()];
    for number in sorted(|life| life.putting.from) {
        let life = &lives[number];
        let before = |&other: &usize| lives[other].putting.to < life.putting.from;
        while let Some(other) = pushed.next_if(before) {
            let popping = lives[other].taking;
            if popping.to != NEVER {
                returns.put(popping.from as usize, popping.to);
            }
        }
        deadlines[number] = returns.least(life.putting.to as usize);
    }
    deadlines
}

/// A linearization, or a contradiction.
fn linearize(found: &Lives) -> Result<Vec<Operation>, Finding> {
    let presence = Presence::of(&found.lives);
    let mut empties: Vec<(u32, Operation)> = Vec::with_capacity(found.empties.len());
    for &(empty, during) in &found.empties {
        let Some(instant) = presence.first_gap(during) else {
            let chain = cover(&found.lives, during);
            return Err(found.contradiction(&chain, &[empty], |_| true));
        };
        empties.push((instant, empty));
    }
    empties.sort_unstable();
    let steps = nest(&found.lives, &empties).map_err(|component| {
        let chain = cover(&component.lives, component.inside);
        found.contradiction(&chain, &[], |_| true)
    })?;
    Ok(with_momentary(steps, &found.lives))
}

/// An operation, and the instant at which it takes effect.
type Step = (u32, Operation);

/// A component in which nothing can lie at the bottom, and all instants inside of it.
struct Bottomless {
    lives: Vec<Life>,
    inside: Span,
}

/// The order of the elements that stay for a while, and of the empty pops, which are sorted
/// by their instants.
fn nest(lives: &[Life], empties: &[Step]) -> Result<Vec<Step>, Bottomless> {
    let mut staying: Vec<(Span, &Life)> = lives
        .iter()
        .filter_map(|life| life.certain().map(|span| (span, life)))
        .collect();
    staying.sort_unstable_by_key(|(span, _)| span.from);
    let spans: Vec<Span> = staying.iter().map(|(span, _)| *span).collect();
    let pushed: Vec<u32> = staying.iter().map(|(_, life)| life.putting.from).collect();
    let mut left = Coverage::new(&spans, &pushed);
    let mut steps = Steps::default();
    let mut empties = empties.iter().peekable();
    // The elements that are there, each with the end of the component it carries.
    let mut stack: Vec<(u32, &Life)> = Vec::new();
    loop {
        let next = left.first();
        let begins = next.map_or(NEVER, |number| spans[number].from);
        if let Some(&(_, top)) = stack.last().filter(|(ends, _)| *ends <= begins) {
            steps.add(top.taking.from, top.take);
            stack.pop();
            continue;
        }
        if stack.is_empty() {
            while let Some(&(instant, empty)) = empties.next_if(|(instant, _)| *instant <= begins) {
                steps.add(instant, empty);
            }
        }
        let Some(first) = next else { break };
        let ends = left.end_of_component(first);
        let carries = |number: usize| staying[number].1.taking.to >= ends;
        let Some(bottom) = left.find_pushed_by(begins, ends, carries) else {
            let here = left.up_to(ends).map(|number| *staying[number].1);
            return Err(Bottomless {
                lives: here.collect(),
                inside: Span {
                    from: begins + 1,
                    to: ends - 1,
                },
            });
        };
        left.remove(bottom);
        let life = staying[bottom].1;
        steps.add(life.putting.from, life.put);
        stack.push((ends, life));
    }
    Ok(steps.steps)
}

/// Operations in their order, each at the latest of the invocations so far.
#[derive(Default)]
struct Steps {
    steps: Vec<Step>,
    latest: u32,
}

impl Steps {
    /// What is invoked at the end of time never happens.
    fn add(&mut self, invoked: u32, operation: Operation) {
        self.latest = self.latest.max(invoked);
        if self.latest != NEVER {
            self.steps.push((self.latest, operation));
        }
    }
}

/// The operations in order, with those elements among them that are pushed and popped at
/// once: each at the first instant at which it can be.
fn with_momentary(steps: Vec<Step>, lives: &[Life]) -> Vec<Operation> {
    let momentary = lives.iter().filter(|life| life.certain().is_none());
    let mut momentary: Vec<(u32, &Life)> = momentary
        .map(|life| (life.putting.from.max(life.taking.from), life))
        .collect();
    momentary.sort_unstable_by_key(|(instant, _)| *instant);
    let mut momentary = momentary.into_iter().peekable();
    let mut order = Vec::with_capacity(steps.len() + 2 * momentary.len());
    let place = |order: &mut Vec<Operation>, life: &Life| order.extend([life.put, life.take]);
    for (instant, operation) in steps {
        while let Some((_, life)) = momentary.next_if(|(other, _)| *other < instant) {
            place(&mut order, life);
        }
        order.push(operation);
    }
    momentary.for_each(|(_, life)| place(&mut order, life));
    order
}
