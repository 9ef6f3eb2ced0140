//! The configurations from which the search is known to fail.
//!
//! A configuration is `(position, state, linearized)` plus how many crashed operations of
//! each class it has consumed.  *Dominance*: if it failed, so does every configuration
//! with the same first three that consumed at least as many of each class, since whatever
//! succeeds from there could succeed from here.  So only minimal counts are kept.
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
    classes: usize,
    /// First row of each configuration, by block of positions.
    blocks: Vec<Heads<B>>,
    heads_bytes: usize,
    /// Lists of rows of `counts`: the next row of the same configuration, or `END`.
    next: Vec<u32>,
    counts: Vec<u16>,
}

impl<B: Bits> Failed<B> {
    /// An empty table over `classes` classes of crashed operations.
    pub fn new(classes: usize) -> Self {
        Failed {
            classes,
            blocks: Vec::new(),
            heads_bytes: 0,
            next: Vec::new(),
            counts: Vec::new(),
        }
    }

    /// Whether a configuration that failed dominates this one.
    #[inline]
    pub fn dominates(&self, position: u32, state: State, linearized: B, used: &[u16]) -> bool {
        let Some(heads) = self.blocks.get(position as usize / BLOCK) else {
            return false;
        };
        if heads.is_empty() {
            return false;
        }
        let Some(&head) = heads.get(&(position, state, linearized)) else {
            return false;
        };
        if self.classes == 0 {
            return true;
        }
        let mut row = head;
        while row != END {
            let offset = row as usize * self.classes;
            let counts = &self.counts[offset..offset + self.classes];
            if counts.iter().zip(used).all(|(failed, now)| failed <= now) {
                return true;
            }
            row = self.next[row as usize];
        }
        false
    }

    /// Remembers a failure; the caller has asked `dominates` before.
    pub fn insert(&mut self, position: u32, state: State, linearized: B, used: &[u16]) {
        let block = position as usize / BLOCK;
        if block >= self.blocks.len() {
            self.blocks.resize_with(block + 1, HashMap::default);
        }
        let heads = &mut self.blocks[block];
        let bytes = heads.allocation_size();
        let head = heads.entry((position, state, linearized)).or_insert(END);
        if self.classes > 0 {
            *head = insert_row(&mut self.next, &mut self.counts, self.classes, *head, used);
        }
        self.heads_bytes += heads.allocation_size() - bytes;
    }

    /// Forgets everything.  Sound at any time: the search only repeats work.
    pub fn clear(&mut self) {
        *self = Failed::new(self.classes);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.blocks
            .iter()
            .map(HashMap::len)
            .sum::<usize>()
            .max(self.next.len())
    }

    pub fn bytes(&self) -> usize {
        self.heads_bytes
            + self.blocks.capacity() * size_of::<Heads<B>>()
            + self.next.capacity() * size_of::<u32>()
            + self.counts.capacity() * size_of::<u16>()
    }
}

/// Adds a row of counts to the list that begins with `first`; answers its new beginning.
fn insert_row(
    next: &mut Vec<u32>,
    counts: &mut Vec<u16>,
    classes: usize,
    first: u32,
    used: &[u16],
) -> u32 {
    // A row that the new one dominates is overwritten: it can no longer decide anything.
    let mut row = first;
    while row != END {
        let offset = row as usize * classes;
        let known = &mut counts[offset..offset + classes];
        if used
            .iter()
            .zip(known.iter())
            .all(|(now, failed)| now <= failed)
        {
            known.copy_from_slice(used);
            return first;
        }
        row = next[row as usize];
    }
    counts.extend_from_slice(used);
    next.push(first);
    next.len() as u32 - 1
}

#[cfg(test)]
mod tests {
    use super::Failed;

    #[test]
    fn a_failure_dominates_those_that_consumed_as_much_or_more() {
        let mut failed = Failed::<u64>::new(2);
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
        let mut failed = Failed::<u64>::new(1);
        failed.insert(0, 0, 0, &[3]);
        failed.insert(0, 0, 0, &[1]);
        assert_eq!(failed.len(), 1);
        assert!(failed.dominates(0, 0, 0, &[1]) && !failed.dominates(0, 0, 0, &[0]));
    }
}
