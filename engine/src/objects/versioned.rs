//! A register that numbers its values: etcd's keys with their revisions.
//!
//! Values are `[version, value]`, and each write has a greater version than the one before.
//! Where nobody learnt the version of a write, the state is *every* state that the write may
//! have made at once: the value, and the least version it may have.  The set stays of that
//! form whatever follows, so nothing has to be guessed; a read that saw the version makes it
//! exact.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use rustc_hash::FxBuildHasher;

use super::pairs::{numbered, Numbered};
use super::texts::{Numbering, Packed};
use super::{Monitored, Object, Source};
use crate::monitors::intervals::Interval;
use crate::monitors::versions;
use crate::monitors::{Finding, Part};
use crate::search::history::Class;
use crate::search::register::Misfit;
use crate::search::values::pair;

/// An integer that grows with each write.
pub type Version = i64;

/// A value, by the number of its text.
pub type Value = u32;

/// The operations; a version that nobody learnt is None.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VersionedOp {
    Read(Option<Version>, Value),
    Write(Option<Version>, Value),
    /// Compare and set, which succeeded.
    Cas(Option<Version>, Value, Value),
    /// Compare and set of which the system said that the register did not hold the value.
    Mismatch(Value),
    /// Constrains nothing (a read whose answer nobody saw).
    Nothing,
}

/// A value and its version, or the least one that it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    pub version: Version,
    pub exact: bool,
    pub value: Value,
}

/// The operations of a history, and what has to be known of all of them together.
#[derive(Clone)]
pub struct Versioned {
    pub operations: Arc<Vec<VersionedOp>>,
    pub initial: (Version, Value),
    /// The texts of the values, by number.
    texts: Arc<Packed>,
    /// By value: some write of it has no known version.
    unlearnt: Arc<Vec<bool>>,
    /// By value: which version it has cannot be told from every operation on it.
    loose: Arc<Vec<bool>>,
    has_cas: bool,
    alike: Arc<OnceLock<Vec<u32>>>,
}

impl Versioned {
    /// Translates the classes of a history.  The error is an operation that is none of a
    /// versioned register's, or whose value is not of its form.
    pub fn compile(source: &Source) -> Result<Versioned, Misfit> {
        let mut values = Numbering::default();
        let initial = match numbered(source.initial) {
            Some(Numbered {
                number: Some(version),
                value,
            }) => (version, values.number(value)),
            _ => (0, values.number("null")),
        };
        let mut operations = Vec::with_capacity(source.classes.len());
        for (class, key) in source.classes.iter().enumerate() {
            let asked = || numbered(source.argument(key)).map(|argument| argument.value);
            let learnt = || match key.completed && key.result >= 0 {
                true => numbered(source.result(key)).map(|result| result.number),
                false => Some(None),
            };
            let operation = match source.name(key) {
                "read" if !key.completed => Some(VersionedOp::Nothing),
                "read" => numbered(source.result(key))
                    .map(|read| VersionedOp::Read(read.number, values.number(read.value))),
                "write" => asked().and_then(|value| {
                    learnt().map(|version| VersionedOp::Write(version, values.number(value)))
                }),
                "cas" => asked().and_then(pair).and_then(|(from, to)| {
                    let (from, to) = (values.number(from), values.number(to));
                    match (key.completed, source.result(key)) {
                        (true, "false") => Some(VersionedOp::Mismatch(from)),
                        (true, "true") => Some(VersionedOp::Cas(None, from, to)),
                        _ => learnt().map(|version| VersionedOp::Cas(version, from, to)),
                    }
                }),
                other => {
                    let message = format!(
                        "a versioned register has no operation '{other}', only read, write and cas"
                    );
                    return Err(Misfit { class, message });
                }
            };
            operations.push(operation.ok_or_else(|| misfit(source, class))?);
        }
        Ok(Versioned::of(operations, initial, values.finish()))
    }

    fn of(operations: Vec<VersionedOp>, initial: (Version, Value), texts: Packed) -> Versioned {
        let mut unlearnt = vec![false; texts.len()];
        let mut unseen = vec![false; texts.len()];
        let mut has_cas = false;
        for operation in &operations {
            match *operation {
                VersionedOp::Write(None, value) | VersionedOp::Cas(None, _, value) => {
                    unlearnt[value as usize] = true;
                }
                VersionedOp::Read(None, value) => unseen[value as usize] = true,
                _ => {}
            }
            has_cas |= matches!(operation, VersionedOp::Cas(..) | VersionedOp::Mismatch(_));
        }
        let either = unlearnt.iter().zip(&unseen);
        let loose = either.map(|(a, b)| *a || *b).collect();
        Versioned {
            operations: Arc::new(operations),
            initial,
            texts: Arc::new(texts),
            unlearnt: Arc::new(unlearnt),
            loose: Arc::new(loose),
            has_cas,
            alike: Arc::default(),
        }
    }
}

/// What is wrong with the operation, and what would be right.
fn misfit(source: &Source, class: usize) -> Misfit {
    let key = &source.classes[class];
    let (argument, result) = (source.argument(key), source.result(key));
    let message = match source.name(key) {
        "read" => format!("a read answers [version, value], but here it is {result}"),
        "write" if numbered(argument).is_none() => {
            format!("the value of a write is [null, value], but here it is {argument}")
        }
        "cas"
            if numbered(argument)
                .and_then(|asked| pair(asked.value))
                .is_none() =>
        {
            format!("the value of a cas is [null, [from, to]], but here it is {argument}")
        }
        name => format!("a {name} answers [version, value], but here it is {result}"),
    };
    Misfit { class, message }
}

impl Object for Versioned {
    type State = Held;

    fn initial(&self) -> Held {
        Held {
            version: self.initial.0,
            exact: true,
            value: self.initial.1,
        }
    }

    fn apply(&self, state: &mut Held, class: Class) -> bool {
        let (version, value) = match self.operations[class as usize] {
            VersionedOp::Nothing => return true,
            VersionedOp::Mismatch(from) => return state.value != from,
            VersionedOp::Read(None, value) => return state.value == value,
            VersionedOp::Read(Some(version), value) => {
                let possible = match state.exact {
                    true => state.version == version,
                    false => state.version <= version,
                };
                state.version = version;
                state.exact = true;
                return possible && state.value == value;
            }
            VersionedOp::Cas(_, from, _) if state.value != from => return false,
            VersionedOp::Cas(version, _, to) => (version, to),
            VersionedOp::Write(version, value) => (version, value),
        };
        // Some version that the state may have is less than this one iff the least one is.
        let possible = version.is_none_or(|version| state.version < version);
        *state = Held {
            version: version.unwrap_or(state.version + 1),
            exact: version.is_some(),
            value,
        };
        possible
    }

    fn read_only(&self, class: Class) -> bool {
        match self.operations[class as usize] {
            // Where every write of the value has its version, a state that holds it is exact.
            VersionedOp::Read(Some(_), value) => !self.unlearnt[value as usize],
            VersionedOp::Read(None, _) | VersionedOp::Mismatch(_) | VersionedOp::Nothing => true,
            VersionedOp::Write(..) | VersionedOp::Cas(..) => false,
        }
    }

    fn alike(&self, class: Class) -> u32 {
        let first_alike = || {
            let mut first: HashMap<VersionedOp, u32, FxBuildHasher> = HashMap::default();
            let numbered = self.operations.iter().zip(0..);
            numbered
                .map(|(operation, class)| *first.entry(*operation).or_insert(class))
                .collect()
        };
        self.alike.get_or_init(first_alike)[class as usize]
    }

    fn text(&self, state: &Held) -> String {
        let (version, value) = (state.version, self.texts.get(state.value));
        match state.exact {
            true => format!("[{version},{value}]"),
            false => format!("[{version},{value},\"or later\"]"),
        }
    }

    fn weight(&self, _state: &Held) -> usize {
        size_of::<Held>()
    }
}

/// In a part's number: the part is a value, not a version.
const OF_VALUE: u32 = 1 << 31;

impl Monitored for Versioned {
    const ALGORITHM: &'static str = "versions";

    fn judge(&self, intervals: &[Interval]) -> Finding {
        versions::judge(intervals, &self.operations, self.initial)
    }

    /// Take a legal sequence, and for each write of an unknown version one that it may have
    /// had.  A read can always be dropped.  Where nothing compares values, a write can be
    /// dropped together with the reads that saw it: what is left still has growing versions,
    /// and each read the same write before it.  Which reads these are is told by the version,
    /// if everything on that value has one; else all on the value are dropped together.
    /// Where values are compared, a write may be what another one found.
    fn part(&self, class: Class) -> Part {
        let part = |version: Option<Version>, value: Value| match version {
            Some(version) if !self.loose[value as usize] => {
                // Versions that share a number are dropped together, which does no harm.
                (version as u32 ^ (version >> 32) as u32) & !OF_VALUE
            }
            _ => OF_VALUE | value,
        };
        match self.operations[class as usize] {
            VersionedOp::Read(version, value) => Part::Spare(part(version, value)),
            VersionedOp::Write(version, value) if !self.has_cas => {
                Part::Whole(part(version, value))
            }
            VersionedOp::Mismatch(_) | VersionedOp::Nothing => Part::Free,
            VersionedOp::Write(..) | VersionedOp::Cas(..) => Part::Kept,
        }
    }
}
