//! Elements in a line: a queue gives out the oldest, a stack the newest.
//!
//! Whoever asks while there is nothing is answered null.

use std::collections::VecDeque;
use std::marker::PhantomData;

use super::container::{Element, Move, Moves};
use super::{Monitored, Object, Source};
use crate::monitors::intervals::Interval;
use crate::monitors::{fifo, lifo, Finding, Part};
use crate::search::history::Class;
use crate::search::register::Misfit;

/// A FIFO queue: `enqueue v`; `dequeue` answers the oldest element.
pub type Queue = Line<Oldest>;

/// A stack: `push v`; `pop` answers the newest element.
pub type Stack = Line<Newest>;

/// Which end of the line gives out elements, and what all this is called.
pub trait End: Clone + Send + Sync + 'static {
    const NAME: &'static str;
    const PUT: &'static str;
    const TAKE: &'static str;

    fn take(line: &mut VecDeque<Element>) -> Option<Element>;

    fn judge(intervals: &[Interval], moves: &[Move]) -> Finding;
}

#[derive(Clone)]
pub struct Oldest;

impl End for Oldest {
    const NAME: &'static str = "queue";
    const PUT: &'static str = "enqueue";
    const TAKE: &'static str = "dequeue";

    fn take(line: &mut VecDeque<Element>) -> Option<Element> {
        line.pop_front()
    }

    fn judge(intervals: &[Interval], moves: &[Move]) -> Finding {
        fifo::judge(intervals, moves)
    }
}

#[derive(Clone)]
pub struct Newest;

impl End for Newest {
    const NAME: &'static str = "stack";
    const PUT: &'static str = "push";
    const TAKE: &'static str = "pop";

    fn take(line: &mut VecDeque<Element>) -> Option<Element> {
        line.pop_back()
    }

    fn judge(intervals: &[Interval], moves: &[Move]) -> Finding {
        lifo::judge(intervals, moves)
    }
}

#[derive(Clone)]
pub struct Line<E> {
    moves: Moves,
    end: PhantomData<E>,
}

impl<E: End> Line<E> {
    /// Translates the classes of a history.
    pub fn compile(source: &Source) -> Result<Self, Misfit> {
        Ok(Line {
            moves: Moves::compile(source, E::NAME, E::PUT, E::TAKE)?,
            end: PhantomData,
        })
    }
}

impl<E: End> Object for Line<E> {
    /// The oldest element first.
    type State = VecDeque<Element>;

    fn initial(&self) -> Self::State {
        VecDeque::new()
    }

    fn apply(&self, state: &mut Self::State, class: Class) -> bool {
        match self.moves.of(class) {
            Move::Put(element) => {
                state.push_back(element);
                true
            }
            Move::Take(element) => E::take(state) == Some(element),
            Move::Empty => state.is_empty(),
            Move::Unseen => {
                E::take(state);
                true
            }
        }
    }

    fn read_only(&self, class: Class) -> bool {
        self.moves.of(class) == Move::Empty
    }

    fn text(&self, state: &Self::State) -> String {
        self.moves.text(state.iter().copied())
    }

    fn weight(&self, state: &Self::State) -> usize {
        state.capacity() * size_of::<Element>()
    }
}

impl<E: End> Monitored for Line<E> {
    const ALGORITHM: &'static str = E::NAME;

    fn judge(&self, intervals: &[Interval]) -> Finding {
        E::judge(intervals, &self.moves.of_class)
    }

    fn part(&self, class: Class) -> Part {
        self.moves.part(class)
    }
}
