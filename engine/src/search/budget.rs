//! Limits in seconds and bytes, checked inside the search's loop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Instant;

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

/// The limits of one call, shared by the searches of all its keys.
pub struct Budget {
    pub deadline: Option<Instant>,
    /// What one search may hold.
    pub bytes: Option<usize>,
    /// How many configurations one search may visit.  Unlike time, it is the same each time.
    pub steps: Option<u64>,
    pub cancelled: Arc<AtomicBool>,
}

impl Budget {
    /// No limits at all.
    #[cfg(test)]
    pub fn unlimited() -> Self {
        Budget {
            deadline: None,
            bytes: None,
            steps: None,
            cancelled: Arc::default(),
        }
    }

    /// The same limits, and at most so many configurations visited.
    pub fn with_steps(&self, steps: u64) -> Budget {
        Budget {
            deadline: self.deadline,
            bytes: self.bytes,
            steps: Some(self.steps.map_or(steps, |limit| limit.min(steps))),
            cancelled: Arc::clone(&self.cancelled),
        }
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

    pub fn allows(&self, bytes: usize) -> bool {
        self.bytes.is_none_or(|limit| bytes <= limit)
    }
}
