//! A stack: `push v`; `pop` answers the newest element, or null where it is empty.

use super::container::{Element, Move, Moves};
use super::{Monitored, Object, Source};
use crate::monitors::intervals::Interval;
use crate::monitors::lifo;
use crate::monitors::{Finding, Part};
use crate::search::history::Class;
use crate::search::register::Misfit;

#[derive(Clone)]
pub struct Stack(Moves);

impl Stack {
    /// Translates the classes of a history.
    pub fn compile(source: &Source) -> Result<Stack, Misfit> {
        Moves::compile(source, "stack", "push", "pop").map(Stack)
    }
}

impl Object for Stack {
    /// The newest element last.
    type State = Vec<Element>;

    fn initial(&self) -> Self::State {
        Vec::new()
    }

    fn apply(&self, state: &mut Self::State, class: Class) -> bool {
        match self.0.of(class) {
            Move::Put(element) => {
                state.push(element);
                true
            }
            Move::Take(element) => state.pop() == Some(element),
            Move::Empty => state.is_empty(),
            Move::Unseen => {
                state.pop();
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

impl Monitored for Stack {
    const ALGORITHM: &'static str = "stack";

    fn judge(&self, intervals: &[Interval]) -> Finding {
        lifo::judge(intervals, &self.0.of_class)
    }

    fn part(&self, class: Class) -> Part {
        self.0.part(class)
    }
}
