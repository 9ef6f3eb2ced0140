//! The Python boundary of the search: columns in, answers out, and nothing decided.

use std::sync::atomic::Ordering;
use std::sync::Mutex;

use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;

use super::answer::{answer, Answer};
use super::budget::{Budget, Exhausted};
use super::call::{interruptible, misfit, texts, Limits};
use super::history::{KeyHistory, TooWide};
use super::keys::{search_key, Court};
use super::model::{Register, State, Transitions};
use super::operations::{ClassKey, Columns, Operations as Gathered};
use super::outcome::{Configuration, Open, Outcome};
use super::python::PythonModel;
use super::register::{self, Misfit};
use super::relevance::relevant;
use super::strings::Strings;
use super::values::States;
use crate::monitors::asked::{by_monitor, by_zones};
use crate::objects::counter::Counter;
use crate::objects::interned::Interned;
use crate::objects::lease::Lease;
use crate::objects::line::{Queue, Stack};
use crate::objects::lock::Lock;
use crate::objects::log::Log;
use crate::objects::priority_queue::PriorityQueue;
use crate::objects::semaphore::Semaphore;
use crate::objects::set::Set;
use crate::objects::versioned::Versioned;
use crate::objects::{Monitored, Source};

/// The client operations of a history, grouped by key and ready to be searched.
#[pyclass(frozen)]
pub struct Operations {
    pub gathered: Gathered,
}

/// An outcome, and the algorithm that found it.
type Decision = (Outcome, &'static str);

/// The distinct operations, column by column.
type ClassColumns<'py> = (
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArray1<i32>>,
    Bound<'py, PyArray1<bool>>,
    Bound<'py, PyArray1<i32>>,
);

/// A monitor was asked for by name, and the key does not meet its conditions.
const UNFIT: Outcome = Outcome::Unknown(Open::because(Exhausted::Unfit));

/// The general search, from state 0.
fn jit<T: Transitions + ?Sized>(key: &KeyHistory, model: &mut T, budget: &Budget) -> Decision {
    (search_key(key, 0, model, budget), "jit")
}

/// Which algorithm the user asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    /// A monitor where one fits, else the general search.
    Auto,
    Jit,
    /// The monitor of the model, or no verdict.
    Monitor,
}

impl Algorithm {
    fn named(name: &str) -> PyResult<Self> {
        match name {
            "auto" => Ok(Algorithm::Auto),
            "jit" => Ok(Algorithm::Jit),
            "monitor" => Ok(Algorithm::Monitor),
            _ => Err(PyValueError::new_err("the model has no such algorithm")),
        }
    }
}

/// An algorithm, and the texts of the states of the configurations found by it.
type Manner = (&'static str, Vec<String>);

#[pymethods]
impl Operations {
    /// Groups the client operations of a history.  All columns have one entry per event;
    /// `partner` is the event that completes or invoked this one, codes are -1 for null.
    /// Works on up to `jobs` threads.  `by_process` is whether the operations of different
    /// processes are different classes.
    ///
    /// Raises `OverflowError` where more than 65,535 operations of one key are open at once.
    #[new]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        time: PyReadonlyArray1<i64>,
        process: PyReadonlyArray1<i32>,
        kind: PyReadonlyArray1<u8>,
        f: PyReadonlyArray1<i32>,
        key: PyReadonlyArray1<i32>,
        value: PyReadonlyArray1<i32>,
        partner: PyReadonlyArray1<i64>,
        by_process: bool,
        jobs: usize,
    ) -> PyResult<Self> {
        let columns = Columns {
            time: time.as_slice()?,
            process: process.as_slice()?,
            kind: kind.as_slice()?,
            f: f.as_slice()?,
            key: key.as_slice()?,
            value: value.as_slice()?,
            partner: partner.as_slice()?,
        };
        let gathered = py
            .detach(|| Gathered::new(&columns, by_process, jobs))
            .map_err(|TooWide| {
                PyOverflowError::new_err("more than 65,535 operations of one key are open at once")
            })?;
        Ok(Operations { gathered })
    }

    /// The codes of the keys, in order of first appearance.
    #[getter]
    fn keys(&self) -> Vec<i32> {
        self.gathered.keys.iter().map(|(key, _)| *key).collect()
    }

    /// How many operations each key has, completed and crashed.
    #[getter]
    fn sizes(&self) -> Vec<usize> {
        self.gathered
            .keys
            .iter()
            .map(|(_, key)| key.len())
            .collect()
    }

    /// How many completed operations each key has.
    #[getter]
    fn completed(&self) -> Vec<usize> {
        let keys = self.gathered.keys.iter();
        keys.map(|(_, key)| key.completed.len()).collect()
    }

    /// How many operations of each key are open at once, at most.
    #[getter]
    fn widths(&self) -> Vec<usize> {
        let keys = self.gathered.keys.iter();
        keys.map(|(_, key)| key.width).collect()
    }

    /// All operations that count: completed and crashed ones.
    #[getter]
    fn count(&self) -> usize {
        self.gathered.count
    }

    /// Completions that share their time stamp with a later invocation.
    #[getter]
    fn ties(&self) -> usize {
        self.gathered.ties
    }

    /// All time stamps were equal and were ignored.
    #[getter]
    fn timeless(&self) -> bool {
        self.gathered.timeless
    }

    /// The distinct operations by column: f, argument and result (in codes, -1 is none),
    /// whether it completed, and the process, -1 unless processes count.
    #[getter]
    fn classes<'py>(&self, py: Python<'py>) -> ClassColumns<'py> {
        let classes = &self.gathered.classes;
        let column = |of: fn(&ClassKey) -> i32| PyArray1::from_iter(py, classes.iter().map(of));
        let completed = PyArray1::from_iter(py, classes.iter().map(|class| class.completed));
        (
            column(|class| class.f),
            column(|class| class.argument),
            column(|class| class.result),
            completed,
            column(|class| class.process),
        )
    }

    /// Searches each key as a register (with compare-and-set, or without).
    ///
    /// `names` are the operations' names by code; `values` the canonical JSON texts by code,
    /// as offsets and data; `initial` the canonical JSON text of the initial value.
    /// Raises `ValueError((class, message))` where an operation does not fit the model.
    #[allow(clippy::too_many_arguments)]
    fn search_register(
        &self,
        py: Python<'_>,
        names: Vec<String>,
        values: (PyReadonlyArray1<i64>, PyReadonlyArray1<u8>),
        initial: &str,
        with_cas: bool,
        algorithm: &str,
        limits: Limits,
    ) -> PyResult<Vec<Answer>> {
        let algorithm = Algorithm::named(algorithm)?;
        let texts = texts(&values)?;
        let mut states = States::new(&texts);
        let classes = &self.gathered.classes;
        let (model, initial) =
            register::compile(classes, &names, &texts, &mut states, initial, with_cas)
                .map_err(misfit)?;
        let decide = |key: &KeyHistory, model: &mut Register, budget: &Budget| {
            if algorithm != Algorithm::Jit {
                match by_zones(key, model, initial, budget) {
                    Some(outcome) => return (outcome, "zones"),
                    None if algorithm == Algorithm::Monitor => return (UNFIT, "zones"),
                    None => {}
                }
            }
            let relevant = relevant(key, &model.classes);
            let key = relevant.as_ref().unwrap_or(key);
            (search_key(key, initial, model, budget), "jit")
        };
        let text = |_: &_, state: State| states.text(state).to_owned();
        self.search(py, model, limits, decide, text)
    }

    /// Searches each key as the object named `model`, from the model's own initial state as
    /// canonical JSON; the rest as in `search_register`.
    #[allow(clippy::too_many_arguments)]
    fn search_object(
        &self,
        py: Python<'_>,
        model: &str,
        names: Vec<String>,
        values: (PyReadonlyArray1<i64>, PyReadonlyArray1<u8>),
        initial: &str,
        algorithm: &str,
        limits: Limits,
    ) -> PyResult<Vec<Answer>> {
        let algorithm = Algorithm::named(algorithm)?;
        let texts = texts(&values)?;
        let source = Source {
            classes: &self.gathered.classes,
            names: &names,
            values: &texts,
            initial,
        };
        match model {
            "log" => self.judge(py, Log::compile(&source), algorithm, limits),
            "queue" => self.judge(py, Queue::compile(&source), algorithm, limits),
            "set" => self.judge(py, Set::compile(&source), algorithm, limits),
            "versioned-register" => self.judge(py, Versioned::compile(&source), algorithm, limits),
            "stack" => self.judge(py, Stack::compile(&source), algorithm, limits),
            "priority-queue" => self.judge(py, PriorityQueue::compile(&source), algorithm, limits),
            "lock" => self.judge(py, Lock::compile(&source, false), algorithm, limits),
            "reentrant-lock" => self.judge(py, Lock::compile(&source, true), algorithm, limits),
            "semaphore" => self.judge(py, Semaphore::compile(&source), algorithm, limits),
            "lease" => self.judge(py, Lease::compile(&source), algorithm, limits),
            "counter" => self.judge(py, Counter::compile(&source), algorithm, limits),
            _ => Err(PyValueError::new_err("the engine has no such model")),
        }
    }

    /// Searches each key as a string with `get`, `put` and `append`.
    fn search_strings(
        &self,
        py: Python<'_>,
        names: Vec<String>,
        values: (PyReadonlyArray1<i64>, PyReadonlyArray1<u8>),
        initial: &str,
        limits: Limits,
    ) -> PyResult<Vec<Answer>> {
        let texts = texts(&values)?;
        let model =
            Strings::compile(&self.gathered.classes, &names, &texts, initial).map_err(misfit)?;
        self.search(py, model, limits, jit, Strings::text)
    }

    /// Searches each key with a model written in Python: `ask(state, class)` answers the
    /// number of the next state or -1; states are the numbers that `ask` gave out, the
    /// initial one is 0.  `read_only` tells of each class whether it never changes a state.
    /// `only`, unless it is empty, is the state in which alone the class is legal, or -1.
    /// Raises what `ask` raises.
    fn search_python(
        &self,
        py: Python<'_>,
        ask: Py<PyAny>,
        read_only: Vec<bool>,
        only: Vec<i32>,
        limits: Limits,
    ) -> PyResult<Vec<Answer>> {
        let classes = self.gathered.classes.len();
        if read_only.len() != classes || !(only.is_empty() || only.len() == classes) {
            return Err(PyValueError::new_err(
                "read_only and only have one entry for each class",
            ));
        }
        let keys = limits
            .only
            .as_ref()
            .map_or(self.gathered.keys.len(), Vec::len);
        let model = PythonModel::new(ask, read_only, only, keys == 1);
        let errors = model.clone();
        // A thread that has no state in the interpreter makes one each time it asks, which
        // takes longer than most steps: attached once around the search, it keeps it.  A
        // search that is alone keeps the lock, too, but for a moment now and then.
        let attached = |key: &KeyHistory, model: &mut PythonModel, budget: &Budget| {
            Python::attach(|py| match keys {
                1 => jit(key, model, budget),
                _ => py.detach(|| jit(key, model, budget)),
            })
        };
        let answers = self.search(py, model, limits, attached, |_, state| state.to_string())?;
        match errors.take_error() {
            Some(error) => Err(error),
            None => Ok(answers),
        }
    }
}

impl Operations {
    /// Judges each key by the monitor of its data type, or else by the general search.
    fn judge<O: Monitored + 'static>(
        &self,
        py: Python<'_>,
        object: Result<O, Misfit>,
        algorithm: Algorithm,
        limits: Limits,
    ) -> PyResult<Vec<Answer>> {
        let object = object.map_err(misfit)?;
        let decide = |key: &KeyHistory, model: &mut Interned<O>, budget: &Budget| {
            let relevant = object.relevant(key);
            let key = relevant.as_ref().unwrap_or(key);
            if algorithm != Algorithm::Jit {
                match by_monitor(key, model, budget) {
                    Some(outcome) => return (outcome, O::ALGORITHM),
                    None if algorithm == Algorithm::Monitor => return (UNFIT, O::ALGORITHM),
                    None => {}
                }
            }
            (model.search(key, 0, budget), "jit")
        };
        let model = Interned::new(object.clone());
        self.search(py, model, limits, decide, Interned::text)
    }

    fn search<T, F>(
        &self,
        py: Python<'_>,
        model: T,
        limits: Limits,
        decide: impl Fn(&KeyHistory, &mut T, &Budget) -> Decision + Sync,
        text: F,
    ) -> PyResult<Vec<Answer>>
    where
        T: Transitions + Clone + Send + Sync,
        F: Fn(&T, State) -> String + Sync,
    {
        let budget = limits.budget();
        let tasks = limits.tasks(&self.gathered.keys)?;
        let jobs = limits.jobs.clamp(1, tasks.len().max(1));
        let judge = |key: &KeyHistory, model: &mut T, budget: &Budget| {
            let (mut outcome, algorithm) = decide(key, model, budget);
            let told = |c: &Configuration| c.told.clone().unwrap_or_else(|| text(model, c.state));
            let texts = match &mut outcome {
                Outcome::Invalid(violation) => violation.configurations.iter().map(told).collect(),
                Outcome::Unknown(open) => {
                    if let Some(suspension) = &mut open.suspension {
                        suspension.tell(|state| text(model, state));
                    }
                    Vec::new()
                }
                Outcome::Valid { .. } => Vec::new(),
            };
            (outcome, (algorithm, texts))
        };
        let found: Mutex<Vec<(usize, (Outcome, Manner))>> = Mutex::default();
        let failure: Mutex<Option<PyErr>> = Mutex::default();
        let hear = |number: usize, judged: (Outcome, Manner)| {
            let Some(tell) = &limits.tell else {
                let mut found = found.lock().expect("nobody panics with the lock");
                return found.push((number, judged));
            };
            let told = Python::attach(|py| {
                let (outcome, (algorithm, texts)) = judged;
                let answer = answer(py, outcome, algorithm, texts)?;
                tell.call1(py, (number, answer)).map(|_| ())
            });
            if let Err(error) = told {
                budget.cancelled.store(true, Ordering::Relaxed);
                *failure.lock().expect("nobody panics with the lock") = Some(error);
            }
        };
        let court = Court {
            judge,
            hear,
            budget: budget.clone(),
            jobs,
        };
        let mut model = model;
        model.limited_by(&budget);
        let mut models = vec![model];
        let tasks = py.detach(|| court.at_once(tasks, &mut models));
        if !tasks.is_empty() {
            while models.len() < jobs {
                models.push(models[0].clone());
            }
            interruptible(py, &budget, || court.in_rounds(tasks, &mut models))?;
        }
        if let Some(error) = failure.into_inner().expect("no thread panicked") {
            return Err(error);
        }
        let mut found = found.into_inner().expect("no thread panicked");
        found.sort_unstable_by_key(|(number, _)| *number);
        found
            .into_iter()
            .map(|(_, (outcome, (algorithm, texts)))| answer(py, outcome, algorithm, texts))
            .collect()
    }
}
