//! The Python boundary of the search for sequential consistency.

use std::sync::Arc;
use std::time::{Duration, Instant};

use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::decide::decide;
use super::threads::Threads;
use super::told::Found;
use crate::search::answer::word;
use crate::search::boundary::Operations;
use crate::search::budget::{Budget, Ledger};
use crate::search::call::{interruptible, misfit, texts};
use crate::search::model::{State, Transitions};
use crate::search::python::PythonModel;
use crate::search::register;
use crate::search::strings::Strings;
use crate::search::values::States;

/// What was found for a whole history.
#[pyclass(frozen, get_all)]
pub struct SequentialAnswer {
    /// "valid", "invalid" or "unknown".
    verdict: &'static str,
    /// Why it is unknown: "time", "memory".
    exhausted: Option<&'static str>,
    /// Valid: all completed operations and some optional ones in order, as invocation events.
    order: Py<PyArray1<u32>>,
    /// How many operations the farthest order placed.
    placed: usize,
    /// There: the next operation of each process that is not done, as its invocation event,
    /// and the text of the state of its key.
    next: Vec<(u32, String)>,
    /// The last completed operations placed there, as invocation events.
    last: Vec<u32>,
    /// An operation that needs a state that nobody makes.
    orphan: Option<u32>,
    /// The number of a key whose operations alone have no order.
    key: Option<u32>,
}

/// Code, name and values of a native model's operations: its name, the operations' names by
/// code, the values' offsets and data, and the canonical JSON text of the initial state.
type Native<'py> = (
    String,
    Vec<String>,
    (PyReadonlyArray1<'py, i64>, PyReadonlyArray1<'py, u8>),
    String,
);

/// Looks for an order of all operations that keeps that of each process.
///
/// `process` and `partner` are columns of the history that `operations` come from.  The model
/// is either `native` or `python`: a callable and what is read-only, as in `search_python`.
/// `seconds` and `bytes` limit it.  Raises `ValueError((class, message))` where an operation
/// does not fit the model, and what the callable raises.
#[pyfunction]
#[pyo3(signature = (operations, process, partner, native, python, seconds, bytes))]
#[allow(clippy::too_many_arguments)]
pub fn search_sequential(
    py: Python<'_>,
    operations: &Bound<'_, Operations>,
    process: PyReadonlyArray1<i32>,
    partner: PyReadonlyArray1<i64>,
    native: Option<Native<'_>>,
    python: Option<(Py<PyAny>, Vec<bool>)>,
    seconds: Option<f64>,
    bytes: Option<usize>,
) -> PyResult<SequentialAnswer> {
    let gathered = &operations.get().gathered;
    let limit = Duration::from_secs(86_400 * 365);
    let after = |seconds| Duration::try_from_secs_f64(seconds).map_or(limit, |s| s.min(limit));
    let budget = Budget {
        deadline: seconds.map(|seconds| Instant::now() + after(seconds)),
        ledger: Arc::new(Ledger::new(bytes)),
        ..Budget::default()
    };
    let history = History {
        operations: operations.get(),
        process: process.as_slice()?,
        partner: partner.as_slice()?,
    };
    if let Some((ask, read_only)) = python {
        if read_only.len() != gathered.classes.len() {
            return Err(PyValueError::new_err(
                "read_only has one entry for each class",
            ));
        }
        let mut model = PythonModel::new(ask, read_only, Vec::new(), false);
        model.limited_by(&budget);
        let errors = model.clone();
        let answer = history.search(py, model, 0, &budget, |_, state| state.to_string());
        return match errors.take_error() {
            Some(error) => Err(error),
            None => answer,
        };
    }
    let Some((name, names, values, initial)) = native else {
        return Err(PyValueError::new_err("there is no model"));
    };
    let texts = texts(&values)?;
    let classes = &gathered.classes;
    match name.as_str() {
        "kv" => {
            let model = Strings::compile(classes, &names, &texts, &initial).map_err(misfit)?;
            history.search(py, model, 0, &budget, Strings::text)
        }
        "register" | "cas-register" => {
            let mut states = States::new(&texts);
            let with_cas = name == "cas-register";
            let (model, initial) =
                register::compile(classes, &names, &texts, &mut states, &initial, with_cas)
                    .map_err(misfit)?;
            let text = |_: &_, state| states.text(state).to_owned();
            history.search(py, model, initial, &budget, text)
        }
        _ => Err(PyValueError::new_err("the engine has no such model")),
    }
}

struct History<'a> {
    operations: &'a Operations,
    process: &'a [i32],
    partner: &'a [i64],
}

impl History<'_> {
    fn search<T: Transitions + Send>(
        &self,
        py: Python<'_>,
        mut model: T,
        initial: State,
        budget: &Budget,
        text: impl Fn(&T, State) -> String + Sync,
    ) -> PyResult<SequentialAnswer> {
        let keys = &self.operations.gathered.keys;
        let mut run = || {
            let histories = keys.iter().map(|(_, key)| key);
            let ignored = |class| model.read_only(class);
            let threads = Threads::new(histories, self.process, self.partner, ignored);
            budget.ledger.run(1);
            // As in `search_python`: a thread that is attached once asks faster.
            let found =
                Python::attach(|py| py.detach(|| decide(&threads, initial, &mut model, budget)));
            let told = |next: &[(u32, State)]| -> Vec<(u32, String)> {
                next.iter()
                    .map(|&(event, state)| (event, text(&model, state)))
                    .collect()
            };
            let next = match &found {
                Found::Nothing(stuck) => told(&stuck.next),
                _ => Vec::new(),
            };
            (found, next)
        };
        let (found, next) = interruptible(py, budget, &mut run)?;
        Ok(answer(py, found, next))
    }
}

fn answer(py: Python<'_>, found: Found, next: Vec<(u32, String)>) -> SequentialAnswer {
    let mut answer = SequentialAnswer {
        verdict: "valid",
        exhausted: None,
        order: Vec::new().into_pyarray(py).unbind(),
        placed: 0,
        next,
        last: Vec::new(),
        orphan: None,
        key: None,
    };
    match found {
        Found::Order(order) => {
            answer.placed = order.len();
            answer.order = order.into_pyarray(py).unbind();
        }
        Found::Nothing(stuck) => {
            answer.verdict = "invalid";
            answer.placed = stuck.placed;
            answer.last = stuck.last;
            answer.orphan = stuck.orphan;
            answer.key = stuck.key;
        }
        Found::Unknown { exhausted, placed } => {
            answer.verdict = "unknown";
            answer.exhausted = Some(word(exhausted));
            answer.placed = placed;
        }
    }
    answer
}
