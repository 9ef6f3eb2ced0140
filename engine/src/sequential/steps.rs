//! From one configuration to the next and back, and what follows from a configuration.

use super::digest::scrambled;
use super::search::{Placed, Search, OPTIONAL};
use super::threads::Operation;
use crate::search::model::{State, Transitions};

impl<'a, T: Transitions> Search<'a, T> {
    pub(super) fn upcoming(&self, process: u32) -> Option<&'a Operation> {
        self.threads.processes[process as usize].get(self.position[process as usize] as usize)
    }

    /// The latest invocation that may be placed now.
    pub(super) fn horizon(&self) -> u32 {
        match (self.window, self.next.first()) {
            (Some(window), Some((returned, _))) => returned.saturating_add(window),
            _ => u32::MAX,
        }
    }

    /// The name under which the configuration is remembered when it fails.
    pub(super) fn name(&self) -> u128 {
        match self.waits {
            Some((key, state)) => self.digest.wrapping_add(scrambled(3, key, state)),
            None => self.digest,
        }
    }

    /// The next operation of `process` comes to stand in the indexes.
    pub(super) fn enter(&mut self, process: u32) {
        if let Some(operation) = self.upcoming(process) {
            self.next.insert((operation.returned, process));
            self.at_key[operation.key as usize].push(process);
        }
    }

    pub(super) fn leave(&mut self, process: u32) {
        if let Some(operation) = self.upcoming(process) {
            self.next.remove(&(operation.returned, process));
            let waiting = &mut self.at_key[operation.key as usize];
            let place = waiting.iter().rposition(|&p| p == process);
            waiting.swap_remove(place.expect("it waits there"));
        }
    }

    /// Makes the optional operations available that come right behind this position, or not.
    pub(super) fn let_in(&mut self, process: u32, change: i32) {
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

    pub(super) fn hold(&mut self, key: u32, state: State) {
        let before = self.state[key as usize];
        self.digest = self
            .digest
            .wrapping_sub(scrambled(1, key, before))
            .wrapping_add(scrambled(1, key, state));
        self.state[key as usize] = state;
    }

    pub(super) fn place(&mut self, process: u32, state: State) {
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

    pub(super) fn take_optional(&mut self, group: u32, state: State) {
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
    pub(super) fn take_back(&mut self) {
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
}
