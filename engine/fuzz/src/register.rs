//! A register with compare-and-set, as the targets understand it.

use crate::choices::Choices;
use _native::fuzzing::{Class, RegisterOp, State};

/// What an operation on a register does; None where it is illegal.
pub fn step(state: &State, op: RegisterOp) -> Option<State> {
    match op {
        RegisterOp::Read(value) => (value == *state).then_some(*state),
        RegisterOp::Write(value) => Some(value),
        RegisterOp::Cas(from, to) => (from == *state).then_some(to),
        RegisterOp::CasMismatch(from) => (from != *state).then_some(*state),
        RegisterOp::Nothing => Some(*state),
    }
}

/// Draws operations over few values; with `distinct`, only reads, and writes of new values.
pub struct Draw {
    pub classes: Vec<RegisterOp>,
    pub values: u32,
    pub distinct: bool,
    written: State,
}

impl Draw {
    pub fn new(values: u32, distinct: bool) -> Self {
        Draw {
            classes: Vec::new(),
            values,
            distinct,
            written: 0,
        }
    }

    /// A class that does what is drawn.  Equal operations share one, or do not.
    pub fn class(&mut self, choices: &mut Choices, completed: bool) -> Class {
        let kind = choices.byte();
        let op = match kind % if self.distinct { 2 } else { 4 } {
            // A crashed read has seen nothing.
            0 if !completed => RegisterOp::Nothing,
            0 if self.distinct => RegisterOp::Read(choices.below(self.written + 2)),
            0 => RegisterOp::Read(choices.below(self.values)),
            1 if self.distinct => {
                self.written += 1;
                RegisterOp::Write(self.written)
            }
            1 => RegisterOp::Write(choices.below(self.values)),
            2 => RegisterOp::Cas(choices.below(self.values), choices.below(self.values)),
            _ if !completed => RegisterOp::Nothing,
            _ => RegisterOp::CasMismatch(choices.below(self.values)),
        };
        let known = self.classes.iter().position(|known| *known == op);
        match known {
            Some(class) if kind < 128 => class as Class,
            _ => {
                self.classes.push(op);
                self.classes.len() as Class - 1
            }
        }
    }
}
