//! The one spelling of a number: `1.0`, `1e0` and `1` are `1`.

use super::flaw::{excerpt, Complaint, NUMBER_DIGITS_MAX};
use super::json::invalid_utf8;

/// An integer already in its canonical spelling, short enough to need no check.
pub fn is_plain_integer(raw: &[u8]) -> bool {
    let digits = raw.strip_prefix(b"-").unwrap_or(raw);
    match digits {
        [] => false,
        [b'0'] => digits.len() == raw.len(),
        [b'0', ..] => false,
        _ => digits.len() <= NUMBER_DIGITS_MAX && digits.iter().all(u8::is_ascii_digit),
    }
}

/// Whether the text is a number by JSON's grammar.
pub fn is_json_number(raw: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut rest = raw.strip_prefix(b"-").unwrap_or(raw);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let [b'.', fraction @ ..] = rest {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', unsigned @ ..] => unsigned,
            unsigned => unsigned,
        };
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

/// Writes a number in its canonical spelling; `raw` is a valid JSON number.
///
/// Floats that are whole become integers below 1e21 (as in JavaScript), where that is exact.
pub fn write_number(raw: &[u8], out: &mut Vec<u8>) -> Result<(), Complaint> {
    if raw.len() > NUMBER_DIGITS_MAX {
        return Err(format!(
            "a number of {} characters; the limit is {NUMBER_DIGITS_MAX}",
            raw.len()
        ));
    }
    if is_plain_integer(raw) {
        out.extend_from_slice(raw);
        return Ok(());
    }
    let text = std::str::from_utf8(raw).map_err(|_| invalid_utf8(raw))?;
    let number: f64 = text
        .parse()
        .map_err(|_| format!("`{}` is not a number", excerpt(raw)))?;
    if !number.is_finite() {
        return Err(format!("the number `{}` is too large", excerpt(raw)));
    }
    let size = number.abs();
    let spelling = if number == 0.0 {
        "0".to_string()
    } else if number.fract() == 0.0 && size < 1e21 {
        format!("{}", number as i128)
    } else if (1e-5..1e16).contains(&size) {
        format!("{number}")
    } else {
        format!("{number:e}")
    };
    out.extend_from_slice(spelling.as_bytes());
    Ok(())
}
