//! Configurations that failed, each remembered by 128 bits.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// The digests of configurations.
pub(super) type Digests = HashSet<u128, BuildHasherDefault<Halves>>;

/// 128 bits that look random, by the finalizer of SplitMix64 (Steele, Lea & Flood 2014).
pub(super) fn scrambled(kind: u64, a: u32, b: u32) -> u128 {
    let number = u64::from(a) << 32 | u64::from(b);
    let half = |seed: u64| {
        let mut word = number ^ seed.wrapping_mul(0xd6e8_feb8_6659_fd93);
        for _ in 0..2 {
            word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
        }
        word
    };
    u128::from(half(2 * kind + 1)) << 64 | u128::from(half(2 * kind + 2))
}

/// A digest is its own hash.
#[derive(Default)]
pub(super) struct Halves(u64);

impl Hasher for Halves {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only digests are hashed")
    }

    fn write_u128(&mut self, digest: u128) {
        self.0 = (digest >> 64) as u64 ^ digest as u64;
    }
}
