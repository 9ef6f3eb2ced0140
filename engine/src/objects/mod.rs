//! Data types beyond registers, each as its sequential specification.
//!
//! An `Object` says what an operation does to a state, in place.  From that alone come the
//! general search (`interned` numbers the states, so that the search sees a table of
//! numbers like any other) and the replay of a certificate.  A data type for which a
//! near-linear algorithm is known is `Monitored` too, and then that one is asked first.
//!
//! The definition of each of these types is its model in Python; this is its twin.

pub mod container;
pub mod counter;
pub mod interned;
pub mod lease;
pub mod line;
pub mod lock;
pub mod log;
pub mod pairs;
pub mod priority_queue;
pub mod semaphore;
pub mod set;
pub mod sparse;
pub mod texts;
pub mod versioned;

use std::collections::HashMap;
use std::hash::Hash;

use crate::monitors::evidence::joined;
use crate::monitors::intervals::Interval;
use crate::monitors::{Excerpt, Finding, Operation, Part};
use crate::search::history::{Class, KeyHistory};
use crate::search::operations::ClassKey;
use crate::search::register::Misfit;
use crate::search::values::Texts;

/// A sequential specification over the classes of one history.
pub trait Object: Clone + Send + Sync + 'static {
    type State: Clone + Eq + Hash + Send + Sync + 'static;

    /// Whether a state holds no more than a few numbers, whatever the history.
    const SMALL: bool = false;

    fn initial(&self) -> Self::State;

    /// Lets `class` take effect.  Where that is illegal the answer is false, and the state
    /// means nothing any more.
    fn apply(&self, state: &mut Self::State, class: Class) -> bool;

    /// Whether `class` leaves the state unchanged in *every* state in which it is legal.
    fn read_only(&self, class: Class) -> bool;

    /// A number that two classes share only if they do the same to every state.
    fn alike(&self, class: Class) -> u32 {
        class
    }

    /// The key without crashed operations that nobody needs: if it has a linearization, it has
    /// one without them.  None where that leaves out nothing.
    fn relevant(&self, _key: &KeyHistory) -> Option<KeyHistory> {
        None
    }

    /// The same object looked at in these parts only (`Part`): it allows every sequence that
    /// the whole allows.  None where it cannot be looked at in parts.
    fn narrowed(&self, _parts: &[u32]) -> Option<Self> {
        None
    }

    /// The state as the model in Python has it, as JSON.
    fn text(&self, state: &Self::State) -> String;

    /// About how many bytes a state holds.
    fn weight(&self, state: &Self::State) -> usize;
}

/// An object with a near-linear algorithm of its own.
pub trait Monitored: Object {
    /// The name of the algorithm.
    const ALGORITHM: &'static str;

    /// Judges the operations of one key.  What it finds is checked before it is believed,
    /// so it may be clever; where its conditions are not met it answers `Unfit`.
    fn judge(&self, intervals: &[Interval]) -> Finding;

    /// What may be dropped from a legal sequence without making it illegal; a contradiction
    /// is checked on the operations that are left.
    fn part(&self, class: Class) -> Part;

    /// Operations that are said to contradict each other, with all that they depend on: a part
    /// of the history that has a linearization if the whole has one.  For a type of which
    /// more is known than `part` can say.
    fn excerpt(&self, operations: Vec<Operation>, intervals: &[Interval]) -> Excerpt<Self::State> {
        let all = joined(operations, intervals, |class| self.part(class));
        Excerpt::whole(all, self.initial())
    }
}

/// The first class with the same operation, for each class; see `Object::alike`.
pub fn first_alike<Op: Copy + Eq + Hash>(operations: &[Op]) -> Vec<u32> {
    let mut first = HashMap::new();
    let numbered = operations.iter().zip(0..);
    numbered
        .map(|(op, class)| *first.entry(*op).or_insert(class))
        .collect()
}

/// What an object is compiled from: the classes of a history, and the texts of its codes.
pub struct Source<'a> {
    pub classes: &'a [ClassKey],
    /// The names of the operations, by code.
    pub names: &'a [String],
    /// Canonical JSON texts, by code.
    pub values: &'a Texts<'a>,
    /// The canonical JSON text of the initial state of the model.
    pub initial: &'a str,
}

impl<'a> Source<'a> {
    pub fn name(&self, class: &ClassKey) -> &str {
        &self.names[class.f as usize]
    }

    pub fn argument(&self, class: &ClassKey) -> &'a str {
        self.values.get(class.argument)
    }

    /// `null` for an operation that did not complete.
    pub fn result(&self, class: &ClassKey) -> &'a str {
        self.values.get(class.result)
    }

    /// Translates each class; the error is the first that makes no sense to the model.
    pub fn translate<Op>(
        &self,
        mut operation: impl FnMut(&ClassKey) -> Result<Op, String>,
    ) -> Result<Vec<Op>, Misfit> {
        let numbered = self.classes.iter().enumerate();
        numbered
            .map(|(class, key)| operation(key).map_err(|message| Misfit { class, message }))
            .collect()
    }
}
