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

    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    pub fn get(&self, code: i32) -> &'a str {
        match usize::try_from(code) {
            Ok(code) => &self.data[self.offsets[code] as usize..self.offsets[code + 1] as usize],
            Err(_) => "null",
        }
    }
}

/// Values as states: null is 0, and the value of code c is c + 1, so that nothing needs to be
/// looked up for the values that stand in the history by themselves.  Values found only
/// inside others (the two of a compare-and-set) get the numbers behind.
pub struct States<'a> {
    values: &'a Texts<'a>,
    /// Numbers by text, of all values; made when a second text is looked up.  The first one,
    /// which mostly is the initial value and stays alone, is found by looking at them all.
    numbers: Option<HashMap<&'a str, State, FxBuildHasher>>,
    looked_up: bool,
    extra: Vec<&'a str>,
}

impl<'a> States<'a> {
    pub fn new(values: &'a Texts<'a>) -> Self {
        States {
            values,
            numbers: None,
            looked_up: false,
            extra: Vec::new(),
        }
    }

    pub fn of_code(&self, code: i32) -> State {
        (code + 1) as State
    }

    pub fn of_text(&mut self, text: &'a str) -> State {
        if text == "null" {
            return 0;
        }
        let values = self.values;
        let first = !std::mem::replace(&mut self.looked_up, true);
        if first {
            let found = (0..values.len() as i32).find(|&code| values.get(code) == text);
            return found.map_or_else(
                || {
                    self.extra.push(text);
                    1 + values.len() as State
                },
                |code| (code + 1) as State,
            );
        }
        let begun = &self.extra;
        let numbers = self.numbers.get_or_insert_with(|| {
            let known = 0..values.len() as i32;
            let more = begun.iter().zip(1 + values.len() as State..);
            known
                .map(|code| (values.get(code), (code + 1) as State))
                .chain(more.map(|(text, number)| (*text, number)))
                .collect()
        });
        let next = 1 + values.len() + self.extra.len();
        let extra = &mut self.extra;
        *numbers.entry(text).or_insert_with(|| {
            extra.push(text);
            next as State
        })
    }

    pub fn text(&self, state: State) -> &'a str {
        match (state as usize).checked_sub(1 + self.values.len()) {
            Some(extra) => self.extra[extra],
            None => self.values.get(state as i32 - 1),
        }
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
    use super::{pair, string, States, Texts};

    #[test]
    fn pairs_are_taken_apart_without_being_decoded() {
        assert_eq!(pair("[1,[2,3]]"), Some(("1", "[2,3]")));
        assert_eq!(pair("[1]"), None);
        assert_eq!(pair("7"), None);
    }

    #[test]
    fn a_value_has_one_number_wherever_it_stands() {
        let values = Texts::new(b"3[3,4]", &[0, 1, 6]).unwrap();
        let mut states = States::new(&values);
        assert_eq!((states.of_code(-1), states.of_text("null")), (0, 0));
        assert_eq!((states.of_code(0), states.of_text("3")), (1, 1));
        assert_eq!((states.of_text("4"), states.of_text("4")), (3, 3));
        assert_eq!(
            [states.text(0), states.text(1), states.text(3)],
            ["null", "3", "4"]
        );
    }

    #[test]
    fn strings_are_unescaped() {
        assert_eq!(string("\"a\\n\""), Some("a\n".into()));
        assert_eq!(string("null"), Some(String::new()));
        assert_eq!(string("3"), None);
    }
}
