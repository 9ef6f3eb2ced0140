//! EDN, the notation of Jepsen's histories, rendered as canonical JSON.
//!
//! Keywords, symbols, characters and ratios become strings (a keyword without its colon),
//! `nil` becomes null, lists, vectors and sets become arrays (sets sorted), maps become
//! objects whose keys are strings; a tagged literal becomes the value behind its tag.

use super::flaw::{excerpt, Complaint, NESTING_MAX, VALUE_BYTES_MAX};
use super::json;

pub struct Reader<'a> {
    pub text: &'a [u8],
    pub at: usize,
}

/// Bytes that end a symbol, a number or a keyword.
fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b';' | b'"')
        || matches!(byte, b'(' | b')' | b'[' | b']' | b'{' | b'}')
}

impl<'a> Reader<'a> {
    pub fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Skips spaces, commas, comments and discarded forms (`#_ form`).
    pub fn blanks(&mut self, depth: usize) -> Result<(), Complaint> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r' | b',') => self.at += 1,
                Some(b';') => {
                    let rest = &self.text[self.at..];
                    self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                }
                Some(b'#') if self.text.get(self.at + 1) == Some(&b'_') => {
                    self.at += 2;
                    self.value(&mut Vec::new(), depth + 1)?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// Appends the next form as canonical JSON.
    pub fn value(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), Complaint> {
        if depth > NESTING_MAX {
            return Err(format!("a value nested deeper than {NESTING_MAX} levels"));
        }
        self.blanks(depth)?;
        let start = out.len();
        match self.peek() {
            None => return Err("the file ends inside a form".to_string()),
            Some(b'"') => self.string(out)?,
            Some(b'(') => self.items(b')', depth, out)?,
            Some(b'[') => self.items(b']', depth, out)?,
            Some(b'{') => self.map(depth, out)?,
            Some(b'#') => self.dispatch(depth, out)?,
            Some(b'^') => {
                self.at += 1;
                self.value(&mut Vec::new(), depth + 1)?;
                self.value(out, depth + 1)?;
            }
            Some(b'\\') => self.character(out)?,
            Some(b')' | b']' | b'}') => {
                return Err(format!("an unexpected `{}`", self.text[self.at] as char));
            }
            Some(_) => self.atom(out)?,
        }
        if out.len() - start > VALUE_BYTES_MAX {
            return Err(format!(
                "a value of {} bytes; the limit is {VALUE_BYTES_MAX}",
                out.len() - start
            ));
        }
        Ok(())
    }

    fn sequence(&mut self, close: u8, depth: usize) -> Result<Vec<Vec<u8>>, Complaint> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.blanks(depth)?;
            if self.peek() == Some(close) {
                self.at += 1;
                return Ok(items);
            }
            let mut item = Vec::new();
            self.value(&mut item, depth + 1)?;
            items.push(item);
        }
    }

    fn items(&mut self, close: u8, depth: usize, out: &mut Vec<u8>) -> Result<(), Complaint> {
        let items = self.sequence(close, depth)?;
        write_array(&items, out);
        Ok(())
    }

    fn map(&mut self, depth: usize, out: &mut Vec<u8>) -> Result<(), Complaint> {
        let items = self.sequence(b'}', depth)?;
        if items.len() % 2 == 1 {
            return Err("a map with a key but no value".to_string());
        }
        let mut members = Vec::with_capacity(items.len() / 2);
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            members.push((object_key(key), value));
        }
        json::write_object(members, out)
    }

    fn dispatch(&mut self, depth: usize, out: &mut Vec<u8>) -> Result<(), Complaint> {
        match self.text.get(self.at + 1) {
            Some(b'{') => {
                self.at += 1;
                let mut items = self.sequence(b'}', depth)?;
                items.sort();
                write_array(&items, out);
                Ok(())
            }
            Some(b'"') => {
                self.at += 1;
                self.string(out)
            }
            Some(b'#') => {
                let token = self.token();
                Err(format!(
                    "`{}` has no place in JSON; use nil or a string",
                    excerpt(token)
                ))
            }
            Some(byte) if !is_delimiter(*byte) => {
                self.token();
                self.value(out, depth + 1)
            }
            _ => Err("a `#` without a tag".to_string()),
        }
    }

    /// A run of bytes up to the next delimiter; at least one byte.
    pub fn token(&mut self) -> &'a [u8] {
        let rest = &self.text[self.at..];
        let length = rest
            .iter()
            .skip(1)
            .position(|&b| is_delimiter(b))
            .map_or(rest.len(), |n| n + 1);
        self.at += length;
        &rest[..length]
    }

    fn atom(&mut self, out: &mut Vec<u8>) -> Result<(), Complaint> {
        let token = self.token();
        let text = std::str::from_utf8(token).map_err(|_| json::invalid_utf8(token))?;
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        if unsigned.starts_with(|c: char| c.is_ascii_digit()) {
            return number(text, out);
        }
        match text {
            "nil" => out.extend_from_slice(b"null"),
            "true" | "false" => out.extend_from_slice(token),
            _ => json::write_string(text.strip_prefix(':').unwrap_or(text), out),
        }
        Ok(())
    }

    fn character(&mut self, out: &mut Vec<u8>) -> Result<(), Complaint> {
        self.at += 1;
        if self.peek().is_none() {
            return Err("a `\\` without its character".to_string());
        }
        let token = self.token();
        let text = std::str::from_utf8(token).map_err(|_| json::invalid_utf8(token))?;
        let named = match text {
            "newline" => "\n",
            "return" => "\r",
            "space" => " ",
            "tab" => "\t",
            "formfeed" => "\u{c}",
            "backspace" => "\u{8}",
            _ => text,
        };
        let code = text.strip_prefix('u').filter(|hex| hex.len() == 4);
        let decoded = code.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        match decoded.and_then(char::from_u32) {
            Some(c) => json::write_string(c.encode_utf8(&mut [0; 4]), out),
            None if named.chars().count() == 1 => json::write_string(named, out),
            None => return Err(format!("`\\{}` is not a character", excerpt(token))),
        }
        Ok(())
    }

    fn string(&mut self, out: &mut Vec<u8>) -> Result<(), Complaint> {
        let start = self.at;
        let mut end = start + 1;
        loop {
            match self.text.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
                None => return Err("a string without its closing quote".to_string()),
            }
        }
        self.at = end + 1;
        let raw = &self.text[start + 1..end];
        let text = std::str::from_utf8(raw).map_err(|_| json::invalid_utf8(raw))?;
        if text.contains('\\') {
            // The escapes are those of JSON, but line breaks may stand as they are.
            let mut quoted = vec![b'"'];
            for c in text.chars() {
                match c {
                    '\n' => quoted.extend_from_slice(b"\\n"),
                    '\r' => quoted.extend_from_slice(b"\\r"),
                    '\t' => quoted.extend_from_slice(b"\\t"),
                    c => quoted.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
            quoted.push(b'"');
            json::canonical(&quoted, out)
        } else {
            json::write_string(text, out);
            Ok(())
        }
    }
}

fn write_array(items: &[Vec<u8>], out: &mut Vec<u8>) {
    out.push(b'[');
    out.extend_from_slice(&items.join(&b','));
    out.push(b']');
}

/// JSON's keys are strings: another key becomes the string of its text.
fn object_key(text: Vec<u8>) -> Vec<u8> {
    if text.first() == Some(&b'"') {
        return text;
    }
    let mut key = Vec::with_capacity(text.len() + 2);
    json::write_string(&String::from_utf8_lossy(&text), &mut key);
    key
}

/// Integers (`12`, `+12`, `12N`, `0x1f`), floats (`1.5`, `1.5M`), ratios (`1/2`, as a string).
fn number(text: &str, out: &mut Vec<u8>) -> Result<(), Complaint> {
    let wrong = || format!("`{}` is not a number", excerpt(text.as_bytes()));
    let plain = text.strip_prefix('+').unwrap_or(text);
    let (sign, digits) = plain
        .strip_prefix('-')
        .map_or(("", plain), |digits| ("-", digits));
    if let Some((above, below)) = digits.split_once('/') {
        let whole = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !whole(above) || !whole(below) {
            return Err(wrong());
        }
        json::write_string(plain, out);
        return Ok(());
    }
    if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        let number = i128::from_str_radix(hex, 16).map_err(|_| wrong())?;
        out.extend_from_slice(format!("{sign}{number}").as_bytes());
        return Ok(());
    }
    let digits = digits.strip_suffix(['N', 'M']).unwrap_or(digits);
    // `1.` and `007` are numbers in EDN, but not in JSON.
    let digits = digits.strip_suffix('.').unwrap_or(digits);
    let mut canonical = Vec::new();
    json::canonical(format!("{sign}{digits}").as_bytes(), &mut canonical).map_err(|_| wrong())?;
    out.extend_from_slice(&canonical);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<String, Complaint> {
        let mut out = Vec::new();
        let mut reader = Reader {
            text: text.as_bytes(),
            at: 0,
        };
        reader.value(&mut out, 0)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn forms_become_json() {
        for (edn, expected) in [
            ("nil", "null"),
            (":a/b", "\"a/b\""),
            ("sym", "\"sym\""),
            ("[1, 2 ;c\n 3]", "[1,2,3]"),
            ("(1 #_ (dropped) +2N)", "[1,2]"),
            ("#{3 1 2}", "[1,2,3]"),
            ("{:b 1.0 \"a\" nil 3 4}", "{\"3\":4,\"a\":null,\"b\":1}"),
            ("#jepsen.history.Op{:f :read}", "{\"f\":\"read\"}"),
            ("#inst \"2020\"", "\"2020\""),
            ("[\\a \\newline \\u0041 \\(]", "[\"a\",\"\\n\",\"A\",\"(\"]"),
            ("[1/2 -0x1f 1.5M 1e3]", "[\"1/2\",-31,1.5,1000]"),
            ("\"a\\n\\\"b\nc\"", "\"a\\n\\\"b\\nc\""),
            ("^{:a 1} [x]", "[\"x\"]"),
            ("99999999999999999999N", "99999999999999999999"),
        ] {
            assert_eq!(json(edn).unwrap(), expected, "{edn}");
        }
    }

    #[test]
    fn broken_forms_are_refused() {
        for bad in [
            "",
            "[1",
            "{:a}",
            "]",
            "\"a",
            "##NaN",
            "1x",
            "\\",
            "\\ab",
            "{:a 1 :a 2}",
            "#",
        ] {
            assert!(json(bad).is_err(), "{bad} was accepted");
        }
        assert!(json(&"[".repeat(1000)).unwrap_err().contains("nested"));
        assert!(json(&"#_".repeat(1000)).unwrap_err().contains("nested"));
        assert!(json(&"^".repeat(1000)).unwrap_err().contains("nested"));
    }
}
