//! What a model is to the search: states and classes are numbers, a step is a look-up.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use rustc_hash::FxBuildHasher;

use super::budget::Budget;
use super::history::{Class, KeyHistory};
use super::keys::search_key;
use super::outcome::Outcome;

/// A state of the modelled system, interned.
pub type State = u32;

/// The answer of a step that the model does not allow.
pub const ILLEGAL: State = State::MAX;

/// The transitions of a model.
pub trait Transitions {
    /// The state after `class` took effect in `state`, or `ILLEGAL`.
    fn step(&mut self, state: State, class: Class) -> State;

    /// Whether `class` leaves the state unchanged in *every* state in which it is legal.
    /// That it happens to change nothing in one state is not enough: `write(1)` in state 1
    /// may be needed later to overwrite a 2.
    fn read_only(&self, class: Class) -> bool;

    /// A number that two classes share only if they do the same to every state.
    fn alike(&self, class: Class) -> u32 {
        class
    }

    /// The state that `class` reads, where it reads a whole state.
    fn reads(&self, _class: Class) -> Option<State> {
        None
    }

    /// The only state in which `class` is legal, where that is known.
    fn needs(&self, class: Class) -> Option<State> {
        self.reads(class)
    }

    /// The state that `class` makes whatever was before, or whenever it is legal.
    fn writes(&self, _class: Class) -> Option<State> {
        None
    }

    /// The model itself broke (a Python exception); the search gives up at the next check.
    fn broken(&self) -> bool {
        false
    }

    /// Lets others have what the model holds during a search; called now and then.
    fn pause(&mut self) {}

    /// The limits of the call, for a model whose steps are slow.
    fn limited_by(&mut self, _budget: &Budget) {}

    /// The model wants the search to look at its limits at once.
    fn pressing(&self) -> bool {
        false
    }

    /// What the model itself holds is more than the limits of the call allow.
    fn short_of_memory(&self) -> bool {
        false
    }

    /// What gives the numbers of states a meaning, to be kept with a suspended search; None
    /// where that is not possible.
    fn keep(&self) -> Option<Box<dyn Any + Send>> {
        None
    }

    /// Takes over what `keep` gave out, or says that it cannot.
    fn adopt(&mut self, _kept: Box<dyn Any + Send>) -> bool {
        false
    }

    /// A model that looks only at these parts of the object, and allows every sequence that
    /// this one allows; None where there is no such thing.
    fn narrowed(&self, _parts: &[u32]) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// The state as text, where the model knows it.
    fn tell(&self, _state: State) -> Option<String> {
        None
    }

    /// About how many bytes the model holds to remember its states.
    fn bytes(&self) -> usize {
        0
    }

    /// How many configurations the general search may visit to tell of a history of so many
    /// operations, known to be impossible, where exactly it goes wrong.  Many keys may fail,
    /// and each costs a fraction of a second at most.  A search that hardly ever turns back
    /// needs no more than a few for each operation.
    fn explained_within(&self, operations: usize) -> u64 {
        200_000 + 4 * operations as u64
    }

    /// The general search of one key.
    fn search(&mut self, key: &KeyHistory, initial: State, budget: &Budget) -> Outcome
    where
        Self: Sized,
    {
        search_key(key, initial, self, budget)
    }

    /// Whether `classes` are legal one after the other, from `initial`.
    fn replay(&mut self, initial: State, classes: &mut dyn Iterator<Item = Class>) -> bool {
        let mut state = initial;
        for class in classes {
            state = self.step(state, class);
            if state == ILLEGAL {
                return false;
            }
        }
        true
    }
}

/// The operations of a register, over interned values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegisterOp {
    Read(State),
    Write(State),
    /// Compare and set, which succeeded.
    Cas(State, State),
    /// Compare and set of which the system said that the register did not hold the value.
    CasMismatch(State),
    /// Constrains nothing (a read whose answer nobody saw).
    Nothing,
}

/// A register with compare-and-set; its states are its values.
///
/// There may be millions of classes, so that all threads share them.
#[derive(Clone, Debug)]
pub struct Register {
    pub classes: Arc<[RegisterOp]>,
    /// The first class with the same operation, for each class; made when it is asked for.
    first_alike: Arc<OnceLock<Vec<u32>>>,
}

impl Register {
    pub fn new(classes: Vec<RegisterOp>) -> Self {
        Register {
            classes: Arc::from(classes),
            first_alike: Arc::default(),
        }
    }
}

impl Transitions for Register {
    #[inline]
    fn step(&mut self, state: State, class: Class) -> State {
        match self.classes[class as usize] {
            RegisterOp::Read(value) if state == value => state,
            RegisterOp::Write(value) => value,
            RegisterOp::Cas(from, to) if state == from => to,
            RegisterOp::CasMismatch(from) if state != from => state,
            RegisterOp::Nothing => state,
            _ => ILLEGAL,
        }
    }

    #[inline]
    fn read_only(&self, class: Class) -> bool {
        match self.classes[class as usize] {
            RegisterOp::Read(_) | RegisterOp::CasMismatch(_) | RegisterOp::Nothing => true,
            RegisterOp::Cas(from, to) => from == to,
            RegisterOp::Write(_) => false,
        }
    }

    fn alike(&self, class: Class) -> u32 {
        let first_alike = || {
            let mut first: HashMap<RegisterOp, u32, FxBuildHasher> = HashMap::default();
            let numbered = self.classes.iter().zip(0..);
            numbered
                .map(|(operation, class)| *first.entry(*operation).or_insert(class))
                .collect()
        };
        self.first_alike.get_or_init(first_alike)[class as usize]
    }

    /// A state is a value of the history, whose number is always the same.
    fn keep(&self) -> Option<Box<dyn Any + Send>> {
        Some(Box::new(()))
    }

    fn adopt(&mut self, _kept: Box<dyn Any + Send>) -> bool {
        true
    }

    fn reads(&self, class: Class) -> Option<State> {
        match self.classes[class as usize] {
            RegisterOp::Read(value) => Some(value),
            _ => None,
        }
    }

    fn needs(&self, class: Class) -> Option<State> {
        match self.classes[class as usize] {
            RegisterOp::Read(value) | RegisterOp::Cas(value, _) => Some(value),
            _ => None,
        }
    }

    fn writes(&self, class: Class) -> Option<State> {
        match self.classes[class as usize] {
            RegisterOp::Write(value) | RegisterOp::Cas(_, value) => Some(value),
            _ => None,
        }
    }
}
