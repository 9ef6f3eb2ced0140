//! A model written in Python, memoised: each distinct (state, class) is asked once.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use rustc_hash::FxBuildHasher;

use super::budget::Budget;
use super::history::Class;
use super::model::{State, Transitions, ILLEGAL};

/// Not asked yet.
const UNKNOWN: State = ILLEGAL - 1;

/// Up to this many classes the answers of a state stand in a row of a table.
const ROW_MAX: usize = 4096;

/// A Python callable `(state, class) -> state`, where numbers stand for both and -1 for
/// illegal, with what it has answered so far.
#[derive(Clone)]
pub struct PythonModel {
    ask: Arc<Py<PyAny>>,
    read_only: Arc<Vec<bool>>,
    rows: Vec<Vec<State>>,
    cells: HashMap<(State, Class), State, FxBuildHasher>,
    /// The first exception that the callable raised, in any thread.
    error: Arc<Mutex<Option<PyErr>>>,
    broken: bool,
    /// The limits of the call.  A step may be slow, so they are looked at with each one.
    budget: Budget,
    late: bool,
}

impl PythonModel {
    /// `read_only` tells of each class whether the model declares it read-only.
    pub fn new(ask: Py<PyAny>, read_only: Vec<bool>) -> Self {
        PythonModel {
            ask: Arc::new(ask),
            read_only: Arc::new(read_only),
            rows: Vec::new(),
            cells: HashMap::default(),
            error: Arc::new(Mutex::new(None)),
            broken: false,
            budget: Budget::default(),
            late: false,
        }
    }

    /// What went wrong, if anything did.
    pub fn take_error(&self) -> Option<PyErr> {
        self.error
            .lock()
            .expect("nobody panics with the lock")
            .take()
    }

    #[cold]
    fn ask(&mut self, state: State, class: Class) -> State {
        if self.broken {
            return ILLEGAL;
        }
        let answer = Python::attach(|py| self.ask.call1(py, (state, class))?.extract::<i64>(py));
        self.late = self.budget.check_time().is_err();
        match answer {
            Ok(next) => State::try_from(next).unwrap_or(ILLEGAL),
            Err(error) => {
                self.broken = true;
                self.budget.cancelled.store(true, Ordering::Relaxed);
                *self.error.lock().expect("nobody panics with the lock") = Some(error);
                ILLEGAL
            }
        }
    }
}

impl Transitions for PythonModel {
    #[inline]
    fn step(&mut self, state: State, class: Class) -> State {
        let classes = self.read_only.len();
        if classes > ROW_MAX {
            if let Some(next) = self.cells.get(&(state, class)) {
                return *next;
            }
            let next = self.ask(state, class);
            self.cells.insert((state, class), next);
            return next;
        }
        let row = state as usize;
        if row >= self.rows.len() {
            self.rows.resize_with(row + 1, Vec::new);
        }
        if self.rows[row].is_empty() {
            self.rows[row] = vec![UNKNOWN; classes];
        }
        let known = self.rows[row][class as usize];
        if known != UNKNOWN {
            return known;
        }
        let next = self.ask(state, class);
        self.rows[row][class as usize] = next;
        next
    }

    #[inline]
    fn read_only(&self, class: Class) -> bool {
        self.read_only[class as usize]
    }

    fn broken(&self) -> bool {
        self.broken
    }

    fn limited_by(&mut self, budget: &Budget) {
        self.budget = budget.clone();
    }

    fn pressing(&self) -> bool {
        self.late || self.broken
    }
}
