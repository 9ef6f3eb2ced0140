//! A whole momus JSONL file: blocks parsed in parallel, merged in order.
//!
//! One thread reads and verifies checksums, some parse, the caller's merges: it maps the
//! codes of each block to those of the whole and hands the rows to `Columns`, which checks
//! what only the whole can show (pairs, order).  So the first flaw in file order is the one
//! reported, and memory holds a few blocks, never the file.

use super::columns::{Columns, Order, Row, NONE};
use super::flaw::{Flaw, Trouble};
use super::interner::Interner;
use super::lines::{self, Block, ABSENT};
use super::source::{damaged_tail, Blocks, Seals, BLOCK_BYTES};
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::mpsc::sync_channel;
use std::sync::Mutex;

const PARSERS_MAX: usize = 4;
/// Blocks in flight per parser; bounds memory when the merge falls behind.
const WAITING_PER_PARSER: usize = 2;

/// The columns of a file, and what its checksum lines promised.
pub struct Recording {
    pub columns: Columns,
    pub seals: Seals,
    pub checksummed: bool,
    /// Something lay behind the last checksum line and was dropped.
    pub torn: bool,
}

struct Merge {
    columns: Columns,
    lines: u64,
    declared: bool,
    flaw: Option<Flaw>,
    flaw_unterminated: bool,
}

pub fn read(input: impl Read + Send, order: Order) -> Result<Recording, Trouble> {
    read_in_blocks(input, order, BLOCK_BYTES)
}

/// The same, whatever the size of the blocks.
pub fn read_in_blocks(
    input: impl Read + Send,
    order: Order,
    block_bytes: usize,
) -> Result<Recording, Trouble> {
    let mut merge = Merge {
        columns: Columns::new(order),
        lines: 0,
        declared: false,
        flaw: None,
        flaw_unterminated: false,
    };
    let mut seals = Seals::default();
    let mut blocks = Blocks::new(input, block_bytes);
    let first = blocks.next()?;
    let second = if first.is_some() {
        blocks.next()?
    } else {
        None
    };
    if let Some(first) = &first {
        seals.add(first);
        merge.add(lines::parse(first, true));
    }
    if let Some(second) = second {
        merge_rest(second, &mut blocks, &mut seals, &mut merge)?;
    }
    finish(merge, seals)
}

/// The parallel part: everything from the second block on.
fn merge_rest(
    second: Vec<u8>,
    blocks: &mut Blocks<impl Read + Send>,
    seals: &mut Seals,
    merge: &mut Merge,
) -> Result<(), Trouble> {
    let parsers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(PARSERS_MAX);
    std::thread::scope(|scope| {
        let (raw_in, raw_out) = sync_channel::<(u64, Vec<u8>)>(WAITING_PER_PARSER * parsers);
        let (parsed_in, parsed_out) = sync_channel::<(u64, Block)>(WAITING_PER_PARSER * parsers);
        let raw_out = std::sync::Arc::new(Mutex::new(raw_out));
        let reader = scope.spawn(move || -> Result<(), Trouble> {
            let mut next = Some(second);
            let mut number = 0;
            while let Some(block) = next {
                seals.add(&block);
                // The others are gone only if they panicked, which the scope reports.
                if raw_in.send((number, block)).is_err() {
                    break;
                }
                number += 1;
                next = blocks.next()?;
            }
            Ok(())
        });
        for _ in 0..parsers {
            let (raw_out, parsed_in) = (raw_out.clone(), parsed_in.clone());
            scope.spawn(move || loop {
                let received = raw_out.lock().map(|queue| queue.recv());
                let Ok(Ok((number, text))) = received else {
                    break;
                };
                if parsed_in
                    .send((number, lines::parse(&text, false)))
                    .is_err()
                {
                    break;
                }
            });
        }
        drop(parsed_in);
        drop(raw_out);
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        for (number, block) in parsed_out {
            waiting.insert(number, block);
            while let Some(block) = waiting.remove(&due) {
                merge.add(block);
                due += 1;
            }
        }
        reader
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

impl Merge {
    fn add(&mut self, block: Block) {
        if self.flaw.is_some() {
            return;
        }
        if let Some(header) = block.header {
            self.declared = header.checksums;
            self.columns.meta = header.meta;
        }
        let tables = &mut self.columns.tables;
        let whole = [
            &mut tables.names,
            &mut tables.f,
            &mut tables.key,
            &mut tables.value,
            &mut tables.error,
            &mut tables.node,
        ];
        let mut maps: [Vec<i32>; 6] = Default::default();
        for ((map, part), whole) in maps.iter_mut().zip(&block.tables).zip(whole) {
            *map = translation(part, whole);
        }
        for event in 0..block.kind.len() {
            let code = |column: usize| match block.codes[column][event] {
                NONE => NONE,
                local => maps[column + 1][local as usize],
            };
            let process = match block.process[event] {
                client if client >= 0 => client,
                named => -1 - maps[0][(-1 - named) as usize],
            };
            let given = |number: i64| (number != ABSENT).then_some(number);
            let row = Row {
                index: given(block.index[event]),
                time: given(block.time[event]),
                process,
                kind: block.kind[event],
                f: code(0),
                key: code(1),
                value: code(2),
                error: code(3),
                node: code(4),
            };
            let line = self.lines + u64::from(block.line[event]);
            if let Err(what) = self.columns.push(row, line) {
                self.flaw = Some(Flaw::at(line, what));
                return;
            }
        }
        if let Some(mut flaw) = block.flaw {
            flaw.line += self.lines;
            self.flaw = Some(flaw);
            self.flaw_unterminated = block.flaw_unterminated;
        }
        self.lines += block.lines;
    }
}

/// The codes in `whole` of the texts of `part`.
fn translation(part: &Interner, whole: &mut Interner) -> Vec<i32> {
    (0..part.len() as u32)
        .map(|code| whole.code(part.text(code)) as i32)
        .collect()
}

fn finish(merge: Merge, seals: Seals) -> Result<Recording, Trouble> {
    let Merge {
        mut columns,
        declared,
        flaw,
        flaw_unterminated,
        lines,
    } = merge;
    if let Some(flaw) = seals.flaw {
        return Err(flaw.into());
    }
    let checksummed = declared || seals.count > 0;
    let mut torn = false;
    if checksummed {
        if let Some(flaw) = flaw {
            if flaw.line <= seals.covered_lines {
                return Err(flaw.into());
            }
            if !flaw_unterminated {
                return Err(damaged_tail(flaw.line, &flaw.what).into());
            }
            torn = true;
        }
        let covered = (0..columns.len())
            .rev()
            .find(|&e| columns.line(e) <= seals.covered_lines);
        let covered = covered.map_or(0, |event| event + 1);
        if covered as u64 != seals.covered_events {
            let what = format!(
                "the checksum line counts {} events, the file has {covered} before it",
                seals.covered_events
            );
            return Err(Flaw::corrupt(seals.covered_lines, what).into());
        }
        torn |= covered < columns.len() || lines > seals.covered_lines;
        columns.truncate(covered);
    } else if let Some(flaw) = flaw {
        return Err(flaw.into());
    } else if columns.len() == 0 && columns.meta.is_empty() {
        return Err(Flaw::at(1, "the file is empty; a history has at least one event").into());
    }
    columns.settle_times();
    Ok(Recording {
        columns,
        seals,
        checksummed,
        torn,
    })
}

#[cfg(test)]
mod tests {
    use super::super::source::Seals;
    use super::*;

    fn event(process: u32, kind: &str, value: u32) -> String {
        format!("{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"w\",\"value\":{value}}}\n")
    }

    fn flaw(text: &str) -> Flaw {
        match read(text.as_bytes(), Order::Dense) {
            Err(Trouble::Flawed(flaw)) => flaw,
            Err(Trouble::Io(error)) => panic!("{error}"),
            Ok(_) => panic!("accepted {text}"),
        }
    }

    #[test]
    fn many_blocks_read_like_one() {
        let mut text = String::new();
        for number in 0..100_000 {
            text += &event(number % 7, "invoke", number);
            text += &event(number % 7, "ok", number);
        }
        assert!(text.len() > 2 * (4 << 20));
        let recording = read(text.as_bytes(), Order::Dense).expect("readable");
        let columns = recording.columns;
        assert_eq!(columns.len(), 200_000);
        assert_eq!(columns.tables.value.len(), 100_000);
        assert!((0..200_000).all(|e| columns.value[e] as usize == e / 2));
        assert!((0..200_000)
            .all(|e| columns.pairs[e] as usize == e ^ 1 && columns.line(e) == e as u64 + 1));
        let broken = text + "oops\n";
        assert_eq!(flaw(&broken).line, 200_001);
    }

    #[test]
    fn the_first_flaw_of_the_file_is_reported() {
        let text = event(0, "invoke", 1) + &event(0, "invoke", 2) + "oops\n";
        assert_eq!(flaw(&text).line, 2);
        assert_eq!(flaw("").line, 1);
    }

    #[test]
    fn a_torn_tail_is_dropped_and_a_damaged_one_is_not() {
        let body = "{\"momus\":\"history\",\"version\":1,\"checksums\":true}\n".to_string()
            + &event(0, "invoke", 1);
        let crc = crc32fast::hash(body.as_bytes());
        let sealed = format!("{body}{{\"checksum\":\"crc32:{crc:08x}\",\"events\":1}}\n");
        let tail = event(0, "ok", 1) + &event(1, "invoke", 1);
        for cut in 0..tail.len() {
            let text = sealed.clone() + &tail[..cut];
            let recording = read(text.as_bytes(), Order::Dense).expect("a torn tail");
            assert_eq!(recording.columns.pairs, [-1]);
            assert_eq!(recording.torn, cut > 0);
        }
        assert!(flaw(&(sealed.clone() + "oops\n")).corrupt);
        assert!(flaw(&sealed.replace("\"f\"", "\"g\"")).corrupt);
        let _: Seals = Seals::default();
    }
}
