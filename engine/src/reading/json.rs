//! Canonical JSON: equal values have equal texts.
//!
//! No spaces, object keys sorted by their bytes, strings with the fewest escapes, numbers
//! in one spelling (`1.0`, `1e0` and `1` are all `1`; integers keep all their digits).
//! Everything JSON does not allow is refused, and so is what cannot be held: duplicate
//! keys, lone surrogates, numbers beyond a 64-bit float, and sizes beyond the limits.

use super::flaw::{excerpt, Complaint, NESTING_MAX, VALUE_BYTES_MAX};
use super::number::{is_json_number, is_plain_integer, write_number};

/// Appends the canonical form of `raw`, which must be one JSON value and nothing else.
pub fn canonical(raw: &[u8], out: &mut Vec<u8>) -> Result<(), Complaint> {
    if raw.len() > VALUE_BYTES_MAX {
        return Err(format!(
            "a value of {} bytes; the limit is {VALUE_BYTES_MAX}, record a digest of it instead",
            raw.len()
        ));
    }
    if is_plain_integer(raw) {
        out.extend_from_slice(raw);
        return Ok(());
    }
    let text = std::str::from_utf8(raw).map_err(|_| invalid_utf8(raw))?;
    let mut reader = Reader {
        text: text.as_bytes(),
        at: 0,
    };
    reader.value(out, 0)?;
    reader.spaces();
    if reader.at < raw.len() {
        return Err(format!(
            "`{}` after a complete value",
            excerpt(&raw[reader.at..])
        ));
    }
    Ok(())
}

pub fn invalid_utf8(raw: &[u8]) -> Complaint {
    format!(
        "bytes that are not UTF-8 in `{}`; save the file as UTF-8",
        excerpt(raw)
    )
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn spaces(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn unexpected(&self) -> Complaint {
        match self.text.get(self.at..) {
            Some(rest) if !rest.is_empty() => {
                format!("not valid JSON at `{}`", excerpt(rest))
            }
            _ => "not valid JSON: it ends too early".to_string(),
        }
    }

    fn value(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), Complaint> {
        if depth > NESTING_MAX {
            return Err(format!("a value nested deeper than {NESTING_MAX} levels"));
        }
        self.spaces();
        match self.text.get(self.at) {
            Some(b'{') => self.object(out, depth),
            Some(b'[') => self.array(out, depth),
            Some(b'"') => self.string(out),
            Some(b'-' | b'0'..=b'9') => self.number(out),
            _ => self.word(out),
        }
    }

    fn word(&mut self, out: &mut Vec<u8>) -> Result<(), Complaint> {
        for word in [&b"null"[..], b"true", b"false"] {
            if self.text[self.at..].starts_with(word) {
                out.extend_from_slice(word);
                self.at += word.len();
                return Ok(());
            }
        }
        for word in ["NaN", "Infinity", "nan", "inf"] {
            if self.text[self.at..].starts_with(word.as_bytes()) {
                return Err(format!(
                    "`{word}` is not a JSON value; use null or a string"
                ));
            }
        }
        Err(self.unexpected())
    }

    fn array(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), Complaint> {
        self.at += 1;
        out.push(b'[');
        self.spaces();
        if self.text.get(self.at) == Some(&b']') {
            self.at += 1;
            out.push(b']');
            return Ok(());
        }
        loop {
            self.value(out, depth + 1)?;
            self.spaces();
            let byte = *self.text.get(self.at).ok_or_else(|| self.unexpected())?;
            if byte != b',' && byte != b']' {
                return Err(self.unexpected());
            }
            out.push(byte);
            self.at += 1;
            if byte == b']' {
                return Ok(());
            }
        }
    }

    fn object(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), Complaint> {
        self.at += 1;
        self.spaces();
        let mut members: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        if self.text.get(self.at) == Some(&b'}') {
            self.at += 1;
        } else {
            loop {
                self.spaces();
                if self.text.get(self.at) != Some(&b'"') {
                    return Err(self.unexpected());
                }
                let (mut name, mut value) = (Vec::new(), Vec::new());
                self.string(&mut name)?;
                self.spaces();
                if self.text.get(self.at) != Some(&b':') {
                    return Err(self.unexpected());
                }
                self.at += 1;
                self.value(&mut value, depth + 1)?;
                members.push((name, value));
                self.spaces();
                match self.text.get(self.at) {
                    Some(b',') => self.at += 1,
                    Some(b'}') => break self.at += 1,
                    _ => return Err(self.unexpected()),
                }
            }
        }
        write_object(members, out)
    }

    fn string(&mut self, out: &mut Vec<u8>) -> Result<(), Complaint> {
        self.at += 1;
        out.push(b'"');
        loop {
            let rest = &self.text[self.at..];
            let plain = rest
                .iter()
                .position(|&b| b == b'"' || b == b'\\' || b < 0x20);
            let plain = plain.ok_or("a string without its closing quote")?;
            out.extend_from_slice(&rest[..plain]);
            self.at += plain;
            match self.text[self.at] {
                b'"' => break,
                b'\\' => {
                    let decoded = self.escape()?;
                    write_char(decoded, out);
                }
                _ => return Err("a control character inside a string; escape it".to_string()),
            }
        }
        self.at += 1;
        out.push(b'"');
        Ok(())
    }

    fn escape(&mut self) -> Result<char, Complaint> {
        let letter = *self
            .text
            .get(self.at + 1)
            .ok_or_else(|| self.unexpected())?;
        self.at += 2;
        Ok(match letter {
            b'"' | b'\\' | b'/' => letter as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex4()?;
                let lone = || "half of a surrogate pair in a string".to_string();
                if (0xd800..0xdc00).contains(&first) {
                    if !self.text[self.at..].starts_with(b"\\u") {
                        return Err(lone());
                    }
                    self.at += 2;
                    let second = self.hex4()?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err(lone());
                    }
                    let scalar = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                    char::from_u32(scalar).ok_or_else(lone)?
                } else {
                    char::from_u32(first).ok_or_else(lone)?
                }
            }
            _ => {
                return Err(format!(
                    "the escape `\\{}` does not exist",
                    letter.escape_ascii()
                ))
            }
        })
    }

    fn hex4(&mut self) -> Result<u32, Complaint> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .ok_or_else(|| self.unexpected())?;
        let mut number = 0;
        for &digit in digits {
            let digit = (digit as char)
                .to_digit(16)
                .ok_or_else(|| self.unexpected())?;
            number = number * 16 + digit;
        }
        self.at += 4;
        Ok(number)
    }

    fn number(&mut self, out: &mut Vec<u8>) -> Result<(), Complaint> {
        let start = self.at;
        while matches!(
            self.text.get(self.at),
            Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
        ) {
            self.at += 1;
        }
        let raw = &self.text[start..self.at];
        if !is_json_number(raw) {
            return Err(format!("`{}` is not a JSON number", excerpt(raw)));
        }
        write_number(raw, out)
    }
}

/// Writes an object whose members are canonical already: sorted, and each name once.
pub fn write_object(
    mut members: Vec<(Vec<u8>, Vec<u8>)>,
    out: &mut Vec<u8>,
) -> Result<(), Complaint> {
    members.sort();
    if let Some(twice) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!(
            "the key {} twice in one object",
            excerpt(&twice[0].0)
        ));
    }
    out.push(b'{');
    for (position, (name, value)) in members.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name);
        out.push(b':');
        out.extend_from_slice(value);
    }
    out.push(b'}');
    Ok(())
}

/// Writes a string with the fewest escapes.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        write_char(c, out);
    }
    out.push(b'"');
}

fn write_char(c: char, out: &mut Vec<u8>) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        c if (c as u32) < 0x20 => out.extend_from_slice(format!("\\u{:04x}", c as u32).as_bytes()),
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::flaw::NUMBER_DIGITS_MAX;
    use super::*;

    fn text(raw: &str) -> Result<String, Complaint> {
        let mut out = Vec::new();
        canonical(raw.as_bytes(), &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn equal_numbers_have_one_spelling() {
        for one in ["1", "1.0", "1e0", "10e-1", "1.000"] {
            assert_eq!(text(one).unwrap(), "1");
        }
        assert_eq!(text("-0").unwrap(), "0");
        assert_eq!(text("-0.0").unwrap(), "0");
        assert_eq!(text("0.1").unwrap(), "0.1");
        assert_eq!(text("1e20").unwrap(), "100000000000000000000");
        assert_eq!(text("1e300").unwrap(), "1e300");
        assert_eq!(text("1.5E-7").unwrap(), "1.5e-7");
        assert_eq!(
            text("123456789012345678901234567890").unwrap(),
            "123456789012345678901234567890"
        );
    }

    #[test]
    fn objects_are_sorted_and_strings_have_the_fewest_escapes() {
        assert_eq!(
            text(r#" { "b" : [ 1 , {} ] , "a" : [] } "#).unwrap(),
            r#"{"a":[],"b":[1,{}]}"#
        );
        assert_eq!(
            text(r#""\u0041\/\u00e9\ud83d\ude00\u0001""#).unwrap(),
            "\"A/é😀\\u0001\""
        );
    }

    #[test]
    fn what_json_does_not_allow_is_refused() {
        for bad in [
            "",
            "nul",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "- 1",
            "NaN",
            "[1,]",
            "{\"a\"}",
            "{a:1}",
            "[1 2]",
            "\"a",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\u{1}\"",
            "1 2",
            "{\"a\":1,\"a\":2}",
            "1e999",
            "--1",
            "-",
        ] {
            assert!(text(bad).is_err(), "{bad} was accepted");
        }
        assert!(text(&"[".repeat(NESTING_MAX + 2))
            .unwrap_err()
            .contains("nested"));
        assert!(text(&"1".repeat(NUMBER_DIGITS_MAX + 1))
            .unwrap_err()
            .contains("number"));
    }
}
