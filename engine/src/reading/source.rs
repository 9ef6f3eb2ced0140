//! A file as a stream of blocks of whole lines, its checksum lines verified on the way.
//!
//! A checksum line is `{"checksum":"crc32:0a1b2c3d","events":N}` (the last one of a closed
//! recording ends in `,"closed":true}`): the CRC-32 of every byte of the file before it,
//! and how many events those are.  A torn tail, what a killed recorder leaves behind its
//! last checksum line, is a prefix of what it would have written; anything else that does
//! not match is corruption.

use super::flaw::{excerpt, Flaw, Trouble, LINE_BYTES_MAX};
use super::lines::CHECKSUM_LINE;
use memchr::memmem::Finder;
use std::io::Read;

pub const BLOCK_BYTES: usize = 4 << 20;

/// Cuts a stream into blocks that end with a newline, save perhaps the last one.
pub struct Blocks<R> {
    input: R,
    block_bytes: usize,
    rest: Vec<u8>,
    done: bool,
    line: u64,
}

impl<R: Read> Blocks<R> {
    /// Blocks of about `block_bytes` each, or longer where a line is.
    pub fn new(input: R, block_bytes: usize) -> Blocks<R> {
        Blocks {
            input,
            block_bytes,
            rest: Vec::new(),
            done: false,
            line: 0,
        }
    }

    pub fn next(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        let mut block = std::mem::take(&mut self.rest);
        let wanted = self.block_bytes;
        while !self.done {
            let before = block.len();
            block.reserve(wanted);
            self.input
                .by_ref()
                .take(wanted as u64)
                .read_to_end(&mut block)?;
            self.done = block.len() - before < wanted;
            if let Some(newline) = memchr::memrchr(b'\n', &block[before..]) {
                self.rest = block.split_off(before + newline + 1);
                self.line += memchr::memchr_iter(b'\n', &block).count() as u64;
                return Ok(Some(block));
            }
            if block.len() > LINE_BYTES_MAX {
                let what = format!("a line longer than the limit of {LINE_BYTES_MAX} bytes");
                return Err(Flaw::at(self.line + 1, what).into());
            }
        }
        Ok((!block.is_empty()).then_some(block))
    }
}

/// What the checksum lines say about a file, gathered block by block.
#[derive(Default)]
pub struct Seals {
    crc: crc32fast::Hasher,
    lines: u64,
    /// Checksum lines seen.
    pub count: u64,
    /// The last line of the file that a checksum covers (its own line).
    pub covered_lines: u64,
    /// How many events that are, by its own word.
    pub covered_events: u64,
    pub closed: bool,
    pub flaw: Option<Flaw>,
}

impl Seals {
    pub fn add(&mut self, block: &[u8]) {
        if self.flaw.is_some() {
            return;
        }
        let finder = Finder::new(CHECKSUM_LINE);
        let mut from = 0;
        for start in finder.find_iter(block) {
            // Inside a line it is not a checksum line but somebody's value.
            if start < from || (start > 0 && block[start - 1] != b'\n') {
                continue;
            }
            let newline = memchr::memchr(b'\n', &block[start..]);
            let end = newline.map_or(block.len(), |length| start + length);
            self.pass(&block[from..start]);
            self.check(&block[start..end], newline.is_some());
            if self.flaw.is_some() {
                return;
            }
            from = start;
        }
        self.pass(&block[from..]);
    }

    fn pass(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        self.lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
    }

    fn check(&mut self, line: &[u8], terminated: bool) {
        let at = self.lines + 1;
        let digest = self.crc.clone().finalize();
        let expected = format!("{{\"checksum\":\"crc32:{digest:08x}\",\"events\":");
        let Some(tail) = line.strip_prefix(expected.as_bytes()) else {
            let torn = !terminated && expected.as_bytes().starts_with(line);
            return if !torn {
                self.mismatch(at)
            };
        };
        let length = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, ending) = tail.split_at(length);
        let closed = b",\"closed\":true}".as_slice();
        if ending != b"}" && ending != closed {
            let torn = !terminated && (closed.starts_with(ending));
            return if !torn {
                self.mismatch(at)
            };
        }
        let Some(events) = std::str::from_utf8(digits)
            .ok()
            .and_then(|text| text.parse().ok())
        else {
            return self.mismatch(at);
        };
        self.count += 1;
        self.covered_lines = at;
        self.covered_events = events;
        self.closed = ending == closed;
    }

    fn mismatch(&mut self, line: u64) {
        let from = self.covered_lines + 1;
        self.flaw = Some(Flaw::corrupt(
            line,
            format!(
                "lines {from} to {line} do not match their checksum: the file was damaged after it \
                 was written; restore it from a copy, it cannot be judged"
            ),
        ));
    }
}

/// A complete line behind the last checksum that no recorder wrote.
pub fn damaged_tail(line: u64, what: &str) -> Flaw {
    Flaw::corrupt(
        line,
        format!(
            "a damaged line ({}); every line of this file is covered by checksums, so it was \
             damaged after it was written; restore it from a copy",
            excerpt(what.as_bytes())
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(body: &str, ending: &str) -> String {
        let crc = crc32fast::hash(body.as_bytes());
        format!("{body}{{\"checksum\":\"crc32:{crc:08x}\",\"events\":1{ending}")
    }

    fn seals(text: &str) -> Seals {
        let mut seals = Seals::default();
        seals.add(text.as_bytes());
        seals
    }

    #[test]
    fn blocks_end_at_newlines_whatever_the_reads_return() {
        let text = "ab\n".repeat(3) + "c";
        let mut blocks = Blocks::new(text.as_bytes(), BLOCK_BYTES);
        assert_eq!(blocks.next().unwrap().unwrap(), b"ab\nab\nab\n");
        assert_eq!(blocks.next().unwrap().unwrap(), b"c");
        assert!(blocks.next().unwrap().is_none());
    }

    #[test]
    fn a_checksum_covers_all_bytes_before_it() {
        let good = seals(&sealed("x\n", "}\n"));
        assert!(good.flaw.is_none() && good.count == 1 && good.covered_lines == 2 && !good.closed);
        assert!(seals(&sealed("x\n", ",\"closed\":true}\n")).closed);
        assert!(seals(&sealed("x\n", "}\n").replace('x', "y"))
            .flaw
            .is_some());
    }

    #[test]
    fn the_first_mismatch_is_told_however_many_follow() {
        let line = "{\"checksum\":\"crc32:ffffffff\",\"events\":0}\n";
        let flaw = seals(&line.repeat(3)).flaw.expect("a mismatch");
        assert!(flaw.corrupt);
        assert_eq!(flaw.line, 1);
    }

    #[test]
    fn only_a_prefix_of_a_checksum_line_is_torn() {
        let whole = sealed("x\n", "}\n");
        for cut in 3 + CHECKSUM_LINE.len()..whole.len() {
            assert!(seals(&whole[..cut]).flaw.is_none(), "{}", &whole[..cut]);
        }
        assert!(seals(&sealed("x\n", "}?")).flaw.is_some());
        assert!(seals(&sealed("x\n", "} ")).flaw.is_some());
        assert!(seals(&sealed("x\n", "?")).flaw.is_some());
    }
}
