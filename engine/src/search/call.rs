//! A call from Python: its limits, and how it is interrupted.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{sync_channel, RecvTimeoutError};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use numpy::PyReadonlyArray1;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::answer::Suspended;
use super::budget::{Budget, Ledger};
use super::history::KeyHistory;
use super::keys::Task;
use super::register::Misfit;
use super::values::Texts;

/// How often a search looks whether Python has a signal to handle.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// The limits of a call, and what is known from earlier ones.
#[derive(FromPyObject)]
pub struct Limits {
    pub seconds: Option<f64>,
    pub bytes: Option<usize>,
    pub jobs: usize,
    /// How many configurations each search may visit.
    pub steps: Option<u64>,
    /// The numbers of the keys to be judged, if not all.
    pub only: Option<Vec<usize>>,
    /// For each of them, where an earlier call left its search; may be empty.
    pub earlier: Vec<Option<Py<Suspended>>>,
    /// Is told the number of a key and its answer, as soon as there is one, from any thread.
    /// Then nothing is answered in the end.
    pub tell: Option<Py<PyAny>>,
}

impl Limits {
    pub fn budget(&self) -> Budget {
        let most = Duration::from_secs(86_400 * 365);
        let after = |seconds| {
            let time = Duration::try_from_secs_f64(seconds).unwrap_or(most);
            Instant::now() + time.min(most)
        };
        Budget {
            deadline: self.seconds.map(after),
            steps: self.steps,
            comes_back: false,
            ledger: Arc::new(Ledger::new(self.bytes)),
            cancelled: Arc::default(),
            earlier: None,
        }
    }

    /// The keys to be judged.
    pub fn tasks<'a>(&self, keys: &'a [(i32, KeyHistory)]) -> PyResult<Vec<Task<'a>>> {
        let chosen = match &self.only {
            Some(only) => only.clone(),
            None => (0..keys.len()).collect(),
        };
        let fits = self.earlier.is_empty() || self.earlier.len() == chosen.len();
        if !fits || chosen.iter().any(|&number| number >= keys.len()) {
            return Err(PyValueError::new_err("there are no such keys"));
        }
        let earlier = self.earlier.iter().map(Option::as_ref);
        let earlier = earlier.chain(std::iter::repeat(None));
        Ok(chosen
            .into_iter()
            .zip(earlier)
            .map(|(number, earlier)| Task {
                number,
                key: &keys[number].1,
                earlier: earlier.map(|earlier| Arc::clone(&earlier.get().search)),
            })
            .collect())
    }
}

/// Runs without the interpreter's lock, and stops early where a signal handler raises.
pub fn interruptible<R: Send>(
    py: Python<'_>,
    budget: &Budget,
    run: impl FnOnce() -> R + Send,
) -> PyResult<R> {
    py.detach(|| {
        thread::scope(|scope| {
            let (done, wait) = sync_channel(1);
            scope.spawn(move || done.send(run()));
            let mut interruption = None;
            loop {
                match wait.recv_timeout(SIGNAL_INTERVAL) {
                    Ok(found) => return interruption.map_or(Ok(found), Err),
                    Err(RecvTimeoutError::Disconnected) => panic!("the search panicked"),
                    Err(RecvTimeoutError::Timeout) => {
                        if let Err(error) = Python::attach(|py| py.check_signals()) {
                            budget.cancelled.store(true, Ordering::Relaxed);
                            interruption = Some(error);
                        }
                    }
                }
            }
        })
    })
}

/// Values as `History.values` holds them: offsets and data.
pub fn texts<'a>(
    values: &'a (PyReadonlyArray1<'_, i64>, PyReadonlyArray1<'_, u8>),
) -> PyResult<Texts<'a>> {
    let (offsets, data) = values;
    Texts::new(data.as_slice()?, offsets.as_slice()?)
        .ok_or_else(|| PyValueError::new_err("the offsets of the values do not fit their data"))
}

/// What Python is told of an operation that does not fit its model.
pub fn misfit(misfit: Misfit) -> PyErr {
    PyValueError::new_err((misfit.class, misfit.message))
}
