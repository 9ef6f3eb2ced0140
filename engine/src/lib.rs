//! The native half of momus: what is too slow in Python, and nothing else.
//!
//! `reading` turns files into columns; `search` decides linearizability over columns.
//! Python describes (models, formats, verdicts), Rust searches.

mod reading;
mod search;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    reading::register(module)?;
    search::register(module)?;
    Ok(())
}
