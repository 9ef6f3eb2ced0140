//! Which states of each key are still needed, and who is left to make them.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::threads::Threads;
use crate::search::history::Class;
use crate::search::model::{State, Transitions};

/// How many operations left need each state of each key, and how many make it.
pub(super) struct Balance {
    needs: Vec<Option<State>>,
    makes: Vec<Option<State>>,
    needed: HashMap<(u32, State), u32, FxBuildHasher>,
    made: HashMap<(u32, State), u32, FxBuildHasher>,
}

impl Balance {
    /// None where some operation changes states and does not make a known one.
    pub(super) fn of<T: Transitions>(threads: &Threads, model: &T) -> Option<Balance> {
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

    pub(super) fn needs(&self, class: Class) -> Option<State> {
        self.needs[class as usize]
    }

    pub(super) fn made(&self, key: u32, state: State) -> u32 {
        self.made.get(&(key, state)).copied().unwrap_or(0)
    }

    /// One operation more or less is left.  What is optional needs nothing.
    pub(super) fn change(&mut self, key: u32, class: Class, by: i32, completed: bool) {
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
    pub(super) fn may_leave(&self, key: u32, state: State, class: Class, completed: bool) -> bool {
        let needed = self.needed.get(&(key, state)).copied().unwrap_or(0);
        let own = u32::from(completed && self.needs[class as usize] == Some(state));
        needed <= own || self.made(key, state) > 0
    }
}
