//! A log with offsets: `append v` answers `[offset, v]`, `read [offset, null]` answers what
//! is there, or `[offset, null]` where there is nothing yet.  Offsets are dense, from 0.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use rustc_hash::FxBuildHasher;

use super::pairs::numbered;
use super::sparse::Sparse;
use super::texts::{Numbering, Packed};
use super::{Monitored, Object, Source};
use crate::monitors::evidence::joined;
use crate::monitors::intervals::Interval;
use crate::monitors::offsets;
use crate::monitors::{Excerpt, Finding, Operation, Part};
use crate::search::history::Class;
use crate::search::operations::ClassKey;
use crate::search::register::Misfit;

pub type Offset = i64;

/// A value, by the number of its text.
pub type Value = u32;

/// The operations; an offset that nobody learnt is None.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogOp {
    Append(Option<Offset>, Value),
    Read(Offset, Value),
    /// A read that was told that there is nothing yet.
    Nothing(Offset),
    /// Constrains nothing (a read whose answer nobody saw).
    Unseen,
}

#[derive(Clone)]
pub struct Log {
    pub operations: Arc<Vec<LogOp>>,
    texts: Arc<Packed>,
    /// By value: some append of it has no known offset.
    unlearnt: Arc<Vec<bool>>,
    /// Only what is known of single offsets is looked at.
    narrow: bool,
    alike: Arc<OnceLock<Vec<u32>>>,
}

/// What was appended: by offset, the number of the value and one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Entries {
    length: Offset,
    values: Sparse,
}

impl Log {
    /// Translates the classes of a history.
    pub fn compile(source: &Source) -> Result<Log, Misfit> {
        let mut values = Numbering::default();
        let mut operations = Vec::with_capacity(source.classes.len());
        for (class, key) in source.classes.iter().enumerate() {
            let operation = match source.name(key) {
                "append" => append(source, key, &mut values),
                "read" => read(source, key, &mut values),
                other => Err(format!(
                    "a log has no operation '{other}', only append and read"
                )),
            };
            operations.push(operation.map_err(|message| Misfit { class, message })?);
        }
        let texts = values.finish();
        let mut unlearnt = vec![false; texts.len()];
        for operation in &operations {
            if let LogOp::Append(None, value) = operation {
                unlearnt[*value as usize] = true;
            }
        }
        Ok(Log {
            operations: Arc::new(operations),
            texts: Arc::new(texts),
            unlearnt: Arc::new(unlearnt),
            narrow: false,
            alike: Arc::default(),
        })
    }

    /// What is legal as far as single offsets tell (`narrowed`).
    fn apply_narrow(&self, state: &mut Entries, class: Class) -> bool {
        match self.operations[class as usize] {
            LogOp::Append(None, _) | LogOp::Unseen => true,
            LogOp::Append(Some(offset), value) => state.put(offset, value),
            LogOp::Nothing(offset) => state.length <= offset,
            LogOp::Read(offset, value) => match state.get(offset) {
                Some(known) => known == value,
                // Perhaps an append of an unknown offset has put it there.
                None if self.unlearnt[value as usize] => {
                    state.length = state.length.max(offset + 1);
                    state.values.grow(offset as usize);
                    state.values.set(offset as usize, u64::from(value) + 1);
                    true
                }
                None => false,
            },
        }
    }
}

fn append<'a>(
    source: &Source<'a>,
    key: &ClassKey,
    values: &mut Numbering<'a>,
) -> Result<LogOp, String> {
    let (argument, result) = (source.argument(key), source.result(key));
    if argument == "null" {
        return Err(
            "null cannot be appended: a read answers [offset, null] where nothing is".into(),
        );
    }
    let value = values.number(argument);
    if !key.completed || key.result < 0 {
        return Ok(LogOp::Append(None, value));
    }
    match numbered(result) {
        Some(pair) => Ok(LogOp::Append(pair.number, value)),
        None => Err(format!(
            "an append answers [offset, value], but here it is {result}"
        )),
    }
}

fn read<'a>(
    source: &Source<'a>,
    key: &ClassKey,
    values: &mut Numbering<'a>,
) -> Result<LogOp, String> {
    let (argument, result) = (source.argument(key), source.result(key));
    let Some(offset) = numbered(argument).and_then(|asked| asked.number) else {
        return Err(format!(
            "the value of a read is [offset, null], but here it is {argument}"
        ));
    };
    if !key.completed {
        return Ok(LogOp::Unseen);
    }
    match numbered(result).filter(|answer| answer.number == Some(offset)) {
        Some(answer) if answer.value == "null" => Ok(LogOp::Nothing(offset)),
        Some(answer) => Ok(LogOp::Read(offset, values.number(answer.value))),
        None => Err(format!(
            "a read of offset {offset} answers [{offset}, value], but here it is {result}"
        )),
    }
}

impl Entries {
    fn get(&self, offset: Offset) -> Option<Value> {
        let word = self.values.get(offset as usize);
        word.checked_sub(1).map(|value| value as Value)
    }

    /// Appends at this offset or behind it; false if the log is longer already.
    fn put(&mut self, offset: Offset, value: Value) -> bool {
        let possible = self.length <= offset;
        if possible {
            self.length = offset + 1;
            self.values.grow(offset as usize);
            self.values.set(offset as usize, u64::from(value) + 1);
        }
        possible
    }
}

impl Object for Log {
    type State = Entries;

    fn initial(&self) -> Entries {
        Entries {
            length: 0,
            values: Sparse::with_room(1),
        }
    }

    fn apply(&self, state: &mut Entries, class: Class) -> bool {
        if self.narrow {
            return self.apply_narrow(state, class);
        }
        match self.operations[class as usize] {
            LogOp::Append(Some(offset), _) if offset != state.length => false,
            LogOp::Append(_, value) => state.put(state.length, value),
            LogOp::Read(offset, value) => state.get(offset) == Some(value),
            LogOp::Nothing(offset) => state.length <= offset,
            LogOp::Unseen => true,
        }
    }

    fn read_only(&self, class: Class) -> bool {
        match self.operations[class as usize] {
            LogOp::Append(..) => false,
            LogOp::Read(_, value) => !self.narrow || !self.unlearnt[value as usize],
            LogOp::Nothing(_) | LogOp::Unseen => true,
        }
    }

    fn alike(&self, class: Class) -> u32 {
        let first_alike = || {
            let mut first: HashMap<LogOp, u32, FxBuildHasher> = HashMap::default();
            let numbered = self.operations.iter().zip(0..);
            numbered
                .map(|(operation, class)| *first.entry(*operation).or_insert(class))
                .collect()
        };
        self.alike.get_or_init(first_alike)[class as usize]
    }

    /// Looked at offset by offset, a log is something that may leave gaps: an append must
    /// have an offset beyond all before it, what is appended at an offset is read there, and
    /// nothing is beyond the end.  Every sequence of a log is one of that too, and of that
    /// all operations on an offset may be dropped together.  An append of an unknown offset
    /// may be anywhere: here it does nothing, and a read of such a value puts it there.
    fn narrowed(&self, _parts: &[u32]) -> Option<Log> {
        Some(Log {
            narrow: true,
            ..self.clone()
        })
    }

    fn text(&self, state: &Entries) -> String {
        let each = state.values.words().into_iter();
        let texts: Vec<&str> = each
            .map(|(_, word)| self.texts.get(word as u32 - 1))
            .collect();
        format!("[{}]", texts.join(","))
    }

    fn weight(&self, state: &Entries) -> usize {
        state.values.weight()
    }
}

impl Monitored for Log {
    const ALGORITHM: &'static str = "offsets";

    fn judge(&self, intervals: &[Interval]) -> Finding {
        offsets::judge(intervals, &self.operations)
    }

    /// See `narrowed`.  Offsets that share a number are dropped together, which does no harm.
    fn part(&self, class: Class) -> Part {
        match self.operations[class as usize] {
            LogOp::Append(Some(offset), _) => Part::Whole(offset as u32),
            LogOp::Read(offset, _) | LogOp::Nothing(offset) => Part::Spare(offset as u32),
            LogOp::Append(None, _) | LogOp::Unseen => Part::Free,
        }
    }

    /// As `part` speaks of a log looked at offset by offset, that is how it is looked at.
    fn excerpt(&self, operations: Vec<Operation>, intervals: &[Interval]) -> Excerpt<Entries> {
        let all = joined(operations, intervals, |class| self.part(class));
        Excerpt {
            parts: Some(Vec::new()),
            ..Excerpt::whole(all, self.initial())
        }
    }
}
