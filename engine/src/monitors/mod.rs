//! Near-linear monitors: data types whose linearizability needs no search.
//!
//! A monitor looks at the intervals of one key's operations and finds either an order in
//! which the model allows them, or a few operations that contradict each other, or that the
//! history does not meet its conditions.  None of this is taken on trust: the order is
//! replayed (`evidence`), and the contradicting operations are given to the general search
//! as a history of their own, which must find them impossible and tells why.  Where either
//! check fails, the general search decides on the whole key.

pub mod asked;
pub mod coverage;
pub mod elements;
pub mod evidence;
pub mod fifo;
pub mod growing;
pub mod increments;
pub mod intervals;
pub mod lifo;
pub mod little;
pub mod membership;
pub mod offsets;
pub mod permits;
pub mod points;
pub mod presence;
pub mod priority;
pub mod registers;
pub mod sections;
pub mod sets;
pub mod tokens;
pub mod unseen;
pub mod versions;
pub mod zones;

use std::collections::HashSet;

use intervals::Interval;

/// An operation of one key: the number of a completed one, or `CRASHED` with the number of
/// one that never returned.
pub type Operation = u32;

/// Marks the number of a crashed operation.
pub const CRASHED: Operation = 1 << 31;

/// What a monitor found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// An order that the model allows, with every completed operation and some crashed ones.
    Linearizable(Vec<Operation>),
    /// Operations that contradict each other, whatever else happened.
    Contradiction(Vec<Operation>),
    /// The history does not meet the conditions of the monitor.
    Unfit,
}

/// How a class hangs together with others: which operations may be dropped from *every*
/// legal sequence of the data type, so that what is left is legal still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All operations of this part may be dropped together (an element of a queue).
    Whole(u32),
    /// It belongs to this part, and may also be dropped alone (a read of a register).
    Spare(u32),
    /// It may be dropped alone.
    Free,
    /// It may never be dropped.
    Kept,
}

/// A part of a history that has a linearization if the whole has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt<S> {
    pub operations: Vec<Operation>,
    /// The state in which it begins.
    pub initial: S,
    /// The rank at which it ends: what is invoked later is left out, what returns later may
    /// or may not have happened.  (What was seen up to some moment of a linearizable history
    /// is linearizable.)
    pub until: u32,
    /// The parts of the object that are looked at (`Object::narrowed`); None is all of it.
    pub parts: Option<Vec<u32>>,
}

impl<S> Excerpt<S> {
    /// All operations, until the last of these returns.
    pub fn up_to(operations: Vec<Operation>, intervals: &[Interval], initial: S) -> Self {
        let given: HashSet<Operation> = operations.into_iter().collect();
        let ends = intervals.iter().filter(|i| given.contains(&i.operation));
        let until = ends.map(|interval| interval.returned).max();
        let begun = |interval: &&Interval| Some(interval.invoked) < until;
        Excerpt {
            operations: intervals
                .iter()
                .filter(begun)
                .map(|interval| interval.operation)
                .collect(),
            initial,
            until: until.unwrap_or(0),
            parts: None,
        }
    }

    /// Operations up to the end of the history.
    pub fn whole(operations: Vec<Operation>, initial: S) -> Self {
        Excerpt {
            operations,
            initial,
            until: u32::MAX,
            parts: None,
        }
    }
}
