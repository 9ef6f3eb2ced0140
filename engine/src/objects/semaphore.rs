//! A semaphore: `acquire` and `release` of some permits, of which a fixed number exists.

use std::sync::Arc;

use super::{first_alike, Monitored, Object, Source};
use crate::monitors::intervals::Interval;
use crate::monitors::permits::judge;
use crate::monitors::{Excerpt, Finding, Operation, Part};
use crate::search::history::Class;
use crate::search::register::Misfit;

/// How many permits an operation gives back; those that it takes are negative.
pub type Returned = i64;

#[derive(Clone)]
pub struct Semaphore {
    pub operations: Arc<Vec<Returned>>,
    alike: Arc<Vec<u32>>,
    /// How many are free at first.
    pub free: i64,
    /// How many there are.
    pub permits: i64,
}

impl Semaphore {
    /// Translates the classes of a history.
    pub fn compile(source: &Source) -> Result<Semaphore, Misfit> {
        let operations = source.translate(|class| {
            let sign = match source.name(class) {
                "acquire" => -1,
                "release" => 1,
                other => {
                    let message = "a semaphore has no operation";
                    return Err(format!("{message} '{other}', only acquire and release"));
                }
            };
            if class.completed && source.result(class) == "false" {
                return Err("what a semaphore refused did not happen: record it as `fail`".into());
            }
            match source.argument(class) {
                "null" => Ok(sign),
                text => match text.parse::<i64>() {
                    Ok(count) if count > 0 => Ok(sign * count),
                    _ => Err(format!(
                        "permits are counted by an integer from 1, or null for 1, not {text}"
                    )),
                },
            }
        })?;
        let initial: Option<(i64, i64)> = serde_json::from_str(source.initial).ok();
        let (free, permits) = initial.ok_or_else(|| Misfit {
            class: 0,
            message: format!("the permits are [free, all], not {}", source.initial),
        })?;
        Ok(Semaphore {
            alike: Arc::new(first_alike(&operations)),
            operations: Arc::new(operations),
            free,
            permits,
        })
    }
}

impl Object for Semaphore {
    /// How many permits are free.
    type State = i64;

    const SMALL: bool = true;

    fn initial(&self) -> Self::State {
        self.free
    }

    fn apply(&self, state: &mut Self::State, class: Class) -> bool {
        match state.checked_add(self.operations[class as usize]) {
            Some(free) if (0..=self.permits).contains(&free) => {
                *state = free;
                true
            }
            _ => false,
        }
    }

    fn read_only(&self, _class: Class) -> bool {
        false
    }

    fn alike(&self, class: Class) -> u32 {
        self.alike[class as usize]
    }

    fn text(&self, state: &Self::State) -> String {
        format!("[{state},{}]", self.permits)
    }

    fn weight(&self, _state: &Self::State) -> usize {
        size_of::<Self::State>()
    }
}

impl Monitored for Semaphore {
    const ALGORITHM: &'static str = "semaphore";

    fn judge(&self, intervals: &[Interval]) -> Finding {
        judge(intervals, &self.operations, self.free, self.permits)
    }

    fn part(&self, _class: Class) -> Part {
        Part::Kept
    }

    /// Everything up to the last return among the contradicting operations.
    fn excerpt(&self, operations: Vec<Operation>, intervals: &[Interval]) -> Excerpt<Self::State> {
        Excerpt::up_to(operations, intervals, self.initial())
    }
}
