//! A set: `add v` and `remove v`, with or without an answer whether they changed it,
//! `contains v`, and `read` of the whole.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use rustc_hash::FxBuildHasher;
use serde_json::value::RawValue;

use super::sparse::Sparse;
use super::texts::{Numbering, Packed};
use super::{Monitored, Object, Source};
use crate::monitors::evidence::joined;
use crate::monitors::intervals::Interval;
use crate::monitors::sets;
use crate::monitors::{Excerpt, Finding, Operation, Part};
use crate::search::history::Class;
use crate::search::operations::ClassKey;
use crate::search::register::Misfit;

/// An element, by the number of its text.
pub type Element = u32;

/// The operations; what is told to have changed nothing is an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetOp {
    /// It was not there, and now is.
    Added(Element),
    /// It is there now, whatever was before.
    Add(Element),
    /// It was there, and now is not.
    Removed(Element),
    Remove(Element),
    /// It was there, and stays.
    Present(Element),
    Absent(Element),
    /// The whole set was the one with this number.
    Read(u32),
    /// Constrains nothing.
    Nothing,
}

impl SetOp {
    pub fn element(self) -> Option<Element> {
        match self {
            SetOp::Added(element)
            | SetOp::Add(element)
            | SetOp::Removed(element)
            | SetOp::Remove(element)
            | SetOp::Present(element)
            | SetOp::Absent(element) => Some(element),
            SetOp::Read(_) | SetOp::Nothing => None,
        }
    }
}

#[derive(Clone)]
pub struct Set {
    pub operations: Arc<Vec<SetOp>>,
    /// The sets that were read, their elements in order.
    pub reads: Arc<Vec<Box<[Element]>>>,
    texts: Arc<Packed>,
    /// The elements looked at; None is all of them.
    focus: Option<Arc<Vec<Element>>>,
    alike: Arc<OnceLock<Vec<u32>>>,
}

/// Which elements are there, and how many.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Members {
    bits: Sparse,
    count: usize,
}

impl Set {
    /// Translates the classes of a history.
    pub fn compile(source: &Source) -> Result<Set, Misfit> {
        let mut elements = Numbering::default();
        let mut reads = Vec::new();
        let mut operations = Vec::with_capacity(source.classes.len());
        for (class, key) in source.classes.iter().enumerate() {
            let operation = match source.name(key) {
                "read" if !key.completed => Ok(SetOp::Nothing),
                "read" => members(source.result(key), &mut elements).map(|read| {
                    reads.push(read);
                    SetOp::Read(reads.len() as u32 - 1)
                }),
                "add" | "remove" | "contains" => of_element(source, key, &mut elements),
                other => Err(format!(
                    "a set has no operation '{other}', only add, remove, contains and read"
                )),
            };
            operations.push(operation.map_err(|message| Misfit { class, message })?);
        }
        Ok(Set {
            operations: Arc::new(operations),
            reads: Arc::new(reads),
            texts: Arc::new(elements.finish()),
            focus: None,
            alike: Arc::default(),
        })
    }

    fn of(&self, interval: &Interval) -> SetOp {
        self.operations[interval.class as usize]
    }

    fn looks_at(&self, element: Element) -> bool {
        let focus = self.focus.as_deref();
        focus.is_none_or(|focus| focus.binary_search(&element).is_ok())
    }

    fn is(&self, state: &Members, read: &[Element]) -> bool {
        match self.focus.as_deref() {
            None => read.len() == state.count && read.iter().all(|&e| state.has(e)),
            Some(focus) => focus
                .iter()
                .all(|&e| read.binary_search(&e).is_ok() == state.has(e)),
        }
    }
}

/// An operation on one element.
fn of_element<'a>(
    source: &Source<'a>,
    key: &ClassKey,
    elements: &mut Numbering<'a>,
) -> Result<SetOp, String> {
    let name = source.name(key);
    let text = source.argument(key);
    if matches!(text, "null" | "true" | "false") {
        return Err(format!(
            "an element of a set is neither null nor a boolean, but here it is {text}"
        ));
    }
    let element = elements.number(text);
    let result = source.result(key);
    Ok(match (name, result) {
        ("add", "true") => SetOp::Added(element),
        ("remove", "true") => SetOp::Removed(element),
        ("add", "false") | ("contains", "true") => SetOp::Present(element),
        ("remove", "false") | ("contains", "false") => SetOp::Absent(element),
        ("add", _) => SetOp::Add(element),
        ("remove", _) => SetOp::Remove(element),
        _ if !key.completed => SetOp::Nothing,
        _ => {
            return Err(format!(
                "contains answers true or false, but here it is {result}"
            ))
        }
    })
}

/// The elements of a JSON array, each once and in order of their numbers.
fn members<'a>(text: &'a str, elements: &mut Numbering<'a>) -> Result<Box<[Element]>, String> {
    let plain = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .filter(|inside| {
            !inside
                .bytes()
                .any(|byte| matches!(byte, b'"' | b'[' | b'{'))
        });
    // Whole reads mostly list the elements in the order in which they were added.
    let mut next = 0;
    let mut number = |text: &'a str| {
        let element = elements.number_near(text, next);
        next = element + 1;
        element
    };
    let mut found: Vec<Element> = match plain {
        Some("") => Vec::new(),
        // Without strings or nesting, commas stand between elements only.
        Some(inside) => inside.split(',').map(number).collect(),
        None => {
            let each: Vec<&RawValue> = serde_json::from_str(text)
                .map_err(|_| format!("a read of a set answers a list, but here it is {text}"))?;
            each.iter().map(|each| number(each.get())).collect()
        }
    };
    found.sort_unstable();
    found.dedup();
    Ok(found.into_boxed_slice())
}

impl Members {
    fn has(&self, element: Element) -> bool {
        self.bits.get(element as usize / 64) >> (element % 64) & 1 == 1
    }

    fn put(&mut self, element: Element, present: bool) {
        if self.has(element) == present {
            return;
        }
        let word = element as usize / 64;
        self.bits
            .set(word, self.bits.get(word) ^ 1 << (element % 64));
        self.count = if present {
            self.count + 1
        } else {
            self.count - 1
        };
    }

    fn elements(&self) -> Vec<Element> {
        let of_word = |(number, word): (usize, u64)| {
            let bits = (0..64).filter(move |bit| word >> bit & 1 == 1);
            bits.map(move |bit| number as Element * 64 + bit)
        };
        self.bits.words().into_iter().flat_map(of_word).collect()
    }
}

impl Object for Set {
    type State = Members;

    fn initial(&self) -> Members {
        Members {
            bits: Sparse::with_room(self.texts.len() / 64 + 1),
            count: 0,
        }
    }

    fn apply(&self, state: &mut Members, class: Class) -> bool {
        let operation = self.operations[class as usize];
        if operation
            .element()
            .is_some_and(|element| !self.looks_at(element))
        {
            return true;
        }
        match operation {
            SetOp::Added(element) | SetOp::Add(element) => {
                let legal = operation == SetOp::Add(element) || !state.has(element);
                state.put(element, true);
                legal
            }
            SetOp::Removed(element) | SetOp::Remove(element) => {
                let legal = operation == SetOp::Remove(element) || state.has(element);
                state.put(element, false);
                legal
            }
            SetOp::Present(element) => state.has(element),
            SetOp::Absent(element) => !state.has(element),
            SetOp::Read(read) => self.is(state, &self.reads[read as usize]),
            SetOp::Nothing => true,
        }
    }

    fn read_only(&self, class: Class) -> bool {
        matches!(
            self.operations[class as usize],
            SetOp::Present(_) | SetOp::Absent(_) | SetOp::Read(_) | SetOp::Nothing
        )
    }

    fn alike(&self, class: Class) -> u32 {
        let first_alike = || {
            let mut first: HashMap<SetOp, u32, FxBuildHasher> = HashMap::default();
            let numbered = self.operations.iter().zip(0..);
            numbered
                .map(|(operation, class)| *first.entry(*operation).or_insert(class))
                .collect()
        };
        self.alike.get_or_init(first_alike)[class as usize]
    }

    /// A set is an object for each of its elements, and a whole read one of each at once.
    /// What is legal for all is legal for some, so where a few elements contradict each other
    /// they can be looked at alone.
    fn narrowed(&self, parts: &[u32]) -> Option<Set> {
        let mut focus = parts.to_vec();
        focus.sort_unstable();
        focus.dedup();
        Some(Set {
            focus: Some(Arc::new(focus)),
            ..self.clone()
        })
    }

    fn text(&self, state: &Members) -> String {
        let elements = state.elements();
        let mut texts: Vec<&str> = elements.iter().map(|&e| self.texts.get(e)).collect();
        texts.sort_unstable();
        format!("[{}]", texts.join(","))
    }

    fn weight(&self, state: &Members) -> usize {
        state.bits.weight()
    }
}

impl Monitored for Set {
    const ALGORITHM: &'static str = "elements";

    fn judge(&self, intervals: &[Interval]) -> Finding {
        sets::judge(intervals, &self.operations, &self.reads)
    }

    /// All operations on an element may be dropped together, if whole reads are only judged
    /// on the elements that are left (`excerpt`).
    fn part(&self, class: Class) -> Part {
        match self.operations[class as usize] {
            SetOp::Present(element) | SetOp::Absent(element) => Part::Spare(element),
            SetOp::Read(_) | SetOp::Nothing => Part::Free,
            operation => Part::Whole(operation.element().expect("the others have one")),
        }
    }

    /// Only the elements of the operations given are looked at, and those that were read
    /// though no operation at all speaks of them.
    fn excerpt(&self, operations: Vec<Operation>, intervals: &[Interval]) -> Excerpt<Members> {
        let given: HashSet<Operation> = operations.iter().copied().collect();
        let known = intervals.iter().filter_map(|i| self.of(i).element());
        let known: HashSet<Element, FxBuildHasher> = known.collect();
        let mut parts = Vec::new();
        for interval in intervals.iter().filter(|i| given.contains(&i.operation)) {
            match self.of(interval) {
                SetOp::Read(read) => {
                    let strange = self.reads[read as usize].iter();
                    parts.extend(strange.filter(|element| !known.contains(element)));
                }
                operation => parts.extend(operation.element()),
            }
        }
        let all = joined(operations, intervals, |class| self.part(class));
        Excerpt {
            parts: Some(parts),
            ..Excerpt::whole(all, self.initial())
        }
    }
}
