//! Sets of slots: which of the currently open operations are already linearized.
//!
//! A slot is a small number that an operation holds only while it is open, so the sets
//! fit a machine word or a few, whatever the length of the history.

use std::hash::Hash;

/// A set of small numbers below `CAPACITY`.
pub trait Bits: Copy + Eq + Hash + Send + 'static {
    /// How many members there can be.
    #[cfg(test)]
    const CAPACITY: usize;
    fn empty() -> Self;
    fn has(&self, slot: u16) -> bool;
    fn add(&mut self, slot: u16);
    fn remove(&mut self, slot: u16);
    /// The members of `self` that are not in `other`.
    fn minus(&self, other: &Self) -> Self;
    fn and(&self, other: &Self) -> Self;
    /// Takes the least member out, or says that there is none.
    fn pop(&mut self) -> Option<u16>;
}

impl Bits for u64 {
    #[cfg(test)]
    const CAPACITY: usize = 64;

    #[inline]
    fn empty() -> Self {
        0
    }
    #[inline]
    fn has(&self, slot: u16) -> bool {
        (self >> slot) & 1 == 1
    }
    #[inline]
    fn add(&mut self, slot: u16) {
        *self |= 1 << slot;
    }
    #[inline]
    fn remove(&mut self, slot: u16) {
        *self &= !(1 << slot);
    }
    #[inline]
    fn minus(&self, other: &Self) -> Self {
        self & !other
    }
    #[inline]
    fn and(&self, other: &Self) -> Self {
        self & other
    }
    #[inline]
    fn pop(&mut self) -> Option<u16> {
        if *self == 0 {
            return None;
        }
        let slot = self.trailing_zeros() as u16;
        *self &= *self - 1;
        Some(slot)
    }
}

impl<const N: usize> Bits for [u64; N] {
    #[cfg(test)]
    const CAPACITY: usize = 64 * N;

    #[inline]
    fn empty() -> Self {
        [0; N]
    }
    #[inline]
    fn has(&self, slot: u16) -> bool {
        self[usize::from(slot) / 64].has(slot % 64)
    }
    #[inline]
    fn add(&mut self, slot: u16) {
        self[usize::from(slot) / 64].add(slot % 64);
    }
    #[inline]
    fn remove(&mut self, slot: u16) {
        self[usize::from(slot) / 64].remove(slot % 64);
    }
    #[inline]
    fn minus(&self, other: &Self) -> Self {
        std::array::from_fn(|word| self[word] & !other[word])
    }
    #[inline]
    fn and(&self, other: &Self) -> Self {
        std::array::from_fn(|word| self[word] & other[word])
    }
    #[inline]
    fn pop(&mut self) -> Option<u16> {
        for (word, bits) in self.iter_mut().enumerate() {
            if let Some(slot) = bits.pop() {
                return Some(slot + 64 * word as u16);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;

    fn behaves_like_a_set<B: Bits>() {
        let mut bits = B::empty();
        let last = (B::CAPACITY - 1) as u16;
        bits.add(3);
        bits.add(last);
        assert!(bits.has(3) && bits.has(last) && !bits.has(4));
        let mut rest = bits;
        rest.remove(3);
        assert!(bits.minus(&rest).has(3) && !bits.minus(&rest).has(last));
        assert!(bits.and(&rest) == rest);
        assert_eq!(
            [bits.pop(), bits.pop(), bits.pop()],
            [Some(3), Some(last), None]
        );
    }

    #[test]
    fn words_and_rows_of_words_are_sets() {
        behaves_like_a_set::<u64>();
        behaves_like_a_set::<[u64; 2]>();
        behaves_like_a_set::<[u64; 16]>();
    }
}
