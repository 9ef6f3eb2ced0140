//! A line cut into its members, and the values only delimited, not looked at.
//!
//! Part of the hot loop of reading: one pass over the bytes, no allocation.

use super::flaw::{excerpt, Complaint};

/// Calls `member(name, raw value)` for each member of the object that is this line.
///
/// The raw values are only delimited here, not checked.
#[inline]
pub fn members<'a>(
    line: &'a [u8],
    start: usize,
    mut member: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), Complaint>,
) -> Result<(), Complaint> {
    if line.get(start) != Some(&b'{') {
        return Err(format!(
            "expected one JSON object, found `{}`",
            excerpt(&line[start..])
        ));
    }
    let mut at = spaces(line, start + 1);
    if line.get(at) == Some(&b'}') {
        at += 1;
    } else {
        loop {
            if line.get(at) != Some(&b'"') {
                return Err(unexpected(line, at));
            }
            let end = string_end(line, at)?;
            let name = &line[at + 1..end - 1];
            at = spaces(line, end);
            if line.get(at) != Some(&b':') {
                return Err(unexpected(line, at));
            }
            at = spaces(line, at + 1);
            let end = value_end(line, at)?;
            if name.contains(&b'\\') {
                return Err(format!(
                    "an escape in the key \"{}\"; spell it out",
                    excerpt(name)
                ));
            }
            member(name, &line[at..end])?;
            at = spaces(line, end);
            match line.get(at) {
                Some(b',') => at = spaces(line, at + 1),
                Some(b'}') => break at += 1,
                _ => return Err(unexpected(line, at)),
            }
        }
    }
    at = spaces(line, at);
    if at < line.len() {
        return Err(format!("`{}` after the event", excerpt(&line[at..])));
    }
    Ok(())
}

fn unexpected(line: &[u8], at: usize) -> Complaint {
    match line.get(at..) {
        Some(rest) if !rest.is_empty() => format!("not valid JSON at `{}`", excerpt(rest)),
        _ => "not valid JSON: the line ends too early".to_string(),
    }
}

#[inline]
pub fn spaces(line: &[u8], mut at: usize) -> usize {
    while matches!(line.get(at), Some(b' ' | b'\t' | b'\r')) {
        at += 1;
    }
    at
}

/// The position just behind the string that begins at `at`.
#[inline]
fn string_end(line: &[u8], at: usize) -> Result<usize, Complaint> {
    let mut end = at + 1;
    loop {
        match line.get(end) {
            Some(b'"') => return Ok(end + 1),
            Some(b'\\') => end += 2,
            Some(_) => end += 1,
            None => return Err("a string without its closing quote".to_string()),
        }
    }
}

/// The position just behind the value that begins at `at`.
#[inline]
fn value_end(line: &[u8], at: usize) -> Result<usize, Complaint> {
    match line.get(at) {
        Some(b'"') => string_end(line, at),
        Some(b'{' | b'[') => bracket_end(line, at),
        Some(_) => {
            let rest = &line[at..];
            let length = rest
                .iter()
                .position(|b| matches!(b, b',' | b'}' | b' ' | b'\t' | b'\r'));
            match length {
                Some(0) => Err(unexpected(line, at)),
                Some(length) => Ok(at + length),
                None => Err("not valid JSON: the line ends too early".to_string()),
            }
        }
        None => Err(unexpected(line, at)),
    }
}

fn bracket_end(line: &[u8], at: usize) -> Result<usize, Complaint> {
    let (mut end, mut depth) = (at, 0usize);
    while let Some(byte) = line.get(end) {
        match byte {
            b'"' => {
                end = string_end(line, end)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Ok(end + 1);
                }
            }
            _ => {}
        }
        end += 1;
    }
    Err("not valid JSON: a bracket is never closed".to_string())
}
