//! Limits in seconds and bytes, checked inside the search's loop.
//!
//! A call has one deadline and one amount of bytes for all its keys.  A search that runs may
//! hold what is not kept by suspended ones, in equal parts with the others that run: as
//! searches end, the parts of the rest grow.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;

use super::suspension::Suspension;

/// Why a search ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    Time,
    Memory,
    /// It visited as many configurations as it was allowed to.
    Steps,
    /// The user asked it to stop.
    Cancelled,
    /// The model raised an error.
    Broken,
    /// More operations are open at once than the search can hold.
    Width,
    /// The operations do not meet the conditions of the monitor that was asked for.
    Unfit,
}

/// How many steps pass between two looks at the clock.
const STEPS_PER_CHECK: u64 = 1024;

/// The bytes of one call, shared by the searches of all its keys.
#[derive(Default)]
pub struct Ledger {
    limit: Option<usize>,
    /// Held by suspended searches.
    kept: AtomicUsize,
    /// Searches that run now.
    running: AtomicUsize,
}

impl Ledger {
    pub fn new(limit: Option<usize>) -> Self {
        Ledger {
            limit,
            ..Ledger::default()
        }
    }

    /// What one of the searches that run may hold.
    fn share(&self) -> usize {
        let Some(limit) = self.limit else {
            return usize::MAX;
        };
        // A tenth is for what the allocator holds between and beside the tables.
        let tables = limit - limit / 10;
        let free = tables.saturating_sub(self.kept.load(Ordering::Relaxed));
        free / self.running.load(Ordering::Relaxed).max(1)
    }

    /// Whether all together may hold so much.
    pub fn allows(&self, bytes: usize) -> bool {
        self.limit.is_none_or(|limit| bytes <= limit)
    }

    pub fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    /// So many searches run from now on.
    pub fn run(&self, searches: usize) {
        self.running.store(searches, Ordering::Relaxed);
    }

    /// One of the searches that ran has ended.
    pub fn end_one(&self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether a suspended search may keep so much; a quarter of all is for suspended ones.
    pub fn keep(&self, bytes: usize) -> bool {
        let kept = self.kept.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let may = self.limit.is_none_or(|limit| kept <= limit / 4);
        if !may {
            self.kept.fetch_sub(bytes, Ordering::Relaxed);
        }
        may
    }

    /// A search that was suspended takes back what it kept.
    pub fn take_back(&self, bytes: usize) {
        let less = |kept: usize| Some(kept.saturating_sub(bytes));
        let _ = self
            .kept
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

/// The limits of one search.
#[derive(Clone, Default)]
pub struct Budget {
    pub deadline: Option<Instant>,
    /// How many configurations one search may visit.  Unlike time, it is the same each time.
    pub steps: Option<u64>,
    /// Where these steps do not suffice, the search will go on with more.
    pub comes_back: bool,
    pub ledger: Arc<Ledger>,
    pub cancelled: Arc<AtomicBool>,
    /// Where an earlier call left the search of this key.
    pub earlier: Option<Arc<Suspension>>,
}

impl Budget {
    /// No limits at all.
    #[cfg(test)]
    pub fn unlimited() -> Self {
        Budget::default()
    }

    /// The same limits, and at most so many configurations visited.
    pub fn with_steps(&self, steps: u64) -> Budget {
        Budget {
            steps: Some(self.steps.map_or(steps, |limit| limit.min(steps))),
            ..self.clone()
        }
    }

    /// The step, after so many, at which the limits are to be looked at next.
    pub fn next_check(&self, steps: u64) -> u64 {
        let usual = steps + STEPS_PER_CHECK;
        self.steps.map_or(usual, |limit| usual.min(limit + 1))
    }

    pub fn check_steps(&self, steps: u64) -> Result<(), Exhausted> {
        match self.steps {
            Some(limit) if steps > limit => Err(Exhausted::Steps),
            _ => Ok(()),
        }
    }

    pub fn check_time(&self) -> Result<(), Exhausted> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Exhausted::Cancelled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Exhausted::Time),
            _ => Ok(()),
        }
    }

    /// What this search may hold now, in bytes.
    pub fn bytes(&self) -> usize {
        self.ledger.share()
    }
}
