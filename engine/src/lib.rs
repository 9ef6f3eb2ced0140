//! The native half of momus: what is too slow in Python, and nothing else.
//!
//! `reading` turns files into columns; `search` decides linearizability over columns, and
//! `monitors` does for the data types that need no search; `objects` are the data types;
//! `sequential` searches for an order where real time does not count.
//! Python describes (models, formats, verdicts), Rust searches.

// Without Python nobody calls much of it.
#![cfg_attr(not(feature = "python"), allow(dead_code))]

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod monitors;
mod objects;
mod reading;
mod search;
mod sequential;

#[cfg(feature = "python")]
use pyo3::prelude::*;

#[cfg(feature = "python")]
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    reading::register(module)?;
    search::register(module)?;
    sequential::register(module)?;
    Ok(())
}
