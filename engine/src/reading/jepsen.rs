//! Histories of operations in EDN: a vector or list of maps, or one map after another.
//!
//! Jepsen and Knossos write these, and Porcupine's key-value histories have the same form.
//! `:index` may have gaps (histories get filtered); keys that no event has are ignored.

use super::columns::{Columns, Kind, Order, Row, NONE};
use super::edn::Reader;
use super::flaw::{excerpt, Complaint, Flaw, PROCESS_MAX};
use super::json;
use std::ops::Range;

/// What an operation of a transactional history without `:f` does.
const DEFAULT_F: &[u8] = b"\"txn\"";

pub fn read(text: &[u8]) -> Result<Columns, Flaw> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut history = History {
        reader: Reader { text, at: 0 },
        columns: Columns::new(Order::Lines),
        line: 1,
        counted: 0,
        scratch: Vec::new(),
    };
    match history.events() {
        Ok(()) => {}
        Err(what) => {
            let line = history.line_of(history.reader.at.min(text.len()));
            return Err(Flaw::at(line, what));
        }
    }
    let mut columns = history.columns;
    if columns.len() == 0 {
        return Err(Flaw::at(
            1,
            "the file is empty; a history has at least one event",
        ));
    }
    columns.settle_times();
    Ok(columns)
}

struct History<'a> {
    reader: Reader<'a>,
    columns: Columns,
    line: u64,
    counted: usize,
    scratch: Vec<u8>,
}

#[derive(Default)]
struct Fields {
    index: Option<Range<usize>>,
    time: Option<Range<usize>>,
    process: Option<Range<usize>>,
    kind: Option<Range<usize>>,
    f: Option<Range<usize>>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    error: Option<Range<usize>>,
    node: Option<Range<usize>>,
}

impl History<'_> {
    /// The line of a position not before the last one asked for.
    fn line_of(&mut self, at: usize) -> u64 {
        let from = self.counted.min(at);
        self.line += memchr::memchr_iter(b'\n', &self.reader.text[from..at]).count() as u64;
        self.counted = at;
        self.line
    }

    fn events(&mut self) -> Result<(), Complaint> {
        self.reader.blanks(0)?;
        let close = match self.reader.peek() {
            Some(b'[') => Some(b']'),
            Some(b'(') => Some(b')'),
            _ => None,
        };
        if close.is_some() {
            self.reader.at += 1;
        }
        loop {
            self.reader.blanks(0)?;
            match self.reader.peek() {
                None if close.is_some() => return Err("the list of events never ends".to_string()),
                None => return Ok(()),
                byte if byte == close => break,
                // A record, `#jepsen.history.Op{...}`, is a map.
                Some(b'#') if self.reader.text.get(self.reader.at + 1) != Some(&b'{') => {
                    self.reader.token();
                }
                Some(b'{') => self.event()?,
                Some(_) => {
                    let rest = &self.reader.text[self.reader.at..];
                    let line = rest.split(|b| *b == b'\n').next().unwrap_or(rest);
                    return Err(format!("expected a map, found `{}`", excerpt(line)));
                }
            }
        }
        self.reader.at += 1;
        self.reader.blanks(0)?;
        match self.reader.peek() {
            None => Ok(()),
            Some(_) => Err("something follows the list of events".to_string()),
        }
    }

    fn event(&mut self) -> Result<(), Complaint> {
        let line = self.line_of(self.reader.at);
        let fields = self.fields()?;
        let row = self.row(&fields);
        let pushed = row.and_then(|row| self.columns.push(row, line));
        if pushed.is_err() {
            // The flaw is where the event begins, not where the reader got to.
            self.reader.at = self.counted;
        }
        pushed
    }

    /// Reads a map; the values of the fields lie in `scratch` as canonical JSON.
    fn fields(&mut self) -> Result<Fields, Complaint> {
        self.scratch.clear();
        self.reader.at += 1;
        let mut fields = Fields::default();
        let mut name = Vec::new();
        loop {
            self.reader.blanks(1)?;
            if self.reader.peek() == Some(b'}') {
                self.reader.at += 1;
                return Ok(fields);
            }
            name.clear();
            self.reader.value(&mut name, 1)?;
            let start = self.scratch.len();
            self.reader.blanks(1)?;
            if self.reader.peek() == Some(b'}') {
                return Err("a map with a key but no value".to_string());
            }
            self.reader.value(&mut self.scratch, 1)?;
            let field = match name.as_slice() {
                b"\"index\"" => &mut fields.index,
                b"\"time\"" => &mut fields.time,
                b"\"process\"" => &mut fields.process,
                b"\"type\"" => &mut fields.kind,
                b"\"f\"" => &mut fields.f,
                b"\"key\"" => &mut fields.key,
                b"\"value\"" => &mut fields.value,
                b"\"error\"" => &mut fields.error,
                b"\"node\"" => &mut fields.node,
                _ => continue,
            };
            if field.replace(start..self.scratch.len()).is_some() {
                return Err(format!("the key {} twice in one event", excerpt(&name)));
            }
        }
    }

    fn row(&mut self, fields: &Fields) -> Result<Row, Complaint> {
        let scratch = &self.scratch;
        let text = |field: &Option<Range<usize>>| {
            field
                .clone()
                .map(|range| &scratch[range])
                .filter(|text| *text != b"null")
        };
        let kind = text(&fields.kind).ok_or("no :type; an event needs :process, :type and :f")?;
        let kind = unquoted(kind).and_then(Kind::named).ok_or_else(|| {
            format!(
                "unknown type {}; it must be :invoke, :ok, :fail or :info",
                excerpt(kind)
            )
        })?;
        let tables = &mut self.columns.tables;
        let process = match text(&fields.process) {
            None => 0,
            Some(name) if name[0] == b'"' => -1 - tables.names.code(name) as i32,
            Some(number) => whole(number)
                .filter(|number| (0..=PROCESS_MAX).contains(number))
                .ok_or_else(|| {
                    format!(
                        "process {}; it must be a whole number from 0 or a name",
                        excerpt(number)
                    )
                })? as i32,
        };
        let f = text(&fields.f).unwrap_or(DEFAULT_F);
        let mut name = f.to_vec();
        if f[0] != b'"' {
            name.clear();
            json::write_string(&String::from_utf8_lossy(f), &mut name);
        }
        let number = |field: &Option<Range<usize>>, name: &str| match text(field) {
            None => Ok(None),
            Some(text) => match whole(text) {
                Some(number) => Ok(Some(number)),
                None => Err(format!(
                    "{name} {}; it must be a whole number",
                    excerpt(text)
                )),
            },
        };
        Ok(Row {
            index: number(&fields.index, ":index")?,
            time: number(&fields.time, ":time")?,
            process,
            kind,
            f: tables.f.code(&name) as i32,
            key: text(&fields.key).map_or(NONE, |key| tables.key.code(key) as i32),
            value: text(&fields.value).map_or(NONE, |value| tables.value.code(value) as i32),
            error: text(&fields.error).map_or(NONE, |error| tables.error.code(error) as i32),
            node: match text(&fields.node) {
                Some(node) if node[0] == b'"' => tables.node.code(node) as i32,
                _ => NONE,
            },
        })
    }
}

fn unquoted(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

fn whole(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_lists_and_bare_maps_are_histories() {
        let events = "{:process 1, :type :invoke, :f :read, :value nil}\n {:process 1 :type :ok :f :read :value 3}";
        for text in [
            format!("[{events}]"),
            format!("; hi\n({events})"),
            events.to_string(),
        ] {
            let columns = read(text.as_bytes()).unwrap();
            assert_eq!(
                (columns.pairs.as_slice(), columns.value.as_slice()),
                (&[1, 0][..], &[NONE, 0][..])
            );
        }
    }

    #[test]
    fn flaws_have_lines() {
        let good = "[{:process 1 :type :invoke :f :read :value nil}\n";
        for (bad, hint) in [
            ("{:process 1 :type :done :f :read}]", "unknown type"),
            ("{:process 1 :type :invoke :f :read}]", "open"),
            ("{:process 2 :type :ok :f :read}]", "never invoked"),
            ("{:process 1 :type :ok :f :read", "ends inside"),
            ("{:process 1 :type :ok :f :read} ", "never ends"),
            ("oops]", "expected a map"),
            ("{:process 1.5 :type :ok :f :read}]", "process 1.5"),
        ] {
            let flaw = read(format!("{good}{bad}").as_bytes()).err().expect(bad);
            assert_eq!(flaw.line, 2, "{bad}");
            assert!(flaw.what.contains(hint), "{bad}: {}", flaw.what);
        }
        assert!(read(b" ; nothing\n").is_err());
    }
}
