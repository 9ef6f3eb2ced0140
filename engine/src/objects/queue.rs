//! A FIFO queue: `enqueue v`; `dequeue` answers the oldest element, or null where it is empty.

use std::collections::VecDeque;

use super::container::{Element, Move, Moves};
use super::{Monitored, Object, Source};
use crate::monitors::fifo;
use crate::monitors::intervals::Interval;
use crate::monitors::{Finding, Part};
use crate::search::history::Class;
use crate::search::register::Misfit;

#[derive(Clone)]
pub struct Queue(Moves);

impl Queue {
    /// Translates the classes of a history.
    pub fn compile(source: &Source) -> Result<Queue, Misfit> {
        Moves::compile(source, "queue", "enqueue", "dequeue").map(Queue)
    }
}

impl Object for Queue {
    type State = VecDeque<Element>;

    fn initial(&self) -> Self::State {
        VecDeque::new()
    }

    fn apply(&self, state: &mut Self::State, class: Class) -> bool {
        match self.0.of(class) {
            Move::Put(element) => {
                state.push_back(element);
                true
            }
            Move::Take(element) => state.pop_front() == Some(element),
            Move::Empty => state.is_empty(),
            Move::Unseen => {
                state.pop_front();
                true
            }
        }
    }

    fn read_only(&self, class: Class) -> bool {
        self.0.of(class) == Move::Empty
    }

    fn text(&self, state: &Self::State) -> String {
        self.0.text(state.iter().copied())
    }

    fn weight(&self, state: &Self::State) -> usize {
        state.capacity() * size_of::<Element>()
    }
}

impl Monitored for Queue {
    const ALGORITHM: &'static str = "queue";

    fn judge(&self, intervals: &[Interval]) -> Finding {
        fifo::judge(intervals, &self.0.of_class)
    }

    fn part(&self, class: Class) -> Part {
        self.0.part(class)
    }
}
