//! A FIFO queue: `enqueue v`; `dequeue` answers the oldest element, or null where it is empty.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Monitored, Object, Source};
use crate::monitors::intervals::Interval;
use crate::monitors::{Finding, Part};
use crate::search::history::Class;
use crate::search::register::Misfit;

/// An element, as the code of its value in the history.
pub type Element = i32;

/// The operations of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueOp {
    Enqueue(Element),
    Dequeue(Element),
    /// A dequeue that was answered that there is nothing.
    Empty,
    /// A dequeue whose answer nobody saw: it took the oldest element, if there was one.
    DequeueUnseen,
}

#[derive(Clone)]
pub struct Queue {
    pub operations: Arc<Vec<QueueOp>>,
    /// The texts of the elements, by code.
    texts: Arc<Vec<String>>,
}

impl Queue {
    /// Translates the classes of a history.
    pub fn compile(source: &Source) -> Result<Queue, Misfit> {
        let operations = source.translate(|class| match source.name(class) {
            "enqueue" if class.argument < 0 => Err(
                "null cannot be enqueued: a dequeue answers null where the queue is empty".into(),
            ),
            "enqueue" => Ok(QueueOp::Enqueue(class.argument)),
            "dequeue" if !class.completed => Ok(QueueOp::DequeueUnseen),
            "dequeue" if class.result < 0 => Ok(QueueOp::Empty),
            "dequeue" => Ok(QueueOp::Dequeue(class.result)),
            other => Err(format!(
                "a queue has no operation '{other}', only enqueue and dequeue"
            )),
        })?;
        let texts = (0..source.values.len() as i32).map(|code| source.values.get(code).to_owned());
        Ok(Queue {
            operations: Arc::new(operations),
            texts: Arc::new(texts.collect()),
        })
    }
}

impl Object for Queue {
    type State = VecDeque<Element>;

    fn initial(&self) -> Self::State {
        VecDeque::new()
    }

    fn apply(&self, state: &mut Self::State, class: Class) -> bool {
        match self.operations[class as usize] {
            QueueOp::Enqueue(element) => {
                state.push_back(element);
                true
            }
            QueueOp::Dequeue(element) => state.pop_front() == Some(element),
            QueueOp::Empty => state.is_empty(),
            QueueOp::DequeueUnseen => {
                state.pop_front();
                true
            }
        }
    }

    fn read_only(&self, class: Class) -> bool {
        self.operations[class as usize] == QueueOp::Empty
    }

    fn text(&self, state: &Self::State) -> String {
        let elements: Vec<&str> = state
            .iter()
            .map(|&element| self.texts[element as usize].as_str())
            .collect();
        format!("[{}]", elements.join(","))
    }

    fn weight(&self, state: &Self::State) -> usize {
        state.capacity() * size_of::<Element>()
    }
}

impl Monitored for Queue {
    const ALGORITHM: &'static str = "queue";

    fn judge(&self, _intervals: &[Interval]) -> Finding {
        Finding::Unfit
    }

    fn part(&self, class: Class) -> Part {
        match self.operations[class as usize] {
            QueueOp::Enqueue(element) | QueueOp::Dequeue(element) => Part::Whole(element as u32),
            QueueOp::Empty => Part::Free,
            QueueOp::DequeueUnseen => Part::Kept,
        }
    }
}
