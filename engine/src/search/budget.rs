//! Limits in seconds and bytes, checked inside the search's loop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Why a search ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    Time,
    Memory,
    /// The user asked it to stop.
    Cancelled,
    /// The model raised an error.
    Broken,
    /// More operations are open at once than the search can hold.
    Width,
}

/// The limits of one call, shared by the searches of all its keys.
pub struct Budget {
    pub deadline: Option<Instant>,
    /// What one search may hold.
    pub bytes: Option<usize>,
    pub cancelled: AtomicBool,
}

impl Budget {
    /// No limits at all.
    #[cfg(test)]
    pub fn unlimited() -> Self {
        Budget {
            deadline: None,
            bytes: None,
            cancelled: AtomicBool::new(false),
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
