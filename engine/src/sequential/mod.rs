//! Sequential consistency: some order of all operations that the model allows and that keeps
//! the order in which each process did its own.  Real time does not count.
//!
//! Unlike linearizability this is not local: each key alone may have an order where all keys
//! together have none (Lamport 1979 has the example).  So the whole history is one search:
//! `threads` lays it out process by process, `search` looks for an order.

mod balance;
#[cfg(feature = "python")]
mod boundary;
mod decide;
mod digest;
mod search;
#[cfg(test)]
mod search_tests;
mod steps;
mod threads;
mod told;

#[cfg(feature = "python")]
use pyo3::prelude::*;

#[cfg(feature = "python")]
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<boundary::SequentialAnswer>()?;
    module.add_function(wrap_pyfunction!(boundary::search_sequential, module)?)?;
    Ok(())
}
