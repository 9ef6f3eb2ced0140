//! The old `jepsen.util` log form, in which Porcupine's etcd histories are kept:
//!
//! ```text
//! INFO  jepsen.util - 3 <tab> :invoke <tab> :cas <tab> [1 2]
//! ```
//!
//! Two things mean more than they say.  `:fail :cas [a b]` is an *observation*, that the
//! register did not hold `a`: it becomes an `ok` with value `false`.  And `:timed-out` stands
//! where the value was: it becomes the error, and the value stays that of the invocation.
//! Lines of other loggers are skipped.

use super::columns::{Columns, Kind, Order, Row, NONE};
use super::edn::Reader;
use super::flaw::{excerpt, Complaint, Flaw, LINE_BYTES_MAX, PROCESS_MAX};
use super::json;

const MARK: &[u8] = b"jepsen.util - ";

pub fn read(text: &[u8]) -> Result<Columns, Flaw> {
    let mut columns = Columns::new(Order::Lines);
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let at = number as u64 + 1;
        if line.len() > LINE_BYTES_MAX {
            let what = format!("a line longer than the limit of {LINE_BYTES_MAX} bytes");
            return Err(Flaw::at(at, what));
        }
        if let Some(mark) = memchr::memmem::find(line, MARK) {
            let event = event(&line[mark + MARK.len()..], &mut columns);
            event
                .and_then(|row| columns.push(row, at))
                .map_err(|what| Flaw::at(at, what))?;
        }
    }
    if columns.len() == 0 {
        let what = "no line of `jepsen.util - process :type :f value` in the file";
        return Err(Flaw::at(1, what));
    }
    columns.settle_times();
    Ok(columns)
}

fn event(text: &[u8], columns: &mut Columns) -> Result<Row, Complaint> {
    let mut reader = Reader { text, at: 0 };
    let shape = || {
        format!(
            "expected `process :type :f value`, found `{}`",
            excerpt(text)
        )
    };
    let mut form = || {
        let mut out = Vec::new();
        reader
            .value(&mut out, 0)
            .map(|()| out)
            .map_err(|what| format!("{}: {what}", shape()))
    };
    let (process, kind, f) = (form()?, form()?, form()?);
    let name = kind
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    let kind = name.and_then(Kind::named).ok_or_else(|| {
        format!(
            "unknown type {}; it must be :invoke, :ok, :fail or :info",
            excerpt(&kind)
        )
    })?;
    if f.first() != Some(&b'"') {
        return Err(shape());
    }
    let process = match process.first() {
        Some(b'"') => -1 - columns.tables.names.code(&process) as i32,
        _ => client(&process).ok_or_else(|| {
            format!(
                "process {}; it must be a whole number from 0 or a name",
                excerpt(&process)
            )
        })?,
    };
    let rest = text[reader.at..].trim_ascii();
    let doubtful = process >= 0 && matches!(kind, Kind::Fail | Kind::Info);
    let mut row = Row {
        index: None,
        time: None,
        process,
        kind,
        f: columns.tables.f.code(&f) as i32,
        key: NONE,
        value: NONE,
        error: NONE,
        node: NONE,
    };
    if doubtful && rest.starts_with(b":") {
        let mut error = Vec::new();
        json::write_string(&String::from_utf8_lossy(&rest[1..]), &mut error);
        row.error = columns.tables.error.code(&error) as i32;
        row.value = columns
            .open_invocation(process)
            .map_or(NONE, |event| columns.value[event]);
    } else if kind == Kind::Fail && f == b"\"cas\"" {
        row.kind = Kind::Ok;
        row.value = columns.tables.value.code(b"false") as i32;
    } else {
        row.value = match value(rest, process < 0)? {
            Some(text) => columns.tables.value.code(&text) as i32,
            None => NONE,
        };
    }
    Ok(row)
}

fn client(text: &[u8]) -> Option<i32> {
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (0..=PROCESS_MAX).contains(&number).then_some(number as i32)
}

/// One EDN form, or, from the nemesis, any text.
fn value(text: &[u8], prose: bool) -> Result<Option<Vec<u8>>, Complaint> {
    if text.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader { text, at: 0 };
    let mut out = Vec::new();
    let read = reader.value(&mut out, 0);
    if read.is_ok() && reader.at == text.len() {
        return Ok((out != b"null").then_some(out));
    }
    if prose {
        out.clear();
        json::write_string(&String::from_utf8_lossy(text), &mut out);
        return Ok(Some(out));
    }
    Err(read
        .err()
        .unwrap_or_else(|| format!("more than one value in `{}`", excerpt(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_cas_is_an_observation_and_a_timed_out_read_constrains_nothing() {
        let text = "INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\n\
                    INFO  jepsen.util - 1   :invoke :read  nil\n\
                    something else\n\
                    INFO  jepsen.util - 0\t:fail\t:cas\t[1 2]\n\
                    INFO  jepsen.util - 1\t:fail\t:read\t:timed-out\n";
        let columns = read(text.as_bytes()).unwrap();
        assert_eq!(columns.kind, [0, 0, Kind::Ok as u8, Kind::Fail as u8]);
        assert_eq!(columns.tables.value.text(columns.value[2] as u32), b"false");
        assert_eq!((columns.value[3], columns.error[3]), (NONE, 0));
        assert_eq!(columns.line(3), 5);
    }

    #[test]
    fn a_crashed_write_keeps_the_value_of_its_invocation() {
        let text = "jepsen.util - 0 :invoke :write 4\njepsen.util - 0 :info :write :timed-out";
        let columns = read(text.as_bytes()).unwrap();
        assert_eq!(columns.value, [0, 0]);
    }

    #[test]
    fn flaws_have_lines() {
        let good = "jepsen.util - 0 :invoke :write 4\n";
        for (bad, hint) in [
            ("jepsen.util - 0 :done :write 4", "unknown type"),
            ("jepsen.util - x", "expected"),
            ("jepsen.util - 0 :ok :read 4", "open operation"),
            ("jepsen.util - 0 :ok :write 4 5", "more than one"),
        ] {
            let flaw = read(format!("{good}{bad}").as_bytes()).err().expect(bad);
            assert_eq!(flaw.line, 2, "{bad}");
            assert!(flaw.what.contains(hint), "{bad}: {}", flaw.what);
        }
        assert!(read(b"").is_err());
    }
}
