//! An object whose states are numbered as they are met, so that it can be searched.
//!
//! Each distinct (state, class) is computed once.  States are kept whole: equality of states
//! is what the search rests on, and a hash alone could call two different ones equal.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::Object;
use crate::search::budget::Budget;
use crate::search::history::{Class, KeyHistory};
use crate::search::keys::search_key;
use crate::search::model::{State, Transitions, ILLEGAL};
use crate::search::outcome::Outcome;

/// What an entry of the two tables costs beside the state itself, about.
const ENTRY_BYTES: usize = 64;

/// An object as the search sees it.  The initial state has the number 0.
#[derive(Clone)]
pub struct Interned<O: Object> {
    pub object: O,
    states: Vec<Arc<O::State>>,
    numbers: HashMap<Arc<O::State>, State, FxBuildHasher>,
    steps: HashMap<(State, Class), State, FxBuildHasher>,
    bytes: usize,
}

impl<O: Object> Interned<O> {
    pub fn new(object: O) -> Self {
        let initial = object.initial();
        let mut interned = Interned {
            object,
            states: Vec::new(),
            numbers: HashMap::default(),
            steps: HashMap::default(),
            bytes: 0,
        };
        interned.number(initial);
        interned
    }

    pub fn text(&self, state: State) -> String {
        self.object.text(&self.states[state as usize])
    }

    /// The number of a state.
    pub fn number(&mut self, state: O::State) -> State {
        if let Some(&number) = self.numbers.get(&state) {
            return number;
        }
        self.bytes += ENTRY_BYTES + self.object.weight(&state);
        let number = self.states.len() as State;
        let state = Arc::new(state);
        self.states.push(Arc::clone(&state));
        self.numbers.insert(state, number);
        number
    }

    #[cold]
    fn compute(&mut self, state: State, class: Class) -> State {
        let mut after = O::State::clone(&self.states[state as usize]);
        if self.object.apply(&mut after, class) {
            self.number(after)
        } else {
            ILLEGAL
        }
    }
}

impl<O: Object + 'static> Transitions for Interned<O> {
    #[inline]
    fn step(&mut self, state: State, class: Class) -> State {
        if let Some(&next) = self.steps.get(&(state, class)) {
            return next;
        }
        let next = self.compute(state, class);
        self.bytes += ENTRY_BYTES;
        self.steps.insert((state, class), next);
        next
    }

    fn read_only(&self, class: Class) -> bool {
        self.object.read_only(class)
    }

    fn alike(&self, class: Class) -> u32 {
        self.object.alike(class)
    }

    fn narrowed(&self, parts: &[u32]) -> Option<Self> {
        self.object.narrowed(parts).map(Interned::new)
    }

    fn tell(&self, state: State) -> Option<String> {
        Some(self.text(state))
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn keep(&self) -> Option<Box<dyn Any + Send>> {
        Some(Box::new(self.clone()))
    }

    fn adopt(&mut self, kept: Box<dyn Any + Send>) -> bool {
        match kept.downcast::<Self>() {
            Ok(kept) => {
                *self = *kept;
                true
            }
            Err(_) => false,
        }
    }

    fn explained_within(&self, operations: usize) -> u64 {
        if O::SMALL {
            return 200_000 + 4 * operations as u64;
        }
        // A state may be as large as the history, so few of them are made for a mere
        // explanation, and none for a history that so few will not reach the end of.
        match operations {
            0..=10_000 => 20_000,
            _ => 0,
        }
    }

    /// With the type forgotten, so that the search is compiled once for all objects.
    fn search(&mut self, key: &KeyHistory, initial: State, budget: &Budget) -> Outcome {
        let model: &mut dyn Transitions = self;
        search_key(key, initial, model, budget)
    }

    /// In place: nothing is numbered, so the length of the history does not matter.
    fn replay(&mut self, _initial: State, classes: &mut dyn Iterator<Item = Class>) -> bool {
        let mut state = self.object.initial();
        for class in classes {
            if !self.object.apply(&mut state, class) {
                return false;
            }
        }
        true
    }
}
