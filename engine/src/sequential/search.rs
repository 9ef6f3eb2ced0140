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
//! *Order.*  The operation that returned first is tried first, then what makes it legal: most
//! histories are nearly linearizable.  A dead end far back is found late, though, since nothing
//! has to be placed by any time.  So the search runs first with a *window*: no operation is
//! placed that was invoked more than so many events after one that waits returned.  That
//! misses orders, so it proves nothing if it fails, but what it finds is an order.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use rustc_hash::FxBuildHasher;

use super::threads::{Operation, Threads};
use crate::search::budget::{Budget, Exhausted};
use crate::search::history::Class;
use crate::search::model::{State, Transitions, ILLEGAL};

/// In a choice: take an optional operation of this group.
const OPTIONAL: u32 = 1 << 31;

/// Windows, in events, and steps allowed in each for every operation.
const WINDOWS: [u32; 4] = [16, 128, 1024, 16384];
const WINDOW_STEPS: u64 = 4;

/// Below so many operations windows save nothing.
const WINDOWS_FROM: usize = 64;

/// Steps allowed to show that one key alone has no order.
const KEY_STEPS: u64 = 200_000;

/// Steps allowed to find a telling dead end.
const EXPLAINING_STEPS: u64 = 20_000;

/// So many operations placed last are told of.
const LAST_MAX: usize = 8;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// An order of all completed operations and some optional ones, as invocation events.
    Order(Vec<u32>),
    Nothing(Stuck),
    Unknown {
        exhausted: Exhausted,
        placed: usize,
    },
}

/// The farthest that any order got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stuck {
    pub placed: usize,
    /// The next operation of each process that is not done, as its invocation event, and the
    /// state of its key.
    pub next: Vec<(u32, State)>,
    /// The operation whose state nobody is left to make, where that is the reason.
    pub orphan: Option<u32>,
    /// The operations on one key are enough to see it.
    pub key: Option<u32>,
    /// The last completed operations placed, as invocation events.
    pub last: Vec<u32>,
}

/// Decides: windows first, then each key alone, then everything.
pub fn decide<T: Transitions>(
    threads: &Threads,
    initial: State,
    model: &mut T,
    budget: &Budget,
) -> Found {
    let operations = threads.len() as u64;
    let mut best = 0;
    if threads.len() >= WINDOWS_FROM {
        for window in WINDOWS {
            let limited = budget.with_steps(10_000 + WINDOW_STEPS * operations);
            let found = Search::new(threads, initial, model, Some(window)).run(&limited);
            match found {
                Found::Order(_) => return found,
                Found::Unknown { exhausted, placed } => {
                    best = best.max(placed);
                    if exhausted != Exhausted::Steps {
                        return Found::Unknown {
                            exhausted,
                            placed: best,
                        };
                    }
                }
                Found::Nothing(stuck) if stuck.orphan.is_some() => return Found::Nothing(stuck),
                _ => {}
            }
        }
        for key in 0..threads.keys as u32 {
            let alone = threads.of_key(key);
            let limited = budget.with_steps(KEY_STEPS);
            if let Found::Nothing(stuck) = Search::new(&alone, initial, model, None).run(&limited) {
                let mut stuck = farthest(&alone, initial, model, budget, stuck);
                stuck.key = Some(key);
                return Found::Nothing(stuck);
            }
        }
    }
    match Search::new(threads, initial, model, None).run(budget) {
        Found::Nothing(stuck) => Found::Nothing(farthest(threads, initial, model, budget, stuck)),
        Found::Unknown { exhausted, placed } => Found::Unknown {
            exhausted,
            placed: placed.max(best),
        },
        found => found,
    }
}

/// Where it is told that there is no order: the farthest that one gets which walks into what
/// the search sees coming (3), with a bounded effort.
fn farthest<T: Transitions>(
    threads: &Threads,
    initial: State,
    model: &mut T,
    budget: &Budget,
    stuck: Stuck,
) -> Stuck {
    if stuck.orphan.is_some() {
        return stuck;
    }
    let mut search = Search::new(threads, initial, model, None);
    search.balance = None;
    let limited = budget.with_steps(EXPLAINING_STEPS + 2 * threads.len() as u64);
    let found = match search.run(&limited) {
        Found::Nothing(found) => found,
        _ => std::mem::take(&mut search.farthest),
    };
    if found.placed > stuck.placed {
        found
    } else {
        stuck
    }
}

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
struct Placed {
    choice: u32,
    before: State,
}

struct Search<'a, T: Transitions> {
    threads: &'a Threads,
    model: &'a mut T,
    window: Option<u32>,
    // The configuration.
    position: Vec<u32>,
    state: Vec<State>,
    taken: Vec<u32>,
    /// A key whose next operation must need the optional one taken last, in place of this state.
    waits: Option<(u32, State)>,
    digest: u128,
    // What follows from it.
    /// The processes that are not done, by the return of their next operation.
    next: BTreeSet<(u32, u32)>,
    /// The processes whose next operation is on a key.
    at_key: Vec<Vec<u32>>,
    /// Operations of each key that are not placed, optional ones counted.
    left: Vec<u32>,
    available: Vec<u32>,
    balance: Option<Balance>,
    // The search.
    frames: Vec<Frame>,
    choices: Vec<u32>,
    placed: Vec<Placed>,
    failed: HashSet<u128, BuildHasherDefault<Halves>>,
    forgotten: u32,
    farthest: Stuck,
    /// The groups that each process lets in, and after how many operations.
    lets_in: Vec<Vec<(u32, u32)>>,
}

impl<'a, T: Transitions> Search<'a, T> {
    fn new(threads: &'a Threads, initial: State, model: &'a mut T, window: Option<u32>) -> Self {
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
            failed: HashSet::default(),
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

    fn run(&mut self, budget: &Budget) -> Found {
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
        self.failed = HashSet::default();
        Ok(())
    }

    fn upcoming(&self, process: u32) -> Option<&'a Operation> {
        self.threads.processes[process as usize].get(self.position[process as usize] as usize)
    }

    /// The latest invocation that may be placed now.
    fn horizon(&self) -> u32 {
        match (self.window, self.next.first()) {
            (Some(window), Some((returned, _))) => returned.saturating_add(window),
            _ => u32::MAX,
        }
    }

    /// The name under which the configuration is remembered when it fails.
    fn name(&self) -> u128 {
        match self.waits {
            Some((key, state)) => self.digest.wrapping_add(scrambled(3, key, state)),
            None => self.digest,
        }
    }

    /// The next operation of `process` comes to stand in the indexes.
    fn enter(&mut self, process: u32) {
        if let Some(operation) = self.upcoming(process) {
            self.next.insert((operation.returned, process));
            self.at_key[operation.key as usize].push(process);
        }
    }

    fn leave(&mut self, process: u32) {
        if let Some(operation) = self.upcoming(process) {
            self.next.remove(&(operation.returned, process));
            let waiting = &mut self.at_key[operation.key as usize];
            let place = waiting.iter().rposition(|&p| p == process);
            waiting.swap_remove(place.expect("it waits there"));
        }
    }

    /// Makes the optional operations available that come right behind this position, or not.
    fn let_in(&mut self, process: u32, change: i32) {
        let position = self.position[process as usize];
        let row = &self.lets_in[process as usize];
        let first = row.partition_point(|&(after, _)| after < position);
        for &(after, group) in &row[first..] {
            if after > position {
                break;
            }
            let available = &mut self.available[group as usize];
            *available = available.wrapping_add_signed(change);
        }
    }

    fn hold(&mut self, key: u32, state: State) {
        let before = self.state[key as usize];
        self.digest = self
            .digest
            .wrapping_sub(scrambled(1, key, before))
            .wrapping_add(scrambled(1, key, state));
        self.state[key as usize] = state;
    }

    fn place(&mut self, process: u32, state: State) {
        let operation = *self.upcoming(process).expect("it is not done");
        let before = self.state[operation.key as usize];
        self.leave(process);
        let position = &mut self.position[process as usize];
        self.digest = self.digest.wrapping_add(scrambled(0, process, *position));
        *position += 1;
        self.enter(process);
        self.let_in(process, 1);
        self.left[operation.key as usize] -= 1;
        if let Some(balance) = &mut self.balance {
            balance.change(operation.key, operation.class, -1, true);
        }
        if state != before {
            self.hold(operation.key, state);
        }
        self.placed.push(Placed {
            choice: process,
            before,
        });
    }

    fn take_optional(&mut self, group: u32, state: State) {
        let (key, class) = {
            let group = &self.threads.groups[group as usize];
            (group.key, group.class)
        };
        let before = self.state[key as usize];
        let taken = &mut self.taken[group as usize];
        self.digest = self.digest.wrapping_add(scrambled(2, group, *taken));
        *taken += 1;
        self.left[key as usize] -= 1;
        if let Some(balance) = &mut self.balance {
            balance.change(key, class, -1, false);
        }
        self.hold(key, state);
        self.waits = Some((key, before));
        self.placed.push(Placed {
            choice: OPTIONAL | group,
            before,
        });
    }

    /// Takes the last step back.  The digest is put back by the caller.
    fn take_back(&mut self) {
        let Placed { choice, before } = self.placed.pop().expect("something was placed");
        let (key, class) = if choice & OPTIONAL == 0 {
            self.leave(choice);
            self.let_in(choice, -1);
            self.position[choice as usize] -= 1;
            self.enter(choice);
            let operation = self.upcoming(choice).expect("it was placed");
            (operation.key, operation.class)
        } else {
            let group = &self.threads.groups[(choice & !OPTIONAL) as usize];
            self.taken[(choice & !OPTIONAL) as usize] -= 1;
            (group.key, group.class)
        };
        self.left[key as usize] += 1;
        if let Some(balance) = &mut self.balance {
            balance.change(key, class, 1, choice & OPTIONAL == 0);
        }
        self.state[key as usize] = before;
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

    /// Remembers the farthest configuration, for the explanation.
    fn note(&mut self) {
        if !self.farthest.next.is_empty() && self.placed.len() <= self.farthest.placed {
            return;
        }
        let next = self.next.iter().map(|&(_, process)| {
            let operation = self.upcoming(process).expect("it is not done");
            (operation.invoked, self.state[operation.key as usize])
        });
        let next = next.collect();
        self.farthest = Stuck {
            placed: self.placed.len(),
            next,
            orphan: None,
            key: None,
            last: self.last(),
        };
    }

    /// The last completed operations placed, the latest last.
    fn last(&self) -> Vec<u32> {
        let mut back: HashMap<u32, u32> = HashMap::new();
        let completed = self.placed.iter().rev().map(|placed| placed.choice);
        let completed = completed.filter(|choice| choice & OPTIONAL == 0);
        let name = |process: u32| {
            let back = back.entry(process).or_insert(0);
            *back += 1;
            let place = self.position[process as usize] - *back;
            self.threads.processes[process as usize][place as usize].invoked
        };
        let mut last: Vec<u32> = completed.take(LAST_MAX).map(name).collect();
        last.reverse();
        last
    }

    /// An operation that needs a state which is not there and which nobody makes.
    fn orphan(&self) -> Option<u32> {
        let balance = self.balance.as_ref()?;
        let all = self.threads.processes.iter().flatten();
        all.filter(|operation| {
            balance.needs(operation.class).is_some_and(|needed| {
                needed != self.state[operation.key as usize]
                    && balance.made(operation.key, needed) == 0
            })
        })
        .map(|operation| operation.invoked)
        .min()
    }

    /// The steps so far as invocation events.  Of a group, all members that are available are
    /// alike, so the first is named.
    fn order(&self) -> Vec<u32> {
        let mut position = vec![0; self.position.len()];
        let mut used: Vec<Vec<bool>> = self
            .threads
            .groups
            .iter()
            .map(|group| vec![false; group.members.len()])
            .collect();
        let mut name = |placed: &Placed| {
            if placed.choice & OPTIONAL == 0 {
                let process = placed.choice as usize;
                position[process] += 1;
                return self.threads.processes[process][position[process] - 1].invoked;
            }
            let group = (placed.choice & !OPTIONAL) as usize;
            let members = &self.threads.groups[group].members;
            let free = (0..members.len()).find(|&number| {
                let member = members[number];
                !used[group][number] && member.after as usize <= position[member.process as usize]
            });
            let free = free.expect("no more were taken than are available");
            used[group][free] = true;
            members[free].invoked
        };
        self.placed.iter().map(&mut name).collect()
    }
}

/// How many operations left need each state of each key, and how many make it.
struct Balance {
    needs: Vec<Option<State>>,
    makes: Vec<Option<State>>,
    needed: HashMap<(u32, State), u32, FxBuildHasher>,
    made: HashMap<(u32, State), u32, FxBuildHasher>,
}

impl Balance {
    /// None where some operation changes states and does not make a known one.
    fn of<T: Transitions>(threads: &Threads, model: &T) -> Option<Balance> {
        let completed = threads.processes.iter().flatten();
        let completed = completed.map(|operation| (operation.key, operation.class, true));
        let optional = threads.groups.iter();
        let optional = optional.flat_map(|group| {
            group
                .members
                .iter()
                .map(|_| (group.key, group.class, false))
        });
        let all: Vec<(u32, Class, bool)> = completed.chain(optional).collect();
        let classes = all.iter().map(|&(_, class, _)| class as usize + 1).max();
        let mut balance = Balance {
            needs: vec![None; classes.unwrap_or(0)],
            makes: vec![None; classes.unwrap_or(0)],
            needed: HashMap::default(),
            made: HashMap::default(),
        };
        for &(_, class, _) in &all {
            let makes = model.writes(class);
            if !model.read_only(class) {
                makes?;
                balance.makes[class as usize] = makes;
            }
            balance.needs[class as usize] = model.needs(class);
        }
        for (key, class, completed) in all {
            balance.change(key, class, 1, completed);
        }
        Some(balance)
    }

    fn needs(&self, class: Class) -> Option<State> {
        self.needs[class as usize]
    }

    fn made(&self, key: u32, state: State) -> u32 {
        self.made.get(&(key, state)).copied().unwrap_or(0)
    }

    /// One operation more or less is left.  What is optional needs nothing.
    fn change(&mut self, key: u32, class: Class, by: i32, completed: bool) {
        if let (Some(state), true) = (self.needs[class as usize], completed) {
            let count = self.needed.entry((key, state)).or_insert(0);
            *count = count.wrapping_add_signed(by);
        }
        if let Some(state) = self.makes[class as usize] {
            let count = self.made.entry((key, state)).or_insert(0);
            *count = count.wrapping_add_signed(by);
        }
    }

    /// Whether `key` may leave `state` by an operation of `class`: nobody else needs it, or
    /// somebody is left to make it.
    fn may_leave(&self, key: u32, state: State, class: Class, completed: bool) -> bool {
        let needed = self.needed.get(&(key, state)).copied().unwrap_or(0);
        let own = u32::from(completed && self.needs[class as usize] == Some(state));
        needed <= own || self.made(key, state) > 0
    }
}

/// 128 bits that look random, by the finalizer of SplitMix64 (Steele, Lea & Flood 2014).
fn scrambled(kind: u64, a: u32, b: u32) -> u128 {
    let number = u64::from(a) << 32 | u64::from(b);
    let half = |seed: u64| {
        let mut word = number ^ seed.wrapping_mul(0xd6e8_feb8_6659_fd93);
        for _ in 0..2 {
            word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
        }
        word
    };
    u128::from(half(2 * kind + 1)) << 64 | u128::from(half(2 * kind + 2))
}

/// A digest is its own hash.
#[derive(Default)]
struct Halves(u64);

impl Hasher for Halves {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only digests are hashed")
    }

    fn write_u128(&mut self, digest: u128) {
        self.0 = (digest >> 64) as u64 ^ digest as u64;
    }
}
