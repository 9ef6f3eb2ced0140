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

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::bits::Bits;
use super::model::State;

const END: u32 = u32::MAX;

/// Positions per block.
const BLOCK: usize = 64;

type Heads<B> = HashMap<(u32, State, B), u32, FxBuildHasher>;

/// The table of failures, with its size in bytes known at any time.
pub struct Failed<B: Bits> {
    /// First row of each configuration, by block of positions.
    blocks: Vec<Heads<B>>,
    heads_bytes: usize,
    rows: Rows,
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
        }
    }

    /// Whether a configuration that failed dominates this one.
    #[inline]
    pub fn dominates(&self, position: u32, state: State, linearized: B, consumed: &[u32]) -> bool {
        let Some(heads) = self.blocks.get(position as usize / BLOCK) else {
            return false;
        };
        if heads.is_empty() {
            return false;
        }
        match heads.get(&(position, state, linearized)) {
            Some(&first) => self.rows.any_dominates(first, consumed),
            None => false,
        }
    }

    /// Remembers a failure; the caller has asked `dominates` before.
    pub fn insert(&mut self, position: u32, state: State, linearized: B, consumed: &[u32]) {
        let block = position as usize / BLOCK;
        if block >= self.blocks.len() {
            self.blocks.resize_with(block + 1, HashMap::default);
        }
        let heads = &mut self.blocks[block];
        let bytes = heads.allocation_size();
        let head = heads.entry((position, state, linearized)).or_insert(END);
        if self.rows.words > 0 {
            *head = self.rows.insert(*head, consumed);
        }
        self.heads_bytes += heads.allocation_size() - bytes;
    }

    /// Forgets everything.  Sound at any time: the search only repeats work.
    pub fn clear(&mut self) {
        *self = Failed::new(self.rows.words, self.rows.ordered);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let heads: usize = self.blocks.iter().map(HashMap::len).sum();
        heads.max(self.rows.next.len())
    }

    pub fn bytes(&self) -> usize {
        let words = self.rows.next.capacity() + self.rows.consumed.capacity();
        let blocks = self.blocks.capacity() * size_of::<Heads<B>>();
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
    fn digests_are_equal_or_say_nothing() {
        let mut failed = Failed::<u64>::new(2, false);
        failed.insert(0, 0, 0, &[5, 6]);
        assert!(failed.dominates(0, 0, 0, &[5, 6]));
        assert!(!failed.dominates(0, 0, 0, &[6, 6]));
    }
}
