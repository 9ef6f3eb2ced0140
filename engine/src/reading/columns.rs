//! The history as columns, filled one event at a time in the order of the file.
//!
//! Whatever a format looks like, its reader ends here: events are numbered, times and
//! indices checked, completions paired with their invocations.  `NONE` stands for null,
//! absent or "no partner" in every column.

use super::flaw::{Complaint, EVENTS_MAX};
use super::interner::Interner;
use hashbrown::HashMap;

pub const NONE: i32 = -1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    Invoke = 0,
    Ok = 1,
    Fail = 2,
    Info = 3,
}

impl Kind {
    pub fn named(name: &[u8]) -> Option<Kind> {
        Some(match name {
            b"invoke" => Kind::Invoke,
            b"ok" => Kind::Ok,
            b"fail" => Kind::Fail,
            b"info" => Kind::Info,
            _ => return None,
        })
    }
}

/// One event; the codes are those of the columns' own tables.
///
/// `process` is a client's number, or `-1 - p` for the process called `names[p]`.
#[derive(Clone, Copy)]
pub struct Row {
    pub index: Option<i64>,
    pub time: Option<i64>,
    pub process: i32,
    pub kind: Kind,
    pub f: i32,
    pub key: i32,
    pub value: i32,
    pub error: i32,
    pub node: i32,
}

/// How far `index` and `time` are to be believed, where an event has them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `index` is the position in the file; time never runs backwards.
    Dense,
    /// `index` may have gaps; time never runs backwards.
    Increasing,
    /// As Jepsen writes: `index` may have gaps, and a time stamp may be older than the one
    /// on the line before, for events are stamped first and appended later.  The order of
    /// the lines is the truth: times are moved up, by 1 ns where need be, until they obey it.
    Lines,
}

#[derive(Default)]
pub struct Tables {
    pub names: Interner,
    pub f: Interner,
    pub key: Interner,
    pub value: Interner,
    pub error: Interner,
    pub node: Interner,
}

pub struct Columns {
    order: Order,
    pub tables: Tables,
    pub time: Vec<i64>,
    pub process: Vec<i32>,
    pub kind: Vec<u8>,
    pub f: Vec<i32>,
    pub key: Vec<i32>,
    pub value: Vec<i32>,
    pub error: Vec<i32>,
    pub node: Vec<i32>,
    pub pairs: Vec<i64>,
    /// Source lines, as runs: from event `.0` on, the line is the event's position plus `.1`.
    pub lines: Vec<(u64, i64)>,
    pub meta: Vec<u8>,
    times_given: usize,
    last_time: i64,
    last_index: i64,
    open: HashMap<i32, u32>,
    open_named: HashMap<(i32, i32), u32>,
}

impl Columns {
    pub fn new(order: Order) -> Columns {
        Columns {
            order,
            tables: Tables::default(),
            time: Vec::new(),
            process: Vec::new(),
            kind: Vec::new(),
            f: Vec::new(),
            key: Vec::new(),
            value: Vec::new(),
            error: Vec::new(),
            node: Vec::new(),
            pairs: Vec::new(),
            lines: Vec::new(),
            meta: Vec::new(),
            times_given: 0,
            last_time: i64::MIN,
            last_index: -1,
            open: HashMap::new(),
            open_named: HashMap::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.kind.len()
    }

    /// The open invocation of a client, if it has one.
    pub fn open_invocation(&self, process: i32) -> Option<usize> {
        self.open.get(&process).map(|&position| position as usize)
    }

    pub fn push(&mut self, row: Row, line: u64) -> Result<(), Complaint> {
        let position = self.len();
        if position >= EVENTS_MAX {
            return Err(format!(
                "more than {EVENTS_MAX} events; split the history by key"
            ));
        }
        self.check_index(&row, position)?;
        let time = self.checked_time(&row)?;
        let partner = if row.process < 0 {
            self.pair_named(&row, position as u32)
        } else {
            self.pair_client(&row, position as u32)?
        };
        let mut key = row.key;
        if let Some(partner) = partner {
            let partner = partner as usize;
            self.pairs[partner] = position as i64;
            // A completion that leaves out the key means the key of its invocation.
            if key == NONE {
                key = self.key[partner];
            }
        }
        self.pairs.push(partner.map_or(-1, i64::from));
        self.time.push(time);
        self.process.push(row.process);
        self.kind.push(row.kind as u8);
        self.f.push(row.f);
        self.key.push(key);
        self.value.push(row.value);
        self.error.push(row.error);
        self.node.push(row.node);
        let offset = line as i64 - position as i64;
        if self.lines.last().is_none_or(|&(_, last)| last != offset) {
            self.lines.push((position as u64, offset));
        }
        Ok(())
    }

    fn check_index(&mut self, row: &Row, position: usize) -> Result<(), Complaint> {
        let Some(index) = row.index else {
            return Ok(());
        };
        if self.order == Order::Dense && index != position as i64 {
            return Err(format!(
                "index {index} where {position} was due: indices count the events from 0, \
                 without gaps; leave `index` out if the events are in order"
            ));
        }
        if self.order != Order::Dense && index <= self.last_index {
            return Err(format!(
                "index {index} after index {}: events must be in order; sort the file by index",
                self.last_index
            ));
        }
        self.last_index = index;
        Ok(())
    }

    fn checked_time(&mut self, row: &Row) -> Result<i64, Complaint> {
        let Some(mut time) = row.time else {
            return Ok(0);
        };
        if self.order == Order::Lines {
            time = time.max(self.last_time.saturating_add(1));
        } else if time < self.last_time {
            return Err(format!(
                "time runs backwards, from {} to {time} ns; use the monotonic clock of one machine \
                 and sort the file by time",
                self.last_time
            ));
        }
        self.last_time = time;
        self.times_given += 1;
        Ok(time)
    }

    fn pair_client(&mut self, row: &Row, position: u32) -> Result<Option<u32>, Complaint> {
        let process = row.process;
        if row.kind == Kind::Invoke {
            if let Some(earlier) = self.open.insert(process, position) {
                return Err(format!(
                    "process {process} invokes {} while its operation of event {earlier} is open; \
                     a process does one thing at a time, give each thread its own process",
                    self.shown_f(row.f)
                ));
            }
            return Ok(None);
        }
        let Some(partner) = self.open.remove(&process) else {
            return Err(format!(
                "process {process} completes {} that it never invoked; the invocation is missing \
                 or the operation completed twice",
                self.shown_f(row.f)
            ));
        };
        let invoked = self.f[partner as usize];
        if invoked != row.f {
            return Err(format!(
                "process {process} completes {}, but its open operation is {}",
                self.shown_f(row.f),
                self.shown_f(invoked)
            ));
        }
        let key = self.key[partner as usize];
        if row.key != NONE && row.key != key {
            let shown = |key: i32| match u32::try_from(key) {
                Ok(key) => super::flaw::excerpt(self.tables.key.text(key)),
                Err(_) => "null".to_string(),
            };
            return Err(format!(
                "process {process} completes {} of key {}, but its open operation is of key {}",
                self.shown_f(row.f),
                shown(row.key),
                shown(key)
            ));
        }
        Ok(Some(partner))
    }

    /// Named processes (the nemesis, an observer) follow no rules; what matches is paired.
    /// Jepsen's nemesis begins and ends a fault with two `info` events.
    fn pair_named(&mut self, row: &Row, position: u32) -> Option<u32> {
        let slot = (row.process, row.f);
        if row.kind != Kind::Invoke {
            if let Some(partner) = self.open_named.remove(&slot) {
                return Some(partner);
            }
        }
        if matches!(row.kind, Kind::Invoke | Kind::Info) {
            self.open_named.insert(slot, position);
        }
        None
    }

    fn shown_f(&self, f: i32) -> String {
        super::flaw::excerpt(self.tables.f.text(f as u32))
    }

    /// Forgets all events from `length` on: a torn tail that no checksum covers.
    pub fn truncate(&mut self, length: usize) {
        for position in length..self.len() {
            if let Ok(partner) = usize::try_from(self.pairs[position]) {
                self.pairs[partner] = -1;
            }
        }
        self.time.truncate(length);
        self.process.truncate(length);
        self.kind.truncate(length);
        for codes in [
            &mut self.f,
            &mut self.key,
            &mut self.value,
            &mut self.error,
            &mut self.node,
        ] {
            codes.truncate(length);
        }
        self.pairs.truncate(length);
        self.lines.retain(|&(from, _)| (from as usize) < length);
        // Times given on the dropped events no longer count.
        self.times_given = self.times_given.min(length);
    }

    /// The line of an event that was pushed.
    pub fn line(&self, position: usize) -> u64 {
        let run = self
            .lines
            .partition_point(|&(from, _)| from <= position as u64)
            - 1;
        (position as i64 + self.lines[run].1) as u64
    }

    /// Where some events have no time, the times of the others say nothing about those:
    /// the order of the file is the clock then.
    pub fn settle_times(&mut self) {
        if self.times_given < self.len() {
            for (position, time) in self.time.iter_mut().enumerate() {
                *time = position as i64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(columns: &mut Columns, process: i32, kind: Kind, f: &str) -> Row {
        let f = columns.tables.f.code(f.as_bytes()) as i32;
        Row {
            index: None,
            time: None,
            process,
            kind,
            f,
            key: NONE,
            value: NONE,
            error: NONE,
            node: NONE,
        }
    }

    fn push(columns: &mut Columns, process: i32, kind: Kind, f: &str) -> Result<(), Complaint> {
        let line = columns.len() as u64 + 1;
        let row = row(columns, process, kind, f);
        columns.push(row, line)
    }

    #[test]
    fn completions_pair_with_the_open_invocation_of_their_process() {
        let mut columns = Columns::new(Order::Dense);
        push(&mut columns, 0, Kind::Invoke, "w").unwrap();
        push(&mut columns, 1, Kind::Invoke, "r").unwrap();
        push(&mut columns, 0, Kind::Ok, "w").unwrap();
        assert_eq!(columns.pairs, [2, -1, 0]);
        assert!(push(&mut columns, 1, Kind::Invoke, "r")
            .unwrap_err()
            .contains("open"));
        assert!(push(&mut columns, 2, Kind::Ok, "r")
            .unwrap_err()
            .contains("never invoked"));
    }

    #[test]
    fn a_completion_is_of_the_key_of_its_invocation() {
        let mut columns = Columns::new(Order::Dense);
        let one = columns.tables.key.code(b"1") as i32;
        let two = columns.tables.key.code(b"2") as i32;
        let mut event = |kind, key| {
            let row = row(&mut columns, 0, kind, "w");
            columns.push(Row { key, ..row }, 1)
        };
        event(Kind::Invoke, one).unwrap();
        assert_eq!(
            event(Kind::Ok, two).unwrap_err(),
            "process 0 completes w of key 2, but its open operation is of key 1"
        );
        event(Kind::Invoke, two).unwrap();
        event(Kind::Ok, NONE).unwrap();
        assert_eq!(columns.key, [one, two, two]);
    }

    #[test]
    fn a_nemesis_pairs_info_with_info() {
        let mut columns = Columns::new(Order::Dense);
        for f in ["start", "start", "stop", "stop", "start"] {
            push(&mut columns, -1, Kind::Info, f).unwrap();
        }
        assert_eq!(columns.pairs, [1, 0, 3, 2, -1]);
    }

    #[test]
    fn a_truncated_completion_leaves_its_invocation_pending() {
        let mut columns = Columns::new(Order::Dense);
        push(&mut columns, 0, Kind::Invoke, "w").unwrap();
        push(&mut columns, 0, Kind::Ok, "w").unwrap();
        columns.truncate(1);
        assert_eq!(
            (columns.len(), columns.pairs.as_slice(), columns.line(0)),
            (1, &[-1][..], 1)
        );
    }
}
