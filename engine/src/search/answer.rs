//! What Python is told of one key.

use std::sync::Arc;

use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::budget::Exhausted;
use super::outcome::{Configuration, Outcome};
use super::suspension::Suspension;

/// A configuration: the state's text, the open operations linearized (invocation events),
/// and the crashed operations consumed (class, how many).
type Possible = (String, Vec<u32>, Vec<(u32, u32)>);

/// What was found for one key.
#[pyclass(frozen, get_all)]
pub struct Answer {
    /// "valid", "invalid" or "unknown".
    verdict: &'static str,
    /// What decided it: "jit", the general search, or the name of a monitor.
    algorithm: &'static str,
    /// Why it is unknown: "time", "memory", "steps", "width", "broken", "unfit".
    exhausted: Option<&'static str>,
    /// Valid: a linearization, as invocation events.  Invalid: a longest one that stops
    /// before the first operation that cannot be placed.
    order: Py<PyArray1<u32>>,
    /// The first operation that cannot be placed, as its invocation event.
    stuck: Option<u32>,
    /// Operations that overlap with it, as invocation events: the last few.
    concurrent: Vec<u32>,
    /// The last operation that could have written what it read.
    writer: Option<u32>,
    /// The returns before this one can all be placed.
    position: u32,
    /// What was possible just before.
    configurations: Vec<Possible>,
    configurations_total: u64,
    /// Invalid: only a few operations that contradict each other were looked at, and all of
    /// this holds for them alone.
    excerpt: bool,
    /// Unknown: the operation that returns at `position`, as its invocation event.
    reached: Option<u32>,
    /// Unknown: where a later call goes on, if it can.
    suspended: Option<Py<Suspended>>,
}

/// Where the search of one key was when it ended; see `suspension`.
#[pyclass(frozen)]
pub struct Suspended {
    pub search: Arc<Suspension>,
}

#[pymethods]
impl Suspended {
    /// What `to_bytes` gave, with the texts of the states.  Raises `ValueError` where it is
    /// anything else.
    #[staticmethod]
    fn from_bytes(data: &[u8], states: Vec<String>) -> PyResult<Self> {
        let search = Suspension::from_bytes(data, states)
            .ok_or_else(|| PyValueError::new_err("these bytes are no suspended search"))?;
        Ok(Suspended {
            search: Arc::new(search),
        })
    }

    /// The search as plain numbers.
    fn to_bytes(&self) -> Vec<u8> {
        self.search.to_bytes()
    }

    /// The texts of the states that were possible at the furthest return.
    #[getter]
    fn states(&self) -> Vec<String> {
        self.search.told()
    }

    /// How many configurations have been visited, in all calls.
    #[getter]
    fn visited(&self) -> u64 {
        self.search.visited
    }
}

/// An outcome as Python sees it; `states` are the texts of its configurations' states.
pub fn answer(
    py: Python<'_>,
    outcome: Outcome,
    algorithm: &'static str,
    states: Vec<String>,
) -> PyResult<Answer> {
    let array = |order: Vec<u32>| order.into_pyarray(py).unbind();
    let nothing = || Answer {
        verdict: "unknown",
        algorithm,
        exhausted: None,
        order: array(Vec::new()),
        stuck: None,
        concurrent: Vec::new(),
        writer: None,
        position: 0,
        configurations: Vec::new(),
        configurations_total: 0,
        excerpt: false,
        reached: None,
        suspended: None,
    };
    Ok(match outcome {
        Outcome::Valid { order } => Answer {
            verdict: "valid",
            order: array(order),
            ..nothing()
        },
        Outcome::Invalid(violation) => {
            let (total, noted) = (
                violation.configurations_total,
                violation.configurations.len(),
            );
            let configurations = distinct(violation.configurations, states);
            Answer {
                verdict: "invalid",
                order: array(violation.prefix),
                stuck: Some(violation.event),
                concurrent: violation.concurrent,
                writer: violation.writer,
                position: violation.position,
                // If all were noted, it is known how many there are.
                configurations_total: match noted as u64 == total {
                    true => configurations.len() as u64,
                    false => total,
                },
                configurations,
                excerpt: violation.excerpt,
                ..nothing()
            }
        }
        Outcome::Unknown(open) => Answer {
            exhausted: Some(word(open.exhausted)),
            position: open.position,
            reached: open.event,
            suspended: match open.suspension {
                Some(search) => Some(Py::new(
                    py,
                    Suspended {
                        search: Arc::from(search),
                    },
                )?),
                None => None,
            },
            ..nothing()
        },
    })
}

/// Each configuration once.  One may have been met again where the table of failures was
/// given up in between.
fn distinct(configurations: Vec<Configuration>, states: Vec<String>) -> Vec<Possible> {
    let mut found: Vec<Possible> = Vec::with_capacity(configurations.len());
    for (mut configuration, state) in configurations.into_iter().zip(states) {
        configuration.linearized.sort_unstable();
        let possible = (state, configuration.linearized, configuration.crashed);
        if !found.contains(&possible) {
            found.push(possible);
        }
    }
    found
}

/// What Python calls it.
pub fn word(exhausted: Exhausted) -> &'static str {
    match exhausted {
        Exhausted::Time | Exhausted::Cancelled => "time",
        Exhausted::Steps => "steps",
        Exhausted::Memory => "memory",
        Exhausted::Width => "width",
        Exhausted::Broken => "broken",
        Exhausted::Unfit => "unfit",
    }
}
