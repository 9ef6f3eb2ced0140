//! A search that is not finished, as plain numbers.
//!
//! Depth first, all that is left to do stands on the stack: at each configuration on the way
//! to the present one, the choices not tried yet.  So a suspended search is the choice taken
//! at each configuration of the stack, the choices left there, and the furthest return
//! reached.  It is resumed by taking the same choices again from the beginning, which
//! restores states, sets and counts without any of them being written down.
//!
//! *Sound*: the search keeps the invariant that if a linearization (with the fewest crashed
//! operations) exists, one begins with the present path or with an untried choice of the
//! stack; whatever is not there any more was refuted.  The table of failures has no part in
//! this: it only spares the search what it has refuted before.  So to lose the table costs
//! repeated work and nothing else.  It is kept as long as the process lives and the ledger
//! allows, and never written to a file.
//!
//! Choices are slots of operations and numbers of crashed classes, which follow from the
//! key's operations alone.  The numbers of states and of other classes do not: they never
//! appear here, but for the states to be shown, which are told as texts.

use std::any::Any;
use std::fmt;
use std::hash::Hasher;
use std::sync::Mutex;

use rustc_hash::FxHasher;

use super::frontier::{Dead, Frontier};
use super::history::KeyHistory;
use super::model::{State, Transitions};

/// In place of the choice taken at the last configuration: none is being tried.
pub const NOTHING: u32 = u32::MAX;

/// In place of the number of choices left: they have not been asked for.
pub const UNASKED: u32 = u32::MAX;

/// Changes whenever the numbers mean something else.
const FORM: u32 = 1;

/// A configuration of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The choice taken there, or `NOTHING`.
    pub taken: u32,
    /// How many choices are left there, or `UNASKED`.
    pub left: u32,
}

/// Where a search was when it ended.
#[derive(Default)]
pub struct Suspension {
    /// Of which key; see `fingerprint`.
    pub key: u64,
    /// How many configurations have been visited, in all calls.
    pub visited: u64,
    pub turns: Vec<Turn>,
    /// The choices left, of one configuration after the other; the last is tried first.
    pub choices: Vec<u32>,
    pub furthest: Frontier,
    /// The table of failures, and what gives its numbers a meaning, if they are still there.
    pub table: Mutex<Option<Kept>>,
}

/// A table of failures that outlives its search; of which type, the search knows.
pub struct Kept {
    pub table: Box<dyn Any + Send>,
    pub model: Box<dyn Any + Send>,
    pub bytes: usize,
}

impl Suspension {
    /// Tells the states found in this call as texts.
    pub fn tell(&mut self, text: impl Fn(State) -> String) {
        for dead in &mut self.furthest.dead {
            let state = dead.state;
            dead.told.get_or_insert_with(|| text(state));
        }
    }

    /// The states as texts; `tell` was called before.
    pub fn told(&self) -> Vec<String> {
        let told = |dead: &Dead| dead.told.clone().unwrap_or_default();
        self.furthest.dead.iter().map(told).collect()
    }

    /// All but the table and the texts, as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut words = Words(Vec::new());
        words.0.push(FORM);
        words.long(self.key);
        words.long(self.visited);
        words.0.push(self.turns.len() as u32);
        for turn in &self.turns {
            words.0.extend([turn.taken, turn.left]);
        }
        words.list(&self.choices);
        words.0.push(self.furthest.position);
        words.long(self.furthest.total);
        words.list(&self.furthest.longest);
        words.0.push(self.furthest.dead.len() as u32);
        for dead in &self.furthest.dead {
            words.list(&dead.linearized);
            words.list(&dead.taken);
        }
        words.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// What `to_bytes` wrote, with the texts of the states; None where it is anything else.
    pub fn from_bytes(bytes: &[u8], told: Vec<String>) -> Option<Self> {
        if bytes.len() % 4 != 0 {
            return None;
        }
        let words = bytes.chunks_exact(4);
        let words: Vec<u32> = words
            .map(|word| u32::from_le_bytes(word.try_into().expect("four bytes")))
            .collect();
        let mut rest = Rest(&words);
        if rest.word()? != FORM {
            return None;
        }
        let (key, visited) = (rest.long()?, rest.long()?);
        let count = rest.word()? as usize;
        let turns = rest.some(count.checked_mul(2)?)?.chunks_exact(2);
        let turns = turns
            .map(|pair| Turn {
                taken: pair[0],
                left: pair[1],
            })
            .collect();
        let choices = rest.list()?;
        let (position, total, longest) = (rest.word()?, rest.long()?, rest.list()?);
        if rest.word()? as usize != told.len() {
            return None;
        }
        let mut dead = Vec::new();
        for text in told {
            dead.push(Dead {
                state: 0,
                told: Some(text),
                linearized: rest.list()?,
                taken: rest.list()?,
            });
        }
        rest.0.is_empty().then_some(Suspension {
            key,
            visited,
            turns,
            choices,
            furthest: Frontier::found(position, dead, total, longest),
            table: Mutex::default(),
        })
    }
}

/// Two keys of one history share this only if they are the same to the search.  What is
/// read-only is taken by itself, so it decides what the choices mean.
pub fn fingerprint<T: Transitions + ?Sized>(key: &KeyHistory, model: &T) -> u64 {
    let mut hasher = FxHasher::default();
    for (operation, event) in key.completed.iter().zip(&key.event) {
        hasher.write_u32(*event);
        hasher.write_u16(operation.slot);
        hasher.write_u8(u8::from(model.read_only(operation.class)));
    }
    for each in &key.returns {
        hasher.write_u32(each.operation);
        hasher.write_u32(each.opened);
    }
    for crashed in &key.crashed {
        hasher.write_u32(crashed.event);
        hasher.write_u32(crashed.position);
        hasher.write_u8(u8::from(model.read_only(crashed.class)));
    }
    hasher.finish()
}

impl PartialEq for Suspension {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes() && self.told() == other.told()
    }
}

impl Eq for Suspension {}

impl fmt::Debug for Suspension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suspension")
            .field("visited", &self.visited)
            .field("turns", &self.turns)
            .field("choices", &self.choices)
            .field("furthest", &self.furthest)
            .finish_non_exhaustive()
    }
}

struct Words(Vec<u32>);

impl Words {
    fn long(&mut self, number: u64) {
        self.0.extend([number as u32, (number >> 32) as u32]);
    }

    fn list(&mut self, words: &[u32]) {
        self.0.push(words.len() as u32);
        self.0.extend_from_slice(words);
    }
}

/// Words still to be read; each method answers None where there are not enough.
struct Rest<'a>(&'a [u32]);

impl<'a> Rest<'a> {
    fn some(&mut self, count: usize) -> Option<&'a [u32]> {
        let (some, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(some)
    }

    fn word(&mut self) -> Option<u32> {
        Some(self.some(1)?[0])
    }

    fn long(&mut self) -> Option<u64> {
        let pair = self.some(2)?;
        Some(u64::from(pair[0]) | u64::from(pair[1]) << 32)
    }

    fn list(&mut self) -> Option<Vec<u32>> {
        let count = self.word()? as usize;
        Some(self.some(count)?.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::{Dead, Frontier, Suspension, Turn, NOTHING, UNASKED};

    fn suspension() -> Suspension {
        let turn = |taken, left| Turn { taken, left };
        let dead = Dead {
            state: 7,
            told: Some("\"x\"".into()),
            linearized: vec![3],
            taken: vec![0, 0],
        };
        Suspension {
            key: u64::MAX - 1,
            visited: 1 << 40,
            turns: vec![turn(2, UNASKED), turn(NOTHING, 2)],
            choices: vec![1, 4],
            furthest: Frontier::found(5, vec![dead], 9, vec![0, 1, 2]),
            ..Suspension::default()
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let before = suspension();
        let after = Suspension::from_bytes(&before.to_bytes(), before.told());
        assert_eq!(after, Some(before));
    }

    #[test]
    fn what_is_too_short_or_too_long_is_refused() {
        let whole = suspension().to_bytes();
        for length in 0..whole.len() {
            assert_eq!(
                Suspension::from_bytes(&whole[..length], vec![String::new()]),
                None
            );
        }
        let longer = [&whole[..], &[0; 4]].concat();
        assert_eq!(Suspension::from_bytes(&longer, vec![String::new()]), None);
        assert_eq!(Suspension::from_bytes(&whole, Vec::new()), None);
    }
}
