//! JSON values as the search sees them: canonical texts, interned to numbers.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;
use serde_json::value::RawValue;

use super::model::State;

/// The distinct values of a history: canonical JSON texts, end to end; -1 stands for null.
pub struct Texts<'a> {
    data: &'a str,
    offsets: &'a [i64],
}

impl<'a> Texts<'a> {
    /// `offsets` has one entry more than there are texts.  None if the two do not fit.
    pub fn new(data: &'a [u8], offsets: &'a [i64]) -> Option<Self> {
        let data = std::str::from_utf8(data).ok()?;
        let fits = |pair: &[i64]| {
            usize::try_from(pair[0]).is_ok_and(|start| data.is_char_boundary(start))
                && pair[0] <= pair[1]
                && usize::try_from(pair[1]).is_ok_and(|end| data.is_char_boundary(end))
        };
        offsets
            .windows(2)
            .all(fits)
            .then_some(Texts { data, offsets })
    }

    pub fn get(&self, code: i32) -> &'a str {
        match usize::try_from(code) {
            Ok(code) => &self.data[self.offsets[code] as usize..self.offsets[code + 1] as usize],
            Err(_) => "null",
        }
    }
}

/// Canonical texts numbered in order of appearance.
#[derive(Default)]
pub struct Interner<'a> {
    numbers: HashMap<&'a str, State, FxBuildHasher>,
    pub texts: Vec<&'a str>,
}

impl<'a> Interner<'a> {
    pub fn intern(&mut self, text: &'a str) -> State {
        let texts = &mut self.texts;
        *self.numbers.entry(text).or_insert_with(|| {
            texts.push(text);
            texts.len() as State - 1
        })
    }
}

/// The two elements of a canonical JSON array of two.
pub fn pair(text: &str) -> Option<(&str, &str)> {
    let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    match elements[..] {
        [a, b] => Some((a.get(), b.get())),
        _ => None,
    }
}

/// The contents of a JSON string; null reads as the empty string.
pub fn string(text: &str) -> Option<String> {
    if text == "null" {
        return Some(String::new());
    }
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::{pair, string};

    #[test]
    fn pairs_are_taken_apart_without_being_decoded() {
        assert_eq!(pair("[1,[2,3]]"), Some(("1", "[2,3]")));
        assert_eq!(pair("[1]"), None);
        assert_eq!(pair("7"), None);
    }

    #[test]
    fn strings_are_unescaped() {
        assert_eq!(string("\"a\\n\""), Some("a\n".into()));
        assert_eq!(string("null"), Some(String::new()));
        assert_eq!(string("3"), None);
    }
}
