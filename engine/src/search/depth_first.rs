//! Just-in-time linearization, depth first.  This file is the hot loop.
//!
//! A configuration is `(position, state, linearized, used)`: the next return, the model's
//! state, the open operations already linearized, and how many crashed operations of each
//! class have been consumed.  At the return of `x`, if `x` is linearized it is forgotten;
//! else some open operation is linearized now, `x` itself if possible, until `x` is.
//!
//! *Complete*: in any linearization, postpone every operation to the latest return that
//! needs it.  What precedes `x` in the order and is not placed yet was invoked before `x`
//! returned and has not returned itself, so it is open.  (Wing & Gong 1993; Lowe, "Testing
//! for linearizability", 2017.)
//!
//! *Prunings*, each with its reason:
//!
//! 1. An operation that is read-only in every state is linearized as soon as it is legal:
//!    moving it to this point of any linearization changes no state that others see.
//! 2. A configuration that failed is not entered again, nor one that it dominates
//!    (`failed.rs`).  One on the stack cannot be met again, since each step linearizes
//!    something, so it is enough to remember a configuration when it is left.
//! 3. A crashed operation `y`, taken in state `s`, must be *justified* by the next
//!    operation `z`: if `z` takes `s` to the same state as it takes the state after `y`,
//!    then skipping `y` leads to the same configuration with one crashed operation less.
//!    Configurations may thereby be remembered as failed although only a wasteful
//!    linearization exists below them; but none of these lies on a linearization that
//!    consumes the fewest crashed operations, so one is still found if any exists.
//! 4. Of open operations that do the same to every state, only the one that returns first is
//!    tried, and a crashed one only if no other is left.  Both have been invoked, so in a
//!    linearization that places the other one here they can change places: the one that
//!    returns first then comes earlier than it did, and the other where that one stood,
//!    before the earlier of their two returns.
//! 5. A crashed operation that changes nothing in this state is not taken, for the reason
//!    given in 3; one that is read-only is never taken.
//!
//! Cost: one step per operation and configuration visited; a step looks at the open
//! operations only (at most the number of clients), never at the length of the history.

use super::bits::Bits;
use super::budget::{Budget, Exhausted};
use super::crashed::Pool;
use super::failed::Failed;
use super::frontier::{Dead, Frontier};
use super::history::{Completed, KeyHistory, Return};
use super::model::{State, Transitions, ILLEGAL};
use super::outcome::Outcome;
use super::suspension::{fingerprint, NOTHING, UNASKED};

/// No state: the last operation taken was not a crashed one.
const NONE: State = ILLEGAL;

/// In a choice: take a crashed operation of this class rather than the operation in a slot.
pub(super) const CRASHED: u32 = 1 << 31;

/// A configuration with alternatives left, and what is needed to come back to it.
#[derive(Clone, Copy)]
pub(super) struct Frame<B> {
    pub(super) position: u32,
    pub(super) state: State,
    /// The state before the crashed operation taken last, to be justified, or `NONE`.
    pub(super) unjustified: State,
    /// Length of the linearization so far.
    pub(super) placed: u32,
    /// Where the alternatives begin in `Search::choices`; `UNGATHERED` before they are asked
    /// for, which most frames never are.
    pub(super) choices: u32,
    /// The choice being tried now.
    pub(super) current: u32,
    pub(super) linearized: B,
}

pub(super) const UNGATHERED: u32 = UNASKED;

pub(super) struct Search<'a, B: Bits, T: Transitions + ?Sized> {
    pub(super) key: &'a KeyHistory,
    pub(super) model: &'a mut T,
    // The configuration.
    pub(super) position: u32,
    pub(super) state: State,
    pub(super) unjustified: State,
    pub(super) linearized: B,
    pub(super) crashed: Pool,
    // What follows from the position.
    pub(super) open: B,
    pub(super) readers: B,
    pub(super) in_slot: Vec<u32>,
    // The search.
    pub(super) frames: Vec<Frame<B>>,
    pub(super) choices: Vec<u32>,
    /// Room for `gather_choices`, kept to save allocations.
    pub(super) waiting: Vec<(u32, u32, u16)>,
    pub(super) ranked: Vec<(u64, u32)>,
    /// The linearization so far: operations, or crashed classes marked `CRASHED`.
    pub(super) order: Vec<u32>,
    pub(super) failed: Failed<B>,
    pub(super) frontier: Frontier,
    pub(super) forgotten: u32,
}

/// Decides one key, from where an earlier search of it was suspended, if one was.
pub fn search<B: Bits, T: Transitions + ?Sized>(
    key: &KeyHistory,
    initial: State,
    model: &mut T,
    budget: &Budget,
) -> Outcome {
    if key.returns.is_empty() {
        return Search::<B, T>::new(key, initial, model).success();
    }
    let earlier = budget.earlier.as_deref();
    let earlier = earlier.filter(|earlier| earlier.key == fingerprint(key, model));
    if let Some(earlier) = earlier {
        let mut search = Search::<B, T>::new(key, initial, model);
        search.recall(earlier, budget);
        if search.repeat(earlier) {
            return search.run(budget, earlier.visited);
        }
    }
    let mut search = Search::<B, T>::new(key, initial, model);
    search.open_up_to(key.returns[0].opened, 0);
    search.run(budget, 0)
}

impl<'a, B: Bits, T: Transitions + ?Sized> Search<'a, B, T> {
    fn new(key: &'a KeyHistory, initial: State, model: &'a mut T) -> Self {
        let crashed = Pool::new(key, model);
        Search {
            key,
            model,
            position: 0,
            state: initial,
            unjustified: NONE,
            linearized: B::empty(),
            open: B::empty(),
            readers: B::empty(),
            in_slot: vec![0; key.width],
            failed: Failed::new(crashed.consumed().len(), crashed.counts()),
            crashed,
            frames: Vec::new(),
            choices: Vec::new(),
            waiting: Vec::new(),
            ranked: Vec::new(),
            order: Vec::with_capacity(key.completed.len()),
            frontier: Frontier::default(),
            forgotten: 0,
        }
    }

    /// Searches on; `visited` configurations were visited in earlier calls.
    fn run(&mut self, budget: &Budget, visited: u64) -> Outcome {
        let (mut steps, mut check_at) = (0, budget.next_check(0));
        self.failed.allow(budget.bytes());
        // It may have been suspended between two choices.
        let between = |frame: &Frame<B>| frame.current == NOTHING;
        let mut entered = !self.frames.last().is_some_and(between);
        loop {
            if entered {
                self.pass_returns();
                if self.position as usize == self.key.returns.len() {
                    return self.success();
                }
                steps += 1;
                if steps >= check_at || self.model.pressing() {
                    if let Err(exhausted) = self.check(budget, steps) {
                        return self.suspended(exhausted, visited + steps - 1, budget);
                    }
                    check_at = budget.next_check(steps);
                }
                let known = self.failed.dominates(
                    self.position,
                    self.state,
                    self.linearized,
                    self.crashed.consumed(),
                );
                entered = !known && self.push_frame();
            }
            if !entered {
                entered = self.next_choice();
            }
            if !entered {
                if self.frames.is_empty() {
                    return self.failure();
                }
                if let Err(exhausted) = self.check(budget, steps) {
                    return self.suspended(exhausted, visited + steps, budget);
                }
            }
        }
    }

    /// Looks at the limits; forgets failures before it gives up for want of memory.
    fn check(&mut self, budget: &Budget, steps: u64) -> Result<(), Exhausted> {
        self.model.pause();
        if self.model.broken() {
            return Err(Exhausted::Broken);
        }
        if self.model.short_of_memory() {
            return Err(Exhausted::Memory);
        }
        budget.check_time()?;
        budget.check_steps(steps)?;
        let stacks = self.frames.capacity() * size_of::<Frame<B>>()
            + (self.choices.capacity() + self.order.capacity() + self.frontier.longest.capacity())
                * 4
            + self.model.bytes();
        let table = self.failed.bytes();
        let allowed = budget.bytes();
        self.failed.allow(allowed.saturating_sub(stacks));
        if stacks + table <= allowed && !self.failed.is_full() {
            return Ok(());
        }
        self.forgotten += 1;
        if self.forgotten > 8 || stacks + table / 4 > allowed {
            return Err(Exhausted::Memory);
        }
        self.failed.clear();
        Ok(())
    }

    /// Admits the operations up to `end` that were invoked, beginning with `first`.
    #[inline]
    pub(super) fn open_up_to(&mut self, end: u32, first: u32) {
        for operation in first..end {
            let Completed { class, slot } = self.key.completed[operation as usize];
            self.in_slot[usize::from(slot)] = operation;
            self.open.add(slot);
            if self.model.read_only(class) {
                self.readers.add(slot);
                if self.model.step(self.state, class) != ILLEGAL {
                    self.linearized.add(slot);
                    self.order.push(operation);
                }
            } else {
                self.readers.remove(slot);
            }
        }
        self.crashed.advance(self.key, self.position);
    }

    /// Forgets what has been linearized and returns now, and lets new operations in.
    #[inline]
    pub(super) fn pass_returns(&mut self) {
        let returns = &self.key.returns;
        while let Some(&Return { operation, opened }) = returns.get(self.position as usize) {
            let slot = self.key.completed[operation as usize].slot;
            if !self.linearized.has(slot) {
                break;
            }
            self.linearized.remove(slot);
            self.open.remove(slot);
            self.position += 1;
            if let Some(next) = returns.get(self.position as usize) {
                self.open_up_to(next.opened, opened);
            }
        }
    }

    /// Linearizes what is read-only and has become legal in the present state.
    #[inline]
    fn absorb_readers(&mut self) {
        let mut waiting = self.open.and(&self.readers).minus(&self.linearized);
        while let Some(slot) = waiting.pop() {
            let operation = self.in_slot[usize::from(slot)];
            if self
                .model
                .step(self.state, self.key.completed[operation as usize].class)
                != ILLEGAL
            {
                self.linearized.add(slot);
                self.order.push(operation);
                // It was illegal before the state changed, or it would be linearized.
                self.unjustified = NONE;
            }
        }
    }

    /// Makes the present configuration one to come back to, and enters the first one below
    /// it: where the operation that returns next is linearized, if that is legal.
    fn push_frame(&mut self) -> bool {
        self.frames.push(Frame {
            position: self.position,
            state: self.state,
            unjustified: self.unjustified,
            placed: self.order.len() as u32,
            choices: UNGATHERED,
            current: 0,
            linearized: self.linearized,
        });
        let returning = self.key.returns[self.position as usize].operation;
        self.take(u32::from(self.key.completed[returning as usize].slot))
    }

    /// Enters the next untried configuration, nearest first; false if there is none, or if
    /// the model asks for a look at the limits, and then frames are left.
    fn next_choice(&mut self) -> bool {
        while let Some(frame) = self.frames.last() {
            if self.order.len() != frame.placed as usize {
                self.come_back();
            }
            if self.model.pressing() {
                self.frames.last_mut().expect("still there").current = NOTHING;
                return false;
            }
            let gathered = self.choices.len() as u32;
            let frame = self.frames.last_mut().expect("still there");
            if frame.choices == UNGATHERED {
                frame.choices = gathered;
                self.gather_choices();
            }
            let first = self.frames.last().expect("still there").choices as usize;
            while self.choices.len() > first {
                let choice = self.choices.pop().expect("not empty");
                if self.take(choice) {
                    return true;
                }
            }
            self.leave_frame();
        }
        false
    }

    /// Restores the configuration of the last frame.
    fn come_back(&mut self) {
        let frame = *self
            .frames
            .last()
            .expect("there is a frame to come back to");
        while self.position > frame.position {
            self.position -= 1;
            let operation = self.key.returns[self.position as usize].operation;
            self.close_after(self.position);
            let Completed { class, slot } = self.key.completed[operation as usize];
            self.in_slot[usize::from(slot)] = operation;
            self.open.add(slot);
            if self.model.read_only(class) {
                self.readers.add(slot);
            } else {
                self.readers.remove(slot);
            }
        }
        self.crashed.retreat(self.key, frame.position);
        if frame.current & CRASHED != 0 {
            self.crashed.give_back();
        }
        self.state = frame.state;
        self.unjustified = frame.unjustified;
        self.linearized = frame.linearized;
        self.order.truncate(frame.placed as usize);
        self.frontier.truncated(frame.placed as usize);
    }

    /// Takes the operations out again that were let in after the return at `position`.
    fn close_after(&mut self, position: u32) {
        let first = self.key.returns[position as usize].opened;
        let end = self
            .key
            .returns
            .get(position as usize + 1)
            .map_or(first, |next| next.opened);
        for operation in first..end {
            self.open
                .remove(self.key.completed[operation as usize].slot);
        }
    }

    /// Takes one choice in the present configuration, unless it is illegal or pointless.
    #[inline]
    pub(super) fn take(&mut self, choice: u32) -> bool {
        let class = if choice & CRASHED == 0 {
            self.key.completed[self.in_slot[choice as usize] as usize].class
        } else {
            self.crashed.class(choice & !CRASHED)
        };
        let next = self.model.step(self.state, class);
        if next == ILLEGAL {
            return false;
        }
        if self.unjustified != NONE && self.model.step(self.unjustified, class) == next {
            return false;
        }
        self.frames
            .last_mut()
            .expect("choices belong to a frame")
            .current = choice;
        if choice & CRASHED == 0 {
            self.linearized.add(choice as u16);
            self.order.push(self.in_slot[choice as usize]);
            self.unjustified = NONE;
        } else {
            self.crashed.take(choice & !CRASHED);
            self.order.push(choice);
            self.unjustified = self.state;
        }
        if next != self.state {
            self.state = next;
            self.absorb_readers();
        }
        true
    }

    /// Lists the alternatives to linearizing the returning operation at once, the most
    /// promising last: what makes it legal before the rest, completed before crashed,
    /// earliest return first.
    fn gather_choices(&mut self) {
        let returning = self.key.returns[self.position as usize].operation;
        let Completed {
            class: goal,
            slot: returning_slot,
        } = self.key.completed[returning as usize];
        // The operations to choose from, of those alike the one that returns first.
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.clear();
        let mut rest = self.open.minus(&self.linearized).minus(&self.readers);
        while let Some(slot) = rest.pop() {
            let operation = self.in_slot[usize::from(slot)] as usize;
            let alike = self.model.alike(self.key.completed[operation].class);
            waiting.push((alike, self.key.deadline[operation], slot));
        }
        waiting.sort_unstable();
        waiting.dedup_by_key(|(alike, _, _)| *alike);
        let mut ranked = std::mem::take(&mut self.ranked);
        ranked.clear();
        for (number, class) in self.crashed.takable() {
            let next = self.model.step(self.state, class);
            if next == ILLEGAL || next == self.state {
                continue;
            }
            let alike = self.model.alike(class);
            if waiting
                .binary_search_by_key(&alike, |(alike, _, _)| *alike)
                .is_ok()
            {
                continue;
            }
            let helps = self.model.step(next, goal) != ILLEGAL;
            let rank = if helps { 2 } else { 3 };
            ranked.push((rank << 32, CRASHED | number));
        }
        for &(_, deadline, slot) in &waiting {
            let operation = self.in_slot[usize::from(slot)] as usize;
            let class = self.key.completed[operation].class;
            let next = self.model.step(self.state, class);
            if slot == returning_slot || next == ILLEGAL {
                continue;
            }
            let helps = self.model.step(next, goal) != ILLEGAL;
            ranked.push((
                u64::from(!helps) << 32 | u64::from(deadline),
                u32::from(slot),
            ));
        }
        ranked.sort_unstable_by(|a, b| b.cmp(a));
        self.choices.extend(ranked.iter().map(|(_, choice)| choice));
        self.waiting = waiting;
        self.ranked = ranked;
    }

    /// All choices of the last frame failed, so its configuration did.
    fn leave_frame(&mut self) {
        let frame = self.frames.pop().expect("a frame to leave");
        self.failed.insert(
            frame.position,
            frame.state,
            frame.linearized,
            self.crashed.consumed(),
        );
        let dead = || {
            let mut members = frame.linearized;
            let slots = std::iter::from_fn(|| members.pop());
            Dead {
                state: frame.state,
                told: None,
                linearized: slots.map(|slot| self.in_slot[usize::from(slot)]).collect(),
                taken: self.crashed.taken().to_vec(),
            }
        };
        self.frontier.note(frame.position, &self.order, dead);
    }
}
