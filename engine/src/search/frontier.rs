//! What was possible just before the first operation that cannot be placed.
//!
//! The search fails at many returns before it fails for good.  The furthest one is where
//! the explanation lies: the configurations that failed there, and a longest
//! linearization that leads to one of them.

use super::model::State;

/// So many of the configurations are kept; all are counted.
const KEPT_MAX: usize = 64;

/// A configuration that failed at the furthest return.
pub struct Dead {
    pub state: State,
    /// The open operations that had been linearized.
    pub linearized: Vec<u32>,
    /// The classes of the crashed operations that had been consumed.
    pub taken: Vec<u32>,
}

/// The furthest return that the search reached without getting past it.
#[derive(Default)]
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

    /// The search took its linearization back to this length.
    #[inline]
    pub fn truncated(&mut self, length: usize) {
        self.shared = self.shared.min(length);
    }
}
