//! What the search of one key found.

use super::budget::Exhausted;
use super::model::State;

/// A configuration that was possible just before the first operation that cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    pub state: State,
    /// Invocation events of the open operations that had been linearized.
    pub linearized: Vec<u32>,
    /// Classes of crashed operations that had been consumed, and how many of each.
    pub crashed: Vec<(u32, u32)>,
}

/// Why a key is not linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Invocation event of the first operation that cannot be placed before it returns.
    pub event: u32,
    /// Invocation events of operations that overlap with it, the last few.
    pub concurrent: Vec<u32>,
    /// Invocation event of the last operation that could have written what it read.
    pub writer: Option<u32>,
    /// The number of its return among the key's returns: all before it can be placed.
    pub position: u32,
    pub configurations: Vec<Configuration>,
    /// There were this many, of which `configurations` are the first.
    pub configurations_total: u64,
    /// A longest linearization up to there, as invocation events.
    pub prefix: Vec<u32>,
}

/// The answer for one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A linearization, as invocation events: the certificate.
    Valid {
        order: Vec<u32>,
    },
    Invalid(Violation),
    /// The search ended before it knew; every return before `position` can be placed.
    Unknown {
        exhausted: Exhausted,
        position: u32,
    },
}
