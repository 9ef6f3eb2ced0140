//! Values found inside other values, interned to numbers.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

/// Numbers for texts, from 0 in order of appearance.
#[derive(Default)]
pub struct Numbering<'a> {
    numbers: HashMap<&'a str, u32, FxBuildHasher>,
    texts: Packed,
}

impl<'a> Numbering<'a> {
    pub fn number(&mut self, text: &'a str) -> u32 {
        let texts = &mut self.texts;
        *self.numbers.entry(text).or_insert_with(|| texts.push(text))
    }

    /// The same, sooner where it is the text with the number `next`.
    pub fn number_near(&mut self, text: &'a str, next: u32) -> u32 {
        if (next as usize) < self.texts.len() && self.texts.get(next) == text {
            return next;
        }
        self.number(text)
    }

    /// The texts by number.
    pub fn finish(self) -> Packed {
        self.texts
    }
}

/// Texts end to end, which a million of them are sooner than each by itself.
#[derive(Default)]
pub struct Packed {
    data: String,
    ends: Vec<usize>,
}

impl Packed {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn get(&self, number: u32) -> &str {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.data[start..self.ends[number]]
    }

    fn push(&mut self, text: &str) -> u32 {
        self.data.push_str(text);
        self.ends.push(self.data.len());
        self.ends.len() as u32 - 1
    }
}

#[cfg(test)]
mod tests {
    use super::Numbering;

    #[test]
    fn equal_texts_have_one_number() {
        let mut numbering = Numbering::default();
        let numbers = ["a", "", "bc", "a"].map(|text| numbering.number(text));
        assert_eq!(numbers, [0, 1, 2, 0]);
        assert_eq!(numbering.number_near("", 1), 1);
        assert_eq!(numbering.number_near("a", 1), 0);
        assert_eq!(numbering.number_near("bc", 3), 2);
        let texts = numbering.finish();
        assert_eq!((texts.get(0), texts.get(1), texts.get(2)), ("a", "", "bc"));
        assert_eq!(texts.len(), 3);
    }
}
