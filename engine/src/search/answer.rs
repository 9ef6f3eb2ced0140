//! What Python is told of one key.

use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

use super::budget::Exhausted;
use super::outcome::Outcome;

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
    /// Why it is unknown: "time", "memory", "width", "unfit".
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
}

/// An outcome as Python sees it; `states` are the texts of its configurations' states.
pub fn answer(
    py: Python<'_>,
    outcome: Outcome,
    algorithm: &'static str,
    states: Vec<String>,
) -> PyResult<Answer> {
    let array = |order: Vec<u32>| order.into_pyarray(py).unbind();
    Ok(match outcome {
        Outcome::Valid { order } => Answer {
            verdict: "valid",
            algorithm,
            exhausted: None,
            position: 0,
            order: array(order),
            stuck: None,
            concurrent: Vec::new(),
            writer: None,
            configurations: Vec::new(),
            configurations_total: 0,
        },
        Outcome::Invalid(violation) => Answer {
            verdict: "invalid",
            algorithm,
            exhausted: None,
            position: violation.position,
            order: array(violation.prefix),
            stuck: Some(violation.event),
            concurrent: violation.concurrent,
            writer: violation.writer,
            configurations: violation
                .configurations
                .into_iter()
                .zip(states)
                .map(|(c, state)| (state, c.linearized, c.crashed))
                .collect(),
            configurations_total: violation.configurations_total,
        },
        Outcome::Unknown {
            exhausted,
            position,
        } => Answer {
            verdict: "unknown",
            algorithm,
            exhausted: Some(match exhausted {
                Exhausted::Time | Exhausted::Steps | Exhausted::Cancelled => "time",
                Exhausted::Memory => "memory",
                Exhausted::Width => "width",
                Exhausted::Broken => "broken",
                Exhausted::Unfit => "unfit",
            }),
            position,
            order: array(Vec::new()),
            stuck: None,
            concurrent: Vec::new(),
            writer: None,
            configurations: Vec::new(),
            configurations_total: 0,
        },
    })
}
