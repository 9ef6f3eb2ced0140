//! The Python boundary of reading: bytes or a path in, columns as flat buffers out.

use super::columns::{Columns, Order};
use super::flaw::Trouble;
use super::interner::Interner;
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use super::{jepsen, json, jsonl, porcupine};

create_exception!(
    _native,
    ReadingError,
    PyValueError,
    "A flawed file: args are (line, what is wrong, whether it is corruption)."
);

impl From<Trouble> for PyErr {
    fn from(trouble: Trouble) -> PyErr {
        match trouble {
            Trouble::Flawed(flaw) => ReadingError::new_err((flaw.line, flaw.what, flaw.corrupt)),
            Trouble::Io(error) => error.into(),
        }
    }
}

/// Where the bytes are.
#[derive(FromPyObject)]
enum Source {
    Path(PathBuf),
    Data(Vec<u8>),
}

impl Source {
    fn whole(self) -> Result<Vec<u8>, Trouble> {
        match self {
            Source::Data(data) => Ok(data),
            Source::Path(path) => {
                let mut data = Vec::new();
                File::open(path)?.read_to_end(&mut data)?;
                Ok(data)
            }
        }
    }
}

/// Reads momus JSONL from a path or from bytes; returns the columns by name.
///
/// `dense` demands that an `index`, where there is one, is the position of its event.
#[pyfunction]
#[pyo3(signature = (source, *, dense = true))]
fn read_jsonl(py: Python<'_>, source: Source, dense: bool) -> PyResult<Bound<'_, PyDict>> {
    let order = if dense {
        Order::Dense
    } else {
        Order::Increasing
    };
    let recording = py.detach(|| match source {
        Source::Data(data) => jsonl::read(data.as_slice(), order),
        Source::Path(path) => jsonl::read(File::open(path)?, order),
    })?;
    let result = delivered(py, &recording.columns)?;
    result.set_item("checksummed", recording.checksummed)?;
    result.set_item("closed", recording.seals.closed)?;
    result.set_item("torn", recording.torn)?;
    Ok(result)
}

/// Reads a Jepsen or Knossos history (EDN), or Porcupine's key-value form.
#[pyfunction]
fn read_edn(py: Python<'_>, source: Source) -> PyResult<Bound<'_, PyDict>> {
    let columns =
        py.detach(|| -> Result<Columns, Trouble> { Ok(jepsen::read(&source.whole()?)?) })?;
    delivered(py, &columns)
}

/// Reads the old `jepsen.util` log form.
#[pyfunction]
fn read_log(py: Python<'_>, source: Source) -> PyResult<Bound<'_, PyDict>> {
    let columns =
        py.detach(|| -> Result<Columns, Trouble> { Ok(porcupine::read(&source.whole()?)?) })?;
    delivered(py, &columns)
}

/// The canonical form of one JSON text.
#[pyfunction]
fn canonical_json<'py>(py: Python<'py>, raw: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let mut out = Vec::new();
    json::canonical(raw, &mut out).map_err(PyValueError::new_err)?;
    Ok(PyBytes::new(py, &out))
}

fn delivered<'py>(py: Python<'py>, columns: &Columns) -> PyResult<Bound<'py, PyDict>> {
    let result = PyDict::new(py);
    result.set_item("time", longs(py, &columns.time))?;
    result.set_item("pairs", longs(py, &columns.pairs))?;
    result.set_item("type", PyBytes::new(py, &columns.kind))?;
    for (name, codes) in [
        ("process", &columns.process),
        ("f", &columns.f),
        ("key", &columns.key),
        ("value", &columns.value),
        ("error", &columns.error),
        ("node", &columns.node),
    ] {
        result.set_item(name, ints(py, codes))?;
    }
    let runs: Vec<i64> = columns
        .lines
        .iter()
        .flat_map(|&(from, offset)| [from as i64, offset])
        .collect();
    result.set_item("lines", longs(py, &runs))?;
    let tables = &columns.tables;
    for (name, table) in [
        ("process_names", &tables.names),
        ("f_names", &tables.f),
        ("keys", &tables.key),
        ("values", &tables.value),
        ("errors", &tables.error),
        ("node_names", &tables.node),
    ] {
        result.set_item(name, texts(py, table))?;
    }
    result.set_item("meta", PyBytes::new(py, &columns.meta))?;
    Ok(result)
}

fn longs<'py>(py: Python<'py>, numbers: &[i64]) -> Bound<'py, PyBytes> {
    let bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_ne_bytes())
        .collect();
    PyBytes::new(py, &bytes)
}

fn ints<'py>(py: Python<'py>, numbers: &[i32]) -> Bound<'py, PyBytes> {
    let bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_ne_bytes())
        .collect();
    PyBytes::new(py, &bytes)
}

/// A table as (offsets, data), the layout of an Arrow large string array.
fn texts<'py>(py: Python<'py>, table: &Interner) -> (Bound<'py, PyBytes>, Bound<'py, PyBytes>) {
    (
        PyBytes::new(py, &table.offsets()),
        PyBytes::new(py, table.data()),
    )
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("ReadingError", module.py().get_type::<ReadingError>())?;
    module.add_function(wrap_pyfunction!(read_jsonl, module)?)?;
    module.add_function(wrap_pyfunction!(read_edn, module)?)?;
    module.add_function(wrap_pyfunction!(read_log, module)?)?;
    module.add_function(wrap_pyfunction!(canonical_json, module)?)?;
    Ok(())
}
