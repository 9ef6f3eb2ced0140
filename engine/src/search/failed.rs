//! The configurations from which the search is known to fail.
//!
//! A configuration is `(position, state, linearized)` plus how many crashed operations of
//! each class it has consumed.  *Dominance*: if it failed, so does every configuration
//! with the same first three that consumed at least as many of each class, since whatever
//! succeeds from there could succeed from here.  So only minimal counts are kept.  Where
//! there are too many classes to count, a digest stands for the counts, and a configuration
//! is dominated only by one with the same digest.
//!
//! The search looks only near where it is, so the table is cut into blocks of neighbouring
//! positions: the block in use stays in the processor's cache, however long the history.
//!
//! The table never grows beyond its allowance, not even while it grows: a hash table that
//! doubles needs three times its size for a moment.  So a large block is cut into parts by
//! hash, each of which is small beside the whole, and what would not fit is not remembered,
//! which is sound: the search only repeats work.

use std::hash::BuildHasher;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::bits::Bits;
use super::model::State;

const END: u32 = u32::MAX;

/// Positions per block.
const BLOCK: usize = 64;

/// A block with so many configurations is cut into parts.
const CUT_AT: usize = 50_000;
const PARTS: usize = 256;

/// Tables and rows begin with about so many entries or bytes.
const ROOM: usize = 256;

type Key<B> = (u32, State, B);
type Heads<B> = HashMap<Key<B>, u32, FxBuildHasher>;

/// The configurations of neighbouring positions: in no table, in one, or in `PARTS`.
struct Block<B> {
    parts: Vec<Heads<B>>,
}

impl<B: Bits> Block<B> {
    #[inline]
    fn part(&self, key: &Key<B>) -> usize {
        if self.parts.len() <= 1 {
            return 0;
        }
        // The tables themselves use the lowest and the highest bits.
        (FxBuildHasher.hash_one(key) >> 40) as usize % PARTS
    }

    /// Cuts the one table into parts.
    fn cut(&mut self) {
        let whole = std::mem::take(&mut self.parts[0]);
        self.parts.resize_with(PARTS, HashMap::default);
        for (key, head) in whole {
            let part = self.part(&key);
            self.parts[part].insert(key, head);
        }
    }

    fn bytes(&self) -> usize {
        self.parts.iter().map(HashMap::allocation_size).sum()
    }
}

/// The table of failures, with its size in bytes known at any time.
pub struct Failed<B: Bits> {
    /// First row of each configuration, by block of positions.
    blocks: Vec<Block<B>>,
    heads_bytes: usize,
    rows: Rows,
    /// How many bytes it may hold, for a moment, too.
    allowance: usize,
    full: bool,
}

impl<B: Bits> Failed<B> {
    /// An empty table with `words` words for what was consumed: counts where `ordered`, of
    /// which less is better, else a digest.
    pub fn new(words: usize, ordered: bool) -> Self {
        let rows = Rows {
            words,
            ordered,
            next: Vec::new(),
            consumed: Vec::new(),
        };
        Failed {
            blocks: Vec::new(),
            heads_bytes: 0,
            rows,
            allowance: usize::MAX,
            full: false,
        }
    }

    /// From now on it may hold so many bytes.
    pub fn allow(&mut self, bytes: usize) {
        self.allowance = bytes;
    }

    /// Something was not remembered, for want of memory.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Whether a configuration that failed dominates this one.
    #[inline]
    pub fn dominates(&self, position: u32, state: State, linearized: B, consumed: &[u32]) -> bool {
        let Some(block) = self.blocks.get(position as usize / BLOCK) else {
            return false;
        };
        let key = (position, state, linearized);
        let Some(heads) = block.parts.get(block.part(&key)) else {
            return false;
        };
        match heads.get(&key) {
            Some(&first) => self.rows.any_dominates(first, consumed),
            None => false,
        }
    }

    /// Remembers a failure; the caller has asked `dominates` before.
    pub fn insert(&mut self, position: u32, state: State, linearized: B, consumed: &[u32]) {
        let block = position as usize / BLOCK;
        if block >= self.blocks.len() {
            let none = || Block { parts: Vec::new() };
            self.blocks.resize_with(block + 1, none);
        }
        let free = self.allowance.saturating_sub(self.bytes());
        let block = &mut self.blocks[block];
        match block.parts.len() {
            0 => block.parts.push(HashMap::default()),
            1 if block.parts[0].len() >= CUT_AT => {
                let before = block.bytes();
                if 2 * before > free {
                    self.full = true;
                    return;
                }
                block.cut();
                self.heads_bytes += block.bytes();
                self.heads_bytes -= before;
            }
            _ => {}
        }
        let key = (position, state, linearized);
        let part = block.part(&key);
        let heads = &mut block.parts[part];
        let before = heads.allocation_size();
        // Twice the size beside what there is now; the first allocation is small.
        let growth = match heads.len() == heads.capacity() {
            true => 2 * before + ROOM,
            false => 0,
        };
        if growth + self.rows.growth() > free {
            self.full = true;
            return;
        }
        let head = heads.entry(key).or_insert(END);
        if self.rows.words > 0 {
            *head = self.rows.insert(*head, consumed);
        }
        self.heads_bytes += heads.allocation_size() - before;
    }

    /// Forgets everything.  Sound at any time: the search only repeats work.
    pub fn clear(&mut self) {
        let allowance = self.allowance;
        *self = Failed::new(self.rows.words, self.rows.ordered);
        self.allowance = allowance;
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let parts = self.blocks.iter().flat_map(|block| &block.parts);
        let heads: usize = parts.map(HashMap::len).sum();
        heads.max(self.rows.next.len())
    }

    pub fn bytes(&self) -> usize {
        let words = self.rows.next.capacity() + self.rows.consumed.capacity();
        let blocks = self.blocks.capacity() * size_of::<Block<B>>();
        self.heads_bytes + blocks + words * size_of::<u32>()
    }
}

/// Lists of rows, each telling what a configuration that failed had consumed.
struct Rows {
    words: usize,
    ordered: bool,
    /// The next row of the same configuration, or `END`.
    next: Vec<u32>,
    consumed: Vec<u32>,
}

impl Rows {
    /// How many bytes more it needs if another row is added.
    fn growth(&self) -> usize {
        let row = self.consumed.len() + self.words;
        if self.words == 0
            || (self.next.len() < self.next.capacity() && row <= self.consumed.capacity())
        {
            return 0;
        }
        (self.next.len() / 4 + ROOM) * (self.words + 1) * size_of::<u32>()
    }

    fn row(&self, row: u32) -> std::ops::Range<usize> {
        let offset = row as usize * self.words;
        offset..offset + self.words
    }

    fn at_most(&self, less: &[u32], more: &[u32]) -> bool {
        if self.ordered {
            less.iter().zip(more).all(|(less, more)| less <= more)
        } else {
            less == more
        }
    }

    fn any_dominates(&self, first: u32, consumed: &[u32]) -> bool {
        if self.words == 0 {
            return true;
        }
        let mut row = first;
        while row != END {
            if self.at_most(&self.consumed[self.row(row)], consumed) {
                return true;
            }
            row = self.next[row as usize];
        }
        false
    }

    /// Adds a row to the list that begins with `first`; answers its new beginning.  A row
    /// that the new one dominates is overwritten: it can no longer decide anything.
    fn insert(&mut self, first: u32, consumed: &[u32]) -> u32 {
        let mut row = first;
        while row != END {
            let range = self.row(row);
            if self.at_most(consumed, &self.consumed[range.clone()]) {
                self.consumed[range].copy_from_slice(consumed);
                return first;
            }
            row = self.next[row as usize];
        }
        if self.growth() > 0 {
            // By a quarter, so that little is allocated in vain.
            let more = self.next.len() / 4 + ROOM;
            self.next.reserve_exact(more);
            self.consumed.reserve_exact(more * self.words);
        }
        self.consumed.extend_from_slice(consumed);
        self.next.push(first);
        self.next.len() as u32 - 1
    }
}

#[cfg(test)]
mod tests {
    use super::Failed;

    #[test]
    fn a_failure_dominates_those_that_consumed_as_much_or_more() {
        let mut failed = Failed::<u64>::new(2, true);
        failed.insert(7, 1, 0b11, &[1, 0]);
        assert!(failed.dominates(7, 1, 0b11, &[1, 0]));
        assert!(failed.dominates(7, 1, 0b11, &[2, 5]));
        assert!(!failed.dominates(7, 1, 0b11, &[0, 5]));
        assert!(!failed.dominates(7, 1, 0b01, &[1, 0]));
        failed.insert(7, 1, 0b11, &[0, 3]);
        assert!(failed.dominates(7, 1, 0b11, &[0, 5]));
    }

    #[test]
    fn a_smaller_failure_replaces_a_greater_one() {
        let mut failed = Failed::<u64>::new(1, true);
        failed.insert(0, 0, 0, &[3]);
        failed.insert(0, 0, 0, &[1]);
        assert_eq!(failed.len(), 1);
        assert!(failed.dominates(0, 0, 0, &[1]) && !failed.dominates(0, 0, 0, &[0]));
    }

    #[test]
    fn it_never_holds_more_than_it_may_and_says_when_it_is_full() {
        for (words, ordered) in [(0, true), (2, false)] {
            let mut failed = Failed::<u64>::new(words, ordered);
            failed.allow(8_000_000);
            let consumed = |n: u32| [n, n / 7];
            let mut kept = 0;
            for n in 0..1_000_000 {
                failed.insert(3, n, u64::from(n), &consumed(n)[..words]);
                kept += u32::from(!failed.is_full());
                assert!(failed.bytes() <= 8_000_000);
            }
            assert!(failed.is_full() && failed.bytes() > 6_000_000);
            assert!((0..kept).all(|n| failed.dominates(3, n, n.into(), &consumed(n)[..words])));
            assert!(!failed.dominates(3, 0, 1, &consumed(0)[..words]));
            failed.clear();
            assert!(!failed.is_full() && failed.bytes() < 1_000_000);
        }
    }

    #[test]
    fn digests_are_equal_or_say_nothing() {
        let mut failed = Failed::<u64>::new(2, false);
        failed.insert(0, 0, 0, &[5, 6]);
        assert!(failed.dominates(0, 0, 0, &[5, 6]));
        assert!(!failed.dominates(0, 0, 0, &[6, 6]));
    }
}
