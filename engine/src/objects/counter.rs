//! A counter: `add` of an integer, and `read` of the sum.

use std::sync::Arc;

use super::{first_alike, Monitored, Object, Source};
use crate::monitors::increments::judge;
use crate::monitors::intervals::Interval;
use crate::monitors::{Excerpt, Finding, Operation, Part};
use crate::search::history::Class;
use crate::search::register::Misfit;

/// The operations of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CounterOp {
    Add(i64),
    Read(i64),
    /// A read whose answer nobody saw.
    Nothing,
}

/// No history is so long that its sum does not fit.
pub type Sum = i128;

#[derive(Clone)]
pub struct Counter {
    pub operations: Arc<Vec<CounterOp>>,
    alike: Arc<Vec<u32>>,
    initial: i64,
}

impl Counter {
    /// Translates the classes of a history.
    pub fn compile(source: &Source) -> Result<Counter, Misfit> {
        let integer = |text: &str, what: &str| {
            let parsed = text.parse::<i64>();
            parsed.map_err(|_| format!("{what} is an integer of at most 64 bits, not {text}"))
        };
        let operations = source.translate(|class| match source.name(class) {
            "add" => integer(source.argument(class), "what is added").map(CounterOp::Add),
            "read" if !class.completed => Ok(CounterOp::Nothing),
            "read" => integer(source.result(class), "what a counter holds").map(CounterOp::Read),
            other => Err(format!(
                "a counter has no operation '{other}', only add and read"
            )),
        })?;
        let misfit = |message| Misfit { class: 0, message };
        Ok(Counter {
            alike: Arc::new(first_alike(&operations)),
            operations: Arc::new(operations),
            initial: integer(source.initial, "what a counter holds").map_err(misfit)?,
        })
    }
}

impl Object for Counter {
    type State = Sum;

    const SMALL: bool = true;

    fn initial(&self) -> Self::State {
        Sum::from(self.initial)
    }

    fn apply(&self, state: &mut Self::State, class: Class) -> bool {
        match self.operations[class as usize] {
            CounterOp::Add(count) => {
                *state += Sum::from(count);
                true
            }
            CounterOp::Read(sum) => *state == Sum::from(sum),
            CounterOp::Nothing => true,
        }
    }

    fn read_only(&self, class: Class) -> bool {
        !matches!(self.operations[class as usize], CounterOp::Add(count) if count != 0)
    }

    fn alike(&self, class: Class) -> u32 {
        self.alike[class as usize]
    }

    fn text(&self, state: &Self::State) -> String {
        state.to_string()
    }

    fn weight(&self, _state: &Self::State) -> usize {
        size_of::<Self::State>()
    }
}

impl Monitored for Counter {
    const ALGORITHM: &'static str = "counter";

    fn judge(&self, intervals: &[Interval]) -> Finding {
        judge(intervals, &self.operations, self.initial())
    }

    fn part(&self, class: Class) -> Part {
        match self.operations[class as usize] {
            CounterOp::Add(_) => Part::Kept,
            CounterOp::Read(_) | CounterOp::Nothing => Part::Free,
        }
    }

    /// The reads among these, and the adds that are concurrent with what lies between them.
    ///
    /// A linearization without the other reads is one still.  Adds that returned before the
    /// first of these reads was invoked stand before all of them, so they may be counted in
    /// the initial sum instead; adds that were invoked when the last had returned stand
    /// behind them, and may be left out.
    fn excerpt(&self, operations: Vec<Operation>, intervals: &[Interval]) -> Excerpt<Self::State> {
        let mut excerpt = Excerpt::up_to(operations.clone(), intervals, self.initial());
        let mut sorted = operations;
        sorted.sort_unstable();
        let is_given = |interval: &Interval| sorted.binary_search(&interval.operation).is_ok();
        let given = intervals.iter().filter(|interval| is_given(interval));
        let begin = given.map(|interval| interval.invoked).min().unwrap_or(0);
        excerpt.operations.clear();
        for interval in intervals {
            match self.operations[interval.class as usize] {
                CounterOp::Add(count) if interval.returned < begin => {
                    excerpt.initial += Sum::from(count);
                }
                CounterOp::Read(_) | CounterOp::Nothing if !is_given(interval) => {}
                _ => excerpt.operations.push(interval.operation),
            }
        }
        excerpt
    }
}
