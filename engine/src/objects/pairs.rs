//! Values of the form `[number, value]`, told apart without being decoded.
//!
//! A history may hold a million different ones, so the usual ones cost a look at each byte;
//! only nested values are given to the JSON parser.

use crate::search::values::pair;

/// A number that may be missing, and the text of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered<'a> {
    /// `null` is None.
    pub number: Option<i64>,
    pub value: &'a str,
}

/// So large that one more is still a number.
const NUMBER_MAX: i64 = 1 << 62;

/// Whether it can be a version or an offset.
fn is_version(number: i64) -> bool {
    (0..NUMBER_MAX).contains(&number)
}

/// Takes the canonical text of `[number or null, value]` apart; None if it is not one.
pub fn numbered(text: &str) -> Option<Numbered<'_>> {
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    let (first, value) = inside.split_once(',')?;
    let value = if is_plain(value) {
        value
    } else {
        pair(text)?.1
    };
    let number = match first {
        "null" => None,
        digits => Some(digits.parse().ok().filter(|number| is_version(*number))?),
    };
    Some(Numbered { number, value })
}

/// Whether this is certainly one value: a number, a word, or a string without escapes.
fn is_plain(value: &str) -> bool {
    match value.as_bytes() {
        [b'"', inner @ .., b'"'] => !inner.iter().any(|byte| matches!(byte, b'"' | b'\\')),
        bytes => {
            !bytes.is_empty()
                && bytes
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{numbered, Numbered};

    fn found(text: &str) -> Option<(Option<i64>, &str)> {
        numbered(text).map(|Numbered { number, value }| (number, value))
    }

    #[test]
    fn numbers_stand_in_front_of_any_value() {
        assert_eq!(found("[3,7]"), Some((Some(3), "7")));
        assert_eq!(found("[null,\"a,b]\"]"), Some((None, "\"a,b]\"")));
        assert_eq!(found("[1,[2,3]]"), Some((Some(1), "[2,3]")));
        assert_eq!(found("[1,\"\\\"\\\\\"]"), Some((Some(1), "\"\\\"\\\\\"")));
        assert_eq!(found("[0,null]"), Some((Some(0), "null")));
    }

    #[test]
    fn what_is_no_pair_or_has_no_number_is_none() {
        for text in [
            "7",
            "[]",
            "[1]",
            "[1,2,3]",
            "[\"a\",1]",
            "[-1,2]",
            "[1.5,2]",
            "[true,2]",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
