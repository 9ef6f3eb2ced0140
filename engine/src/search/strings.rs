//! The string key-value model: `get`, `put` and `append` on one key.
//!
//! A state is the string that the key holds.  After n appends it is n pieces long, so
//! states are not stored: a state is known by its length and two polynomial hashes modulo
//! 2^61 - 1, from which those of a concatenation follow in constant time.  Two different
//! strings of one history share all three with a probability below 2^-80; a `valid` that
//! rested on it would not pass the verifier, which works on the strings themselves.

use std::any::Any;
use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::history::Class;
use super::model::{State, Transitions, ILLEGAL};
use super::operations::ClassKey;
use super::register::Misfit;
use super::values::{string, Texts};

const MODULUS: u64 = (1 << 61) - 1;
/// Two bases without any relation to what texts are made of.
const BASES: [u64; 2] = [0x0a5e_1f2b_93d7_4c61, 0x13c9_0b7d_5a6e_f843];

fn multiply(a: u64, b: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(MODULUS)) as u64
}

/// A string, by length and hashes; `power` is the base to the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Digest {
    length: u64,
    hash: [u64; 2],
    power: [u64; 2],
}

impl Digest {
    fn of(text: &str) -> Self {
        let mut digest = Digest {
            length: text.len() as u64,
            hash: [0; 2],
            power: [1; 2],
        };
        for (side, base) in BASES.into_iter().enumerate() {
            for byte in text.bytes() {
                let shifted = multiply(digest.hash[side], base);
                digest.hash[side] = (shifted + u64::from(byte) + 1) % MODULUS;
                digest.power[side] = multiply(digest.power[side], base);
            }
        }
        digest
    }

    fn then(&self, tail: &Digest) -> Self {
        let mut digest = Digest {
            length: self.length + tail.length,
            ..*self
        };
        for side in 0..2 {
            digest.hash[side] =
                (multiply(self.hash[side], tail.power[side]) + tail.hash[side]) % MODULUS;
            digest.power[side] = multiply(self.power[side], tail.power[side]);
        }
        digest
    }
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Get(State),
    Put(State),
    /// Appends the piece of this number.
    Append(u32),
    Nothing,
}

/// How a state came about, to tell its string.
#[derive(Clone, Copy)]
enum Origin {
    /// The string of this number in `Strings::literals`.
    Literal(u32),
    /// A state, with a piece appended.
    Append(State, u32),
}

/// One key of a string store.
#[derive(Clone)]
pub struct Strings {
    operations: Vec<Operation>,
    pieces: Vec<(Digest, String)>,
    literals: Vec<String>,
    states: HashMap<Digest, State, FxBuildHasher>,
    digests: Vec<Digest>,
    origins: Vec<Origin>,
    steps: HashMap<(State, u32), State, FxBuildHasher>,
}

impl Strings {
    /// Translates the classes of a history.  The initial state has the number 0.
    pub fn compile(
        classes: &[ClassKey],
        names: &[String],
        values: &Texts,
        initial: &str,
    ) -> Result<Strings, Misfit> {
        let mut model = Strings {
            operations: Vec::with_capacity(classes.len()),
            pieces: Vec::new(),
            literals: Vec::new(),
            states: HashMap::default(),
            digests: Vec::new(),
            origins: Vec::new(),
            steps: HashMap::default(),
        };
        let text = |class: usize, text: &str| {
            string(text).ok_or_else(|| {
                let message =
                    format!("the model kv holds strings (or null for none), but here is {text}");
                Misfit { class, message }
            })
        };
        model.literal(text(0, initial)?);
        for (index, class) in classes.iter().enumerate() {
            let operation = match names[class.f as usize].as_str() {
                "get" | "read" | "r" if !class.completed => Operation::Nothing,
                "get" | "read" | "r" => {
                    Operation::Get(model.literal(text(index, values.get(class.result))?))
                }
                "put" | "write" | "w" => {
                    Operation::Put(model.literal(text(index, values.get(class.argument))?))
                }
                "append" => {
                    let piece = text(index, values.get(class.argument))?;
                    model.pieces.push((Digest::of(&piece), piece));
                    Operation::Append(model.pieces.len() as u32 - 1)
                }
                other => {
                    let message =
                        format!("the model kv has no operation '{other}', only get, put, append");
                    return Err(Misfit {
                        class: index,
                        message,
                    });
                }
            };
            model.operations.push(operation);
        }
        Ok(model)
    }

    fn literal(&mut self, text: String) -> State {
        let digest = Digest::of(&text);
        if let Some(state) = self.states.get(&digest) {
            return *state;
        }
        self.literals.push(text);
        self.state(digest, Origin::Literal(self.literals.len() as u32 - 1))
    }

    fn state(&mut self, digest: Digest, origin: Origin) -> State {
        let next = self.digests.len() as State;
        let state = *self.states.entry(digest).or_insert(next);
        if state == next {
            self.digests.push(digest);
            self.origins.push(origin);
        }
        state
    }

    /// The string of a state, as JSON.
    pub fn text(&self, mut state: State) -> String {
        let mut pieces = Vec::new();
        let start = loop {
            match self.origins[state as usize] {
                Origin::Literal(literal) => break &self.literals[literal as usize],
                Origin::Append(before, piece) => {
                    pieces.push(self.pieces[piece as usize].1.as_str());
                    state = before;
                }
            }
        };
        pieces.push(start);
        pieces.reverse();
        serde_json::to_string(&pieces.concat()).expect("strings are JSON")
    }
}

impl Transitions for Strings {
    fn step(&mut self, state: State, class: Class) -> State {
        match self.operations[class as usize] {
            Operation::Get(value) if value == state => state,
            Operation::Get(_) => ILLEGAL,
            Operation::Put(value) => value,
            Operation::Nothing => state,
            Operation::Append(piece) => {
                if let Some(next) = self.steps.get(&(state, piece)) {
                    return *next;
                }
                let digest = self.digests[state as usize].then(&self.pieces[piece as usize].0);
                let next = self.state(digest, Origin::Append(state, piece));
                self.steps.insert((state, piece), next);
                next
            }
        }
    }

    fn read_only(&self, class: Class) -> bool {
        matches!(
            self.operations[class as usize],
            Operation::Get(_) | Operation::Nothing
        )
    }

    fn bytes(&self) -> usize {
        // A state stands in three tables, and a step in a fourth.
        let state = 2 * size_of::<Digest>() + size_of::<Origin>() + size_of::<State>();
        self.states.capacity() * state + self.steps.capacity() * 16
    }

    fn keep(&self) -> Option<Box<dyn Any + Send>> {
        Some(Box::new(self.clone()))
    }

    fn adopt(&mut self, kept: Box<dyn Any + Send>) -> bool {
        match kept.downcast::<Self>() {
            Ok(kept) => {
                *self = *kept;
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn a_concatenation_has_the_digest_of_the_whole() {
        let whole = Digest::of("x 1 2 y");
        assert_eq!(Digest::of("x 1").then(&Digest::of(" 2 y")), whole);
        assert_eq!(Digest::of("").then(&whole), whole);
        assert_ne!(Digest::of("x 1 2 z"), whole);
    }
}
