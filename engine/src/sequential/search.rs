//! The search for an order that keeps each process's own, depth first.
//!
//! A configuration is the next operation of every process, the state of every key, and how
//! many optional operations of each group have been taken.  A step places the next operation
//! of some process, or an optional one.
//!
//! *Prunings*, each with its reason:
//!
//! 1. The next operation of a process that is read-only in every state is placed as soon as
//!    it is legal.  Moved to this point of any order that goes on from here, it still stands
//!    behind what its process did before and in front of what comes after, and it changes no
//!    state that others see.
//! 2. So is one on a key that no other operation is left on: nothing in between can see or
//!    make a difference.  If it is illegal, there is no way on: only it could change the state.
//! 3. *Needed states.*  Where some operation left is legal in one state only, and no operation
//!    left makes that state, the key must not leave it.  (Asked only where every operation
//!    that changes states makes one known state.)
//! 4. An optional operation `y` is taken right before the next operation `z` on its key, which
//!    must *need* it: without `y`, `z` would be illegal or lead to another state.  Take an
//!    order with the fewest optional operations.  Nobody waits for `y`, and operations on
//!    other keys neither see nor hinder it, so it can be moved behind those up to `z`; if
//!    there is no `z` or it does not need `y`, the order without `y` has one fewer.
//!    While a configuration waits for its `z`, that is part of it, so it is not mistaken
//!    for one that does not.
//! 5. A configuration that failed is not entered again.  It is remembered by a digest of 128
//!    bits, a sum of scrambled numbers, one for each operation placed, each state held and
//!    each optional operation taken.  Two of n configurations share one by chance with less
//!    than n² / 2^129: below 10^-19 for 10^9 of them, more than memory holds.  Forgetting all
//!    is sound, it only repeats work.
//!
//! What a step changes is in `steps`, what is told in `told`, and which searches are made in
//! `decide`.

use std::collections::BTreeSet;

use super::balance::Balance;
use super::digest::Digests;
use super::threads::Threads;
use super::told::{Found, Stuck};
use crate::search::budget::{Budget, Exhausted};
use crate::search::history::Class;
use crate::search::model::{State, Transitions, ILLEGAL};

/// In a choice: take an optional operation of this group.
pub(super) const OPTIONAL: u32 = 1 << 31;

/// A configuration with alternatives left.
#[derive(Clone, Copy)]
struct Frame {
    placed: u32,
    digest: u128,
    waits: Option<(u32, State)>,
    /// Where the alternatives begin in `Search::choices`, once they were gathered.
    choices: Option<u32>,
}

/// A step that was taken, and the state of its key before.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    pub(super) choice: u32,
    pub(super) before: State,
}

pub(super) struct Search<'a, T: Transitions> {
    pub(super) threads: &'a Threads,
    pub(super) model: &'a mut T,
    pub(super) window: Option<u32>,
    // The configuration.
    pub(super) position: Vec<u32>,
    pub(super) state: Vec<State>,
    pub(super) taken: Vec<u32>,
    /// A key whose next operation must need the optional one taken last, in place of this state.
    pub(super) waits: Option<(u32, State)>,
    pub(super) digest: u128,
    // What follows from it.
    /// The processes that are not done, by the return of their next operation.
    pub(super) next: BTreeSet<(u32, u32)>,
    /// The processes whose next operation is on a key.
    pub(super) at_key: Vec<Vec<u32>>,
    /// Operations of each key that are not placed, optional ones counted.
    pub(super) left: Vec<u32>,
    pub(super) available: Vec<u32>,
    pub(super) balance: Option<Balance>,
    // The search.
    frames: Vec<Frame>,
    pub(super) choices: Vec<u32>,
    pub(super) placed: Vec<Placed>,
    pub(super) failed: Digests,
    pub(super) forgotten: u32,
    pub(super) farthest: Stuck,
    /// The groups that each process lets in, and after how many operations.
    pub(super) lets_in: Vec<Vec<(u32, u32)>>,
}

impl<'a, T: Transitions> Search<'a, T> {
    pub(super) fn new(
        threads: &'a Threads,
        initial: State,
        model: &'a mut T,
        window: Option<u32>,
    ) -> Self {
        let processes = threads.processes.len();
        let mut lets_in: Vec<Vec<(u32, u32)>> = vec![Vec::new(); processes];
        let mut left = vec![0; threads.keys];
        for (number, group) in threads.groups.iter().enumerate() {
            left[group.key as usize] += group.members.len() as u32;
            for member in &group.members {
                lets_in[member.process as usize].push((member.after, number as u32));
            }
        }
        for row in &threads.processes {
            for operation in row {
                left[operation.key as usize] += 1;
            }
        }
        for row in &mut lets_in {
            row.sort_unstable();
        }
        let balance = Balance::of(threads, model);
        let mut search = Search {
            threads,
            model,
            window,
            position: vec![0; processes],
            state: vec![initial; threads.keys],
            taken: vec![0; threads.groups.len()],
            waits: None,
            digest: 0,
            next: BTreeSet::new(),
            at_key: vec![Vec::new(); threads.keys],
            left,
            available: vec![0; threads.groups.len()],
            balance,
            frames: Vec::new(),
            choices: Vec::new(),
            placed: Vec::with_capacity(threads.len()),
            failed: Digests::default(),
            forgotten: 0,
            farthest: Stuck::default(),
            lets_in,
        };
        for process in 0..processes as u32 {
            search.enter(process);
            search.let_in(process, 1);
        }
        search
    }

    pub(super) fn run(&mut self, budget: &Budget) -> Found {
        if let Some(orphan) = self.orphan() {
            self.note();
            self.farthest.orphan = Some(orphan);
            return Found::Nothing(std::mem::take(&mut self.farthest));
        }
        let everybody: Vec<u32> = (0..self.position.len() as u32).collect();
        let mut alive = self.absorb(everybody);
        let (mut steps, mut check) = (0, budget.next_check(0));
        loop {
            if alive && self.next.is_empty() {
                return Found::Order(self.order());
            }
            steps += 1;
            if steps >= check {
                check = budget.next_check(steps);
                if let Err(exhausted) = self.check(budget, steps) {
                    let placed = self.farthest.placed.max(self.placed.len());
                    return Found::Unknown { exhausted, placed };
                }
            }
            let entered = alive && !self.failed.contains(&self.name()) && self.push_frame();
            if !alive {
                self.note();
            }
            alive = true;
            if !entered && !self.next_choice() {
                return Found::Nothing(std::mem::take(&mut self.farthest));
            }
        }
    }

    /// Looks at the limits; forgets failures before it gives up for want of memory.
    fn check(&mut self, budget: &Budget, steps: u64) -> Result<(), Exhausted> {
        if self.model.broken() {
            return Err(Exhausted::Broken);
        }
        budget.check_time()?;
        budget.check_steps(steps)?;
        let stacks = self.frames.capacity() * size_of::<Frame>()
            + self.placed.capacity() * size_of::<Placed>()
            + self.choices.capacity() * 4
            + self.model.bytes();
        // A table of 16 bytes and one of control bytes, at most 7/8 full.
        let table = self.failed.capacity() * 20;
        if stacks + table <= budget.bytes() {
            return Ok(());
        }
        self.forgotten += 1;
        if self.forgotten > 8 || stacks + table / 4 > budget.bytes() {
            return Err(Exhausted::Memory);
        }
        self.failed = Digests::default();
        Ok(())
    }

    /// Places what can be placed without any choice, beginning with the next operations of
    /// these processes; false where there is no way on.
    fn absorb(&mut self, mut agenda: Vec<u32>) -> bool {
        while let Some(process) = agenda.pop() {
            while let Some(&operation) = self.upcoming(process) {
                let only = self.left[operation.key as usize] == operation.left;
                let reads = self.model.read_only(operation.class);
                if !(only || reads) || operation.invoked > self.horizon() {
                    break;
                }
                let state = self.state[operation.key as usize];
                let next = self.model.step(state, operation.class);
                if next == ILLEGAL {
                    if only {
                        return false;
                    }
                    break;
                }
                if self.waits.is_some_and(|(key, _)| key == operation.key) {
                    // It was illegal before, or it would have been placed.
                    self.waits = None;
                }
                self.place(process, next);
            }
        }
        true
    }

    fn push_frame(&mut self) -> bool {
        self.frames.push(Frame {
            placed: self.placed.len() as u32,
            digest: self.digest,
            waits: self.waits,
            choices: None,
        });
        let &(_, process) = self.next.first().expect("something is left");
        self.take(process)
    }

    /// Enters the next untried configuration, nearest first; false if there is none.
    fn next_choice(&mut self) -> bool {
        while let Some(&frame) = self.frames.last() {
            self.come_back(&frame);
            let first = match frame.choices {
                Some(first) => first as usize,
                None => {
                    let first = self.choices.len();
                    self.frames.last_mut().expect("still there").choices = Some(first as u32);
                    self.gather_choices();
                    first
                }
            };
            while self.choices.len() > first {
                let choice = self.choices.pop().expect("not empty");
                if self.take(choice) {
                    return true;
                }
            }
            self.note();
            self.failed.insert(self.name());
            self.frames.pop();
        }
        false
    }

    fn come_back(&mut self, frame: &Frame) {
        while self.placed.len() > frame.placed as usize {
            self.take_back();
        }
        self.digest = frame.digest;
        self.waits = frame.waits;
    }

    /// What a choice does: the key, the class, and whether it is optional.
    fn meaning(&self, choice: u32) -> (u32, Class, u32) {
        if choice & OPTIONAL == 0 {
            let operation = self.upcoming(choice).expect("it is not done");
            (operation.key, operation.class, operation.invoked)
        } else {
            let group = &self.threads.groups[(choice & !OPTIONAL) as usize];
            (group.key, group.class, group.members[0].invoked)
        }
    }

    /// The state after a choice, or `ILLEGAL` where it is illegal or pointless.
    fn after(&mut self, choice: u32) -> State {
        let (key, class, invoked) = self.meaning(choice);
        let state = self.state[key as usize];
        if invoked > self.horizon() {
            return ILLEGAL;
        }
        let next = self.model.step(state, class);
        if next == ILLEGAL || (choice & OPTIONAL != 0 && next == state) {
            return ILLEGAL;
        }
        if let Some((waiting, before)) = self.waits {
            if key != waiting || self.model.step(before, class) == next {
                return ILLEGAL;
            }
        }
        let kept = |balance: &Balance| balance.may_leave(key, state, class, choice & OPTIONAL == 0);
        if next != state && !self.balance.as_ref().is_none_or(kept) {
            return ILLEGAL;
        }
        next
    }

    /// Takes one choice, unless it is illegal or pointless or there is no way on behind it.
    fn take(&mut self, choice: u32) -> bool {
        let next = self.after(choice);
        if next == ILLEGAL {
            return false;
        }
        let (key, _, _) = self.meaning(choice);
        let mut agenda = Vec::new();
        if choice & OPTIONAL == 0 {
            self.waits = None;
            self.place(choice, next);
            agenda.push(choice);
        } else {
            self.take_optional(choice & !OPTIONAL, next);
        }
        agenda.extend_from_slice(&self.at_key[key as usize]);
        if self.absorb(agenda) {
            return true;
        }
        self.note();
        let frame = *self.frames.last().expect("choices belong to a frame");
        self.come_back(&frame);
        false
    }

    /// Lists the alternatives to the first choice, the most promising last: what makes the
    /// operation that returned first legal, then by return; optional ones only as a help, and
    /// last of all.
    fn gather_choices(&mut self) {
        let &(_, first) = self.next.first().expect("something is left");
        let goal = *self.upcoming(first).expect("it is not done");
        let state = self.state[goal.key as usize];
        let stuck = self.model.step(state, goal.class) == ILLEGAL;
        let mut ranked: Vec<(u64, u32)> = Vec::new();
        let completed: Vec<(u32, u32)> = self.next.iter().skip(1).copied().collect();
        let optional = (0..self.taken.len() as u32)
            .filter(|&group| self.taken[group as usize] < self.available[group as usize])
            .map(|group| (u32::MAX, OPTIONAL | group));
        let optional: Vec<(u32, u32)> = optional.collect();
        for (returned, choice) in completed.into_iter().chain(optional) {
            let next = self.after(choice);
            if next == ILLEGAL {
                continue;
            }
            let (key, _, invoked) = self.meaning(choice);
            let helps = stuck
                && key == goal.key
                && invoked < goal.returned
                && self.model.step(next, goal.class) != ILLEGAL;
            let rank = match (helps, choice & OPTIONAL == 0) {
                (true, true) => 0,
                (true, false) => 1,
                (false, true) => 2,
                (false, false) => 3,
            };
            ranked.push((rank << 32 | u64::from(returned), choice));
        }
        ranked.sort_unstable_by(|a, b| b.cmp(a));
        self.choices.extend(ranked.iter().map(|(_, choice)| choice));
    }
}
