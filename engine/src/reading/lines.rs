//! One line of momus JSONL, and a block of such lines, as columns of local codes.
//!
//! The hot loop of reading.  A line is cut into raw texts without being decoded; a raw
//! text is interned as it stands, and only a text not seen before in this block is checked
//! and brought into canonical form.  Blocks know nothing of each other, so they are parsed
//! in parallel and merged afterwards.  Cost: one pass over the bytes, one hash per field.

use super::columns::{Kind, NONE};
use super::flaw::{excerpt, Complaint, Flaw, LINE_BYTES_MAX, PROCESS_MAX};
use super::header::{header, Header};
use super::interner::{hash, Interner};
use super::json;
use super::scan::{members, spaces};
use hashbrown::hash_table::{Entry, HashTable};
use hashbrown::DefaultHashBuilder;

/// The fields of an event, in the order of the file format.
const FIELDS: [&str; 9] = [
    "index", "time", "process", "type", "f", "key", "value", "error", "node",
];
const INDEX: usize = 0;
const TIME: usize = 1;
const PROCESS: usize = 2;
const TYPE: usize = 3;
const F: usize = 4;
const KEY: usize = 5;
const VALUE: usize = 6;
const ERROR: usize = 7;
const NODE: usize = 8;

/// Absent, in the columns of `index` and `time`.
pub const ABSENT: i64 = i64::MIN;

/// Raw texts of one column and their canonical forms.  Two raw texts may share a form.
struct Raws<'a> {
    raw: Vec<&'a [u8]>,
    codes: HashTable<(u64, u32)>,
    hasher: DefaultHashBuilder,
    forms: Interner,
    form_of: Vec<i32>,
    scratch: Vec<u8>,
}

type Form = fn(&[u8], &mut Vec<u8>) -> Result<(), Complaint>;

impl<'a> Raws<'a> {
    fn new() -> Raws<'a> {
        Raws {
            raw: Vec::new(),
            codes: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            forms: Interner::default(),
            form_of: Vec::new(),
            scratch: Vec::new(),
        }
    }

    fn code(&mut self, text: &'a [u8], form: Form) -> Result<i32, Complaint> {
        let Raws {
            raw,
            codes,
            hasher,
            forms,
            form_of,
            scratch,
        } = self;
        let hash = hash(hasher, text);
        let entry = codes.entry(
            hash,
            |&(known, code)| known == hash && raw[code as usize] == text,
            |&(known, _)| known,
        );
        match entry {
            Entry::Occupied(found) => Ok(form_of[found.get().1 as usize]),
            Entry::Vacant(vacant) => {
                scratch.clear();
                form(text, scratch)?;
                vacant.insert((hash, raw.len() as u32));
                raw.push(text);
                let form = forms.code(scratch) as i32;
                form_of.push(form);
                Ok(form)
            }
        }
    }
}

/// The tables of a block: canonical texts of `names`, `f`, `key`, `value`, `error`, `node`.
pub type BlockTables = [Interner; 6];

/// A parsed block.  Rows before the flaw, if there is one, are complete.
pub struct Block {
    pub lines: u64,
    pub header: Option<Header>,
    pub flaw: Option<Flaw>,
    /// The flaw is in a last line that lacks its newline.
    pub flaw_unterminated: bool,
    pub line: Vec<u32>,
    pub index: Vec<i64>,
    pub time: Vec<i64>,
    pub process: Vec<i32>,
    pub kind: Vec<Kind>,
    /// `f`, `key`, `value`, `error`, `node`.
    pub codes: [Vec<i32>; 5],
    pub tables: BlockTables,
}

pub const CHECKSUM_LINE: &[u8] = b"{\"checksum\":";

struct Parser<'a> {
    names: Raws<'a>,
    columns: [Raws<'a>; 5],
    others: Vec<&'a [u8]>,
    block: Block,
}

/// Parses one block of whole lines; `first` if it opens the file.
pub fn parse(text: &[u8], first: bool) -> Block {
    let mut parser = Parser {
        names: Raws::new(),
        columns: std::array::from_fn(|_| Raws::new()),
        others: Vec::new(),
        block: Block {
            lines: 0,
            header: None,
            flaw: None,
            flaw_unterminated: false,
            line: Vec::new(),
            index: Vec::new(),
            time: Vec::new(),
            process: Vec::new(),
            kind: Vec::new(),
            codes: Default::default(),
            tables: Default::default(),
        },
    };
    let mut start = if first && text.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    let mut header_due = first;
    while start < text.len() {
        let found = memchr::memchr(b'\n', &text[start..]);
        let end = found.map_or(text.len(), |length| start + length);
        let line = &text[start..end];
        parser.block.lines += 1;
        if let Err(what) = parser.line(line, &mut header_due) {
            parser.block.flaw = Some(Flaw::at(parser.block.lines, what));
            parser.block.flaw_unterminated = found.is_none();
            break;
        }
        start = end + 1;
    }
    let Parser {
        names,
        columns,
        mut block,
        ..
    } = parser;
    let mut tables = std::iter::once(names).chain(columns).map(|raws| raws.forms);
    block.tables = std::array::from_fn(|_| tables.next().unwrap_or_default());
    block
}

impl<'a> Parser<'a> {
    fn line(&mut self, line: &'a [u8], header_due: &mut bool) -> Result<(), Complaint> {
        let start = spaces(line, 0);
        if start == line.len() || line[start..].starts_with(CHECKSUM_LINE) {
            return Ok(());
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(format!(
                "a line of {} bytes; the limit is {LINE_BYTES_MAX}",
                line.len()
            ));
        }
        if std::mem::take(header_due) {
            if let Some(header) = header(line, start)? {
                self.block.header = Some(header);
                return Ok(());
            }
        }
        self.event(line, start)
    }

    fn event(&mut self, line: &'a [u8], start: usize) -> Result<(), Complaint> {
        let mut fields: [Option<&'a [u8]>; 9] = [None; 9];
        self.others.clear();
        let others = &mut self.others;
        let mut scratch = Vec::new();
        members(line, start, |name, raw| {
            let position = match name {
                b"index" => INDEX,
                b"time" => TIME,
                b"process" => PROCESS,
                b"type" => TYPE,
                b"f" => F,
                b"key" => KEY,
                b"value" => VALUE,
                b"error" => ERROR,
                b"node" => NODE,
                _ => {
                    if others.contains(&name) {
                        return Err(format!("the key \"{}\" twice in one line", excerpt(name)));
                    }
                    others.push(name);
                    scratch.clear();
                    return json::canonical(raw, &mut scratch);
                }
            };
            match fields[position].replace(raw) {
                None => Ok(()),
                Some(_) => Err(format!(
                    "the key \"{}\" twice in one line",
                    FIELDS[position]
                )),
            }
        })?;
        let required = |field: usize| {
            fields[field].ok_or_else(|| {
                format!(
                    "no \"{}\"; an event needs process, type, f and value",
                    FIELDS[field]
                )
            })
        };
        let (process, kind, f) = (required(PROCESS)?, required(TYPE)?, required(F)?);
        required(VALUE)?;
        let kind = self.kind(kind)?;
        let process = self.process(process)?;
        let index = whole(fields[INDEX], "index")?;
        let time = whole(fields[TIME], "time")?;
        if f == b"null" {
            return Err("\"f\" must be a string, what the operation does".to_string());
        }
        let texts = [
            Some(f),
            fields[KEY],
            fields[VALUE],
            fields[ERROR],
            fields[NODE],
        ];
        let forms: [Form; 5] = [
            f_form,
            json::canonical,
            json::canonical,
            json::canonical,
            node_form,
        ];
        let mut codes = [NONE; 5];
        for (column, text) in texts.into_iter().enumerate() {
            if let Some(text) = text.filter(|text| *text != b"null") {
                codes[column] = self.columns[column].code(text, forms[column])?;
            }
        }
        let block = &mut self.block;
        for (column, code) in codes.into_iter().enumerate() {
            block.codes[column].push(code);
        }
        block.line.push(block.lines as u32);
        block.index.push(index);
        block.time.push(time);
        block.process.push(process);
        block.kind.push(kind);
        Ok(())
    }

    fn kind(&self, raw: &[u8]) -> Result<Kind, Complaint> {
        let quoted = raw
            .strip_prefix(b"\"")
            .and_then(|rest| rest.strip_suffix(b"\""));
        quoted.and_then(Kind::named).ok_or_else(|| {
            format!(
                "unknown type {}; it must be invoke, ok, fail or info",
                excerpt(raw)
            )
        })
    }

    fn process(&mut self, raw: &'a [u8]) -> Result<i32, Complaint> {
        if let Some(number) = short_digits(raw) {
            return Ok(number as i32);
        }
        if raw.first() == Some(&b'"') {
            // Taken for a name, its operations would silently be nobody's.
            if raw[1..raw.len() - 1].iter().all(u8::is_ascii_digit) {
                return Err(format!(
                    "process {}; a client is a number, write it without quotes",
                    excerpt(raw)
                ));
            }
            return Ok(-1 - self.names.code(raw, json::canonical)?);
        }
        let mut text = Vec::new();
        json::canonical(raw, &mut text)?;
        match parsed(&text) {
            Some(number) if (0..=PROCESS_MAX).contains(&number) => Ok(number as i32),
            _ => Err(format!(
                "process {}; it must be a whole number from 0 to {PROCESS_MAX}, or a name",
                excerpt(raw)
            )),
        }
    }
}

/// Up to nine digits, the usual spelling of a process.
fn short_digits(raw: &[u8]) -> Option<u32> {
    if raw.is_empty() || raw.len() > 9 || (raw[0] == b'0' && raw.len() > 1) {
        return None;
    }
    raw.iter().try_fold(0u32, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u32::from(digit - b'0'))
    })
}

fn parsed(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn whole(raw: Option<&[u8]>, field: &str) -> Result<i64, Complaint> {
    let Some(raw) = raw.filter(|raw| *raw != b"null") else {
        return Ok(ABSENT);
    };
    if raw.len() <= 18 && raw[0] != b'0' && raw.iter().all(u8::is_ascii_digit) {
        return Ok(raw
            .iter()
            .fold(0, |number, digit| number * 10 + i64::from(digit - b'0')));
    }
    let mut text = Vec::new();
    json::canonical(raw, &mut text)?;
    parsed(&text)
        .filter(|number| *number != ABSENT)
        .ok_or_else(|| {
            format!(
                "{field} {}; it must be a whole number of 64 bits",
                excerpt(raw)
            )
        })
}

fn f_form(raw: &[u8], out: &mut Vec<u8>) -> Result<(), Complaint> {
    match raw.first() {
        Some(b'"') => json::canonical(raw, out),
        _ => Err(format!("\"f\" is {}; it must be a string", excerpt(raw))),
    }
}

fn node_form(raw: &[u8], out: &mut Vec<u8>) -> Result<(), Complaint> {
    match raw.first() {
        Some(b'"') => json::canonical(raw, out),
        _ => Err(format!(
            "\"node\" is {}; it must be a string or null",
            excerpt(raw)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(text: &str) -> (u64, String) {
        let flaw = parse(text.as_bytes(), true).flaw.expect("a flaw");
        (flaw.line, flaw.what)
    }

    #[test]
    fn a_line_becomes_a_row_of_codes() {
        let text = concat!(
            "{\"process\":0,\"type\":\"invoke\",\"f\":\"cas\",\"value\":[1,2]}\n",
            " { \"f\" : \"cas\" , \"value\":[1, 2.0],\"type\":\"ok\",\"process\":0, \"x\": {} } \n",
            "\n{\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"kill\",\"value\":null}",
        );
        let block = parse(text.as_bytes(), true);
        assert!(block.flaw.is_none(), "{:?}", block.flaw);
        assert_eq!(block.process, [0, 0, -1]);
        assert_eq!(block.codes[2], [0, 0, NONE]);
        assert_eq!(block.line, [1, 2, 4]);
        assert_eq!(block.tables[3].text(0), b"[1,2]");
    }

    #[test]
    fn complaints_name_the_line() {
        let good = "{\"process\":0,\"type\":\"invoke\",\"f\":\"r\",\"value\":null}\n";
        for (bad, hint) in [
            ("nonsense", "expected one JSON object"),
            ("{\"process\":0", "too early"),
            (
                "{\"process\":0,\"type\":\"done\",\"f\":\"r\",\"value\":1}",
                "unknown type",
            ),
            (
                "{\"process\":0,\"type\":\"ok\",\"f\":\"r\"}",
                "no \"value\"",
            ),
            (
                "{\"process\":-1,\"type\":\"ok\",\"f\":\"r\",\"value\":1}",
                "process -1",
            ),
            (
                "{\"process\":0,\"type\":\"ok\",\"f\":3,\"value\":1}",
                "must be a string",
            ),
            (
                "{\"process\":0,\"type\":\"ok\",\"f\":\"r\",\"value\":NaN}",
                "NaN",
            ),
            (
                "{\"process\":0,\"process\":0,\"type\":\"ok\",\"f\":\"r\",\"value\":1}",
                "twice",
            ),
            (
                "{\"process\":0,\"type\":\"ok\",\"f\":\"r\",\"value\":{\"a\":1,\"a\":2}}",
                "twice",
            ),
            (
                "{\"process\":0,\"type\":\"ok\",\"f\":\"r\",\"value\":1,\"time\":1.5}",
                "time 1.5",
            ),
            (
                "{\"process\":0,\"type\":\"ok\",\"f\":\"r\",\"value\":]}",
                "not valid JSON",
            ),
        ] {
            let (line, what) = flaw(&format!("{good}{bad}\n{good}"));
            assert_eq!(line, 2, "{bad}");
            assert!(what.contains(hint), "{bad}: {what}");
        }
    }
}
