//! Linearizability: the general search, and what Python sees of it.
//!
//! A history's columns become `Operations` (operations.rs, history.rs): one `KeyHistory`
//! per key, in which operations are numbers, classes of equal operations are numbers, and
//! open operations hold slots.  A model (register.rs, strings.rs, python.rs) answers what a
//! class does to a state.  `keys` searches the keys side by side, each by `depth_first`.

#[cfg(feature = "python")]
pub mod answer;
#[cfg(feature = "python")]
mod answers;
mod bits;
#[cfg(feature = "python")]
pub mod boundary;
pub mod budget;
#[cfg(feature = "python")]
pub mod call;
mod crashed;
mod depth_first;
#[cfg(test)]
mod depth_first_tests;
mod failed;
mod frontier;
pub mod history;
pub mod keys;
pub mod model;
pub mod operations;
pub mod outcome;
#[cfg(feature = "python")]
pub mod python;
pub mod register;
pub mod relevance;
mod resumption;
pub mod strings;
mod surroundings;
pub mod suspension;
#[cfg(test)]
mod suspension_tests;
mod told;
pub mod values;

#[cfg(feature = "python")]
use pyo3::prelude::*;

#[cfg(feature = "python")]
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<boundary::Operations>()?;
    module.add_class::<answer::Answer>()?;
    module.add_class::<answer::Suspended>()?;
    Ok(())
}
