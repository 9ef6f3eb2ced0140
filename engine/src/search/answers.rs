//! What a model has answered, kept where it is asked for again.
//!
//! Most classes of a history with many values occur once or twice, are asked in a state or
//! two, and that around the time when they first occur; classes are numbered in that order.
//! So the first answers of each class stand in a table by class, which is walked from one
//! end to the other, and the processor's cache has the part that is needed.  Only classes
//! that are asked in more states have a row by state, or entries in one large table of
//! hashes, where nearly every look-up would have to wait for the memory.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::history::Class;
use super::model::{State, ILLEGAL};

/// Not asked yet; no state has this number.
pub const UNKNOWN: State = ILLEGAL - 1;

const FIRSTS: usize = 2;
const NO_ROW: u32 = u32::MAX;

/// A row may be so many times longer than there are answers in it, and as long as that anyway.
const SPARSE: usize = 64;
const SHORT: usize = 256;

#[derive(Clone, Copy)]
struct First {
    states: [State; FIRSTS],
    answers: [State; FIRSTS],
    row: u32,
}

const NOTHING: First = First {
    states: [UNKNOWN; FIRSTS],
    answers: [UNKNOWN; FIRSTS],
    row: NO_ROW,
};

/// The later answers of one class, by state.
#[derive(Clone, Default)]
struct Row {
    answers: Vec<State>,
    asked: usize,
    /// Some are in the table of hashes, since the row would have become too sparse.
    elsewhere: bool,
}

/// The answers of one model, by state and class.
#[derive(Clone, Default)]
pub struct Answers {
    firsts: Vec<First>,
    rows: Vec<Row>,
    hashed: HashMap<(State, Class), State, FxBuildHasher>,
}

impl Answers {
    /// Nothing is known of any class.
    pub fn new(classes: usize) -> Self {
        Answers {
            firsts: vec![NOTHING; classes],
            ..Answers::default()
        }
    }

    /// The answer, or `UNKNOWN`.
    #[inline]
    pub fn get(&self, state: State, class: Class) -> State {
        let first = &self.firsts[class as usize];
        for place in 0..FIRSTS {
            if first.states[place] == state {
                return first.answers[place];
            }
        }
        if first.row == NO_ROW {
            return UNKNOWN;
        }
        let row = &self.rows[first.row as usize];
        match row.answers.get(state as usize) {
            Some(&answer) if answer != UNKNOWN => answer,
            _ if row.elsewhere => *self.hashed.get(&(state, class)).unwrap_or(&UNKNOWN),
            _ => UNKNOWN,
        }
    }

    /// Remembers an answer that was unknown.
    pub fn put(&mut self, state: State, class: Class, answer: State) {
        let first = &mut self.firsts[class as usize];
        for place in 0..FIRSTS {
            if first.states[place] == UNKNOWN {
                first.states[place] = state;
                first.answers[place] = answer;
                return;
            }
        }
        if first.row == NO_ROW {
            first.row = self.rows.len() as u32;
            self.rows.push(Row::default());
        }
        let row = &mut self.rows[first.row as usize];
        row.asked += 1;
        let place = state as usize;
        if place >= row.answers.len() && place < SHORT.max(SPARSE * row.asked) {
            row.answers.resize((place + 1).next_power_of_two(), UNKNOWN);
        }
        match row.answers.get_mut(place) {
            Some(cell) => *cell = answer,
            None => {
                row.elsewhere = true;
                self.hashed.insert((state, class), answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every answer is found again, and nothing else, in whatever order states are met.
    #[test]
    fn what_was_put_is_found_and_nothing_else() {
        for states in [
            vec![0, 1, 2, 3, 4],
            vec![9, 300, 7, 100_000, 5, 301, 6],
            (0..2_000).rev().step_by(3).collect::<Vec<State>>(),
            (0..40).map(|n| n * 50_000).collect(),
        ] {
            let mut answers = Answers::new(3);
            for class in [2, 0] {
                for &state in &states {
                    assert_eq!(answers.get(state, class), UNKNOWN);
                    answers.put(state, class, state ^ class);
                    assert_eq!(answers.get(state + 1_000_001, class), UNKNOWN);
                }
            }
            for &state in &states {
                assert_eq!(answers.get(state, 0), state);
                assert_eq!(answers.get(state, 1), UNKNOWN);
                assert_eq!(answers.get(state, 2), state ^ 2);
            }
        }
    }

    #[test]
    fn an_illegal_step_is_an_answer_too() {
        let mut answers = Answers::new(1);
        for state in 0..9 {
            answers.put(state, 0, ILLEGAL);
        }
        assert!((0..9).all(|state| answers.get(state, 0) == ILLEGAL));
    }
}
