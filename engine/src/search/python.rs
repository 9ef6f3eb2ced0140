//! A model written in Python, memoised: each distinct (state, class) is asked once.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyList, PyString};
use rustc_hash::FxBuildHasher;

use super::answers::{Answers, UNKNOWN};
use super::budget::Budget;
use super::history::Class;
use super::model::{State, Transitions, ILLEGAL};

/// What it takes to ask the model itself.  That saves most of the time of a question, which
/// goes into finding the number of the answer.
struct Direct {
    step: Py<PyAny>,
    calls: Py<PyList>,
    /// By number; grows as `numbered` finds new ones.
    states: Py<PyList>,
    illegal: Py<PyAny>,
    /// `(state, class, answer) -> state`, as the callable itself would have answered.
    numbered: Py<PyAny>,
}

impl Direct {
    /// None where the callable does not offer it.
    fn of(ask: &Bound<'_, PyAny>) -> Option<Self> {
        let offered = ask.getattr("direct").ok()?;
        let (step, calls, states, illegal) = offered.extract().ok()?;
        Some(Direct {
            step,
            calls,
            states,
            illegal,
            numbered: ask.getattr("numbered").ok()?.unbind(),
        })
    }
}

/// Whether a state can neither be changed by a careless step nor be equal to one of another
/// type.
fn is_plain(state: &Bound<'_, PyAny>) -> bool {
    state.is_exact_instance_of::<PyInt>()
        || state.is_exact_instance_of::<PyString>()
        || state.is_exact_instance_of::<PyBool>()
        || state.is_exact_instance_of::<PyFloat>()
        || state.is_none()
}

/// So often it is asked between two looks at how much memory the process holds: states of
/// Python are not counted by anybody else.
const ASKED_PER_LOOK: u64 = 4096;

/// How many bytes of memory the process holds; 0 where the system does not say.
fn held() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// A Python callable `(state, class) -> state`, where numbers stand for both and -1 for
/// illegal, with what it has answered so far.
#[derive(Clone)]
pub struct PythonModel {
    ask: Arc<Py<PyAny>>,
    direct: Option<Arc<Direct>>,
    /// The numbers of states that are integers, as far as they were answered.
    integers: HashMap<i64, State, FxBuildHasher>,
    read_only: Arc<Vec<bool>>,
    /// The state in which alone a class is legal, or -1; may be empty.
    only: Arc<Vec<i32>>,
    /// Whether the search keeps the interpreter's lock.
    attached: bool,
    answers: Answers,
    /// The first exception that the callable raised, in any thread.
    error: Arc<Mutex<Option<PyErr>>>,
    broken: bool,
    /// The limits of the call.  A step may be slow, so they are looked at with each one.
    budget: Budget,
    late: bool,
    asked: u64,
    /// What the process held when the call began, in bytes.
    held_at_first: usize,
    short: bool,
}

impl PythonModel {
    /// `read_only` tells of each class whether it is read-only, `only` in which state alone it
    /// is legal.  With `attached` the interpreter's lock is held between questions, too.
    pub fn new(ask: Py<PyAny>, read_only: Vec<bool>, only: Vec<i32>, attached: bool) -> Self {
        PythonModel {
            direct: Python::attach(|py| Direct::of(ask.bind(py))).map(Arc::new),
            integers: HashMap::default(),
            ask: Arc::new(ask),
            answers: Answers::new(read_only.len()),
            read_only: Arc::new(read_only),
            only: Arc::new(only),
            attached,
            error: Arc::new(Mutex::new(None)),
            broken: false,
            budget: Budget::default(),
            late: false,
            asked: 0,
            held_at_first: 0,
            short: false,
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
        let answer = Python::attach(|py| self.answer(py, state, class));
        self.late = self.budget.check_time().is_err();
        self.asked += 1;
        if self.asked % ASKED_PER_LOOK == 0 {
            let more = held().saturating_sub(self.held_at_first);
            self.short = !self.budget.ledger.allows(more);
        }
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

impl PythonModel {
    fn answer(&mut self, py: Python<'_>, state: State, class: Class) -> PyResult<i64> {
        let Some(direct) = self.direct.clone() else {
            return self.ask.call1(py, (state, class))?.extract(py);
        };
        let before = direct.states.bind(py).get_item(state as usize)?;
        if !is_plain(&before) {
            return self.ask.call1(py, (state, class))?.extract(py);
        }
        let call = direct.calls.bind(py).get_item(class as usize)?;
        let after = direct.step.bind(py).call1((&before, call))?;
        if after.is(&direct.illegal) {
            return Ok(-1);
        }
        if after.is(&before) {
            return Ok(i64::from(state));
        }
        let mut integer = None;
        if after.is_exact_instance_of::<PyInt>() {
            integer = after.extract::<i64>().ok();
        }
        if let Some(&known) = integer.and_then(|value| self.integers.get(&value)) {
            // That a read-only operation changes the state is for `numbered` to complain of.
            if known == state || !self.read_only[class as usize] {
                return Ok(i64::from(known));
            }
        }
        let number = direct.numbered.call1(py, (state, class, after))?;
        let number: i64 = number.extract(py)?;
        if let (Some(value), Ok(state)) = (integer, State::try_from(number)) {
            self.integers.insert(value, state);
        }
        Ok(number)
    }
}

impl Transitions for PythonModel {
    #[inline]
    fn step(&mut self, state: State, class: Class) -> State {
        if let Some(&only) = self.only.get(class as usize) {
            if only >= 0 && only as State != state {
                return ILLEGAL;
            }
        }
        let known = self.answers.get(state, class);
        if known != UNKNOWN {
            return known;
        }
        let next = self.ask(state, class);
        self.answers.put(state, class, next);
        next
    }

    #[inline]
    fn read_only(&self, class: Class) -> bool {
        self.read_only[class as usize]
    }

    fn broken(&self) -> bool {
        self.broken
    }

    fn pause(&mut self) {
        if self.attached {
            Python::attach(|py| py.detach(|| ()));
        }
    }

    fn limited_by(&mut self, budget: &Budget) {
        self.budget = budget.clone();
        if budget.ledger.is_limited() {
            self.held_at_first = held();
        }
    }

    fn pressing(&self) -> bool {
        self.late || self.broken || self.short
    }

    fn short_of_memory(&self) -> bool {
        self.short
    }
}
