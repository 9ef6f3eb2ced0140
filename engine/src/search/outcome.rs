//! What the search of one key found.

use super::budget::Exhausted;
use super::model::State;
use super::suspension::Suspension;

/// A configuration that was possible just before the first operation that cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    pub state: State,
    /// The state as an earlier call told it, whose numbers of states mean nothing now.
    pub told: Option<String>,
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
    /// Only a few operations that contradict each other were looked at, and all of this holds
    /// for them alone.
    pub excerpt: bool,
}

/// What is known of a key whose search ended before it knew all.
#[derive(Debug, PartialEq, Eq)]
pub struct Open {
    pub exhausted: Exhausted,
    /// Every return before this one can be placed.
    pub position: u32,
    /// Invocation event of the operation that returns there.
    pub event: Option<u32>,
    /// Where a later call goes on, if there is more than the beginning to go on from.
    pub suspension: Option<Box<Suspension>>,
}

impl Open {
    /// The search never began.
    pub const fn because(exhausted: Exhausted) -> Self {
        Open {
            exhausted,
            position: 0,
            event: None,
            suspension: None,
        }
    }
}

/// The answer for one key.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A linearization, as invocation events: the certificate.
    Valid {
        order: Vec<u32>,
    },
    Invalid(Violation),
    Unknown(Open),
}
