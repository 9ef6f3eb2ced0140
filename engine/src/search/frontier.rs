//! What was possible just before the first operation that cannot be placed.
//!
//! The search fails at many returns before it fails for good.  The furthest one is where
//! the explanation lies: the configurations that failed there, and a longest
//! linearization that leads to one of them.

use super::model::State;

/// So many of the configurations are kept; all are counted.
const KEPT_MAX: usize = 64;

/// A configuration that failed at the furthest return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    pub state: State,
    /// The state as an earlier call told it; its number then means nothing.
    pub told: Option<String>,
    /// The open operations that had been linearized.
    pub linearized: Vec<u32>,
    /// The classes of the crashed operations that had been consumed.
    pub taken: Vec<u32>,
}

/// The furthest return that the search reached without getting past it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    pub position: u32,
    pub dead: Vec<Dead>,
    pub total: u64,
    /// A longest linearization that failed there.
    pub longest: Vec<u32>,
    /// How much of it the search's present linearization still shares.
    shared: usize,
}

impl Frontier {
    /// What an earlier call had found.
    pub fn found(position: u32, dead: Vec<Dead>, total: u64, longest: Vec<u32>) -> Self {
        Frontier {
            position,
            dead,
            total,
            longest,
            shared: 0,
        }
    }

    /// Notes that a configuration at `position`, reached by `order`, failed; `describe` is
    /// asked for it if it is kept.
    #[inline]
    pub fn note(&mut self, position: u32, order: &[u32], describe: impl FnOnce() -> Dead) {
        if position < self.position {
            return;
        }
        if position > self.position || self.total == 0 {
            self.position = position;
            self.dead.clear();
            self.total = 0;
            // Only what changed since the last time is copied, so that a search that fails
            // a little everywhere does not copy its whole path each time.
            self.longest.truncate(self.shared);
            self.longest.extend_from_slice(&order[self.shared..]);
            self.shared = order.len();
        }
        self.total += 1;
        if self.dead.len() < KEPT_MAX {
            self.dead.push(describe());
        }
    }

    /// Goes on from what an earlier call had found; the search's linearization is now `order`.
    pub fn go_on(&mut self, earlier: &Frontier, order: &[u32]) {
        let same = order.iter().zip(&earlier.longest);
        self.shared = same.take_while(|(now, then)| now == then).count();
        self.position = earlier.position;
        self.dead.clone_from(&earlier.dead);
        self.total = earlier.total;
        self.longest.clone_from(&earlier.longest);
    }

    /// The search took its linearization back to this length.
    #[inline]
    pub fn truncated(&mut self, length: usize) {
        self.shared = self.shared.min(length);
    }
}
