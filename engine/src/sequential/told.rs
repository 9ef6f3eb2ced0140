//! What a search tells: an order, or how far one gets.

use std::collections::HashMap;

use super::search::{Placed, Search, OPTIONAL};
use crate::search::budget::Exhausted;
use crate::search::model::{State, Transitions};

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

impl<T: Transitions> Search<'_, T> {
    /// Remembers the farthest configuration, for the explanation.
    pub(super) fn note(&mut self) {
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
    pub(super) fn last(&self) -> Vec<u32> {
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
    pub(super) fn orphan(&self) -> Option<u32> {
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
    pub(super) fn order(&self) -> Vec<u32> {
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
