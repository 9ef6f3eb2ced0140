//! The crashed operations of one key: which classes there are, how many of each have been
//! invoked by now, and how many the present configuration has consumed.
//!
//! Equal crashed operations are interchangeable, so only counts matter.  One that is
//! read-only constrains nothing and changes nothing: it is left out.
//!
//! What there is to take is asked for at every choice, and with thousands of classes most of
//! them are used up, or not invoked yet.  So the classes of which something is left are kept
//! as a set: a list in any order, and the place of each in it.  A class enters or leaves it
//! when the number left becomes or is no longer 0, which takes constant time (the last of the
//! list moves to the place that becomes free), and the question costs as much as its answer.

use std::collections::{HashMap, VecDeque};

use super::history::{Class, KeyHistory};
use super::model::Transitions;

/// With more classes than this, what has been consumed is told by a digest of fixed size.
const COUNTED_MAX: usize = 64;

/// The place of a class of which nothing is left.
const NOWHERE: u32 = u32::MAX;

/// What there is to take, and what has been taken.
pub struct Pool {
    /// The model's class of each of our classes.
    classes: Vec<Class>,
    available: Vec<u32>,
    used: Vec<u32>,
    /// The classes of which something is left, in any order.
    left: Vec<u32>,
    /// The place of each class in `left`, or `NOWHERE`.
    place: Vec<u32>,
    /// The classes taken, in order.
    taken: Vec<u32>,
    /// A digest of the multiset `taken`, 128 bits.
    digest: [u64; 2],
    digest_words: [u32; 4],
    /// Our class of each of the key's crashed operations; `None` for a read-only one.
    class_of: Vec<Option<u32>>,
    /// How many of the key's crashed operations have been invoked at this position.
    seen: usize,
}

impl Pool {
    pub fn new<T: Transitions + ?Sized>(key: &KeyHistory, model: &T) -> Self {
        let mut classes = Vec::new();
        let mut numbers = HashMap::new();
        let class_of = key.crashed.iter().map(|crashed| {
            if model.read_only(crashed.class) {
                return None;
            }
            let number = *numbers.entry(crashed.class).or_insert(classes.len() as u32);
            if number as usize == classes.len() {
                classes.push(crashed.class);
            }
            Some(number)
        });
        let class_of = class_of.collect();
        let zeros = vec![0; classes.len()];
        Pool {
            left: Vec::new(),
            place: vec![NOWHERE; classes.len()],
            classes,
            available: zeros.clone(),
            used: zeros,
            taken: Vec::new(),
            digest: [0; 2],
            digest_words: [0; 4],
            class_of,
            seen: 0,
        }
    }

    /// The model's class of our class.
    #[inline]
    pub fn class(&self, number: u32) -> Class {
        self.classes[number as usize]
    }

    /// Whether one of our classes has this number.
    pub fn is_class(&self, number: u32) -> bool {
        (number as usize) < self.classes.len()
    }

    /// The classes of which something is left to take, in any order.
    pub fn takable(&self) -> impl Iterator<Item = (u32, Class)> + '_ {
        let left = self.left.iter();
        left.map(|&number| (number, self.classes[number as usize]))
    }

    /// Whether one of our classes has this number, and something of it is left to take.
    pub fn is_takable(&self, number: u32) -> bool {
        let place = self.place.get(number as usize);
        place.is_some_and(|&place| place != NOWHERE)
    }

    /// Keeps `left` right after one more or one less is left of a class.
    #[inline]
    fn update(&mut self, number: u32) {
        let at = number as usize;
        let place = self.place[at];
        if (self.used[at] < self.available[at]) == (place != NOWHERE) {
            return;
        }
        if place == NOWHERE {
            self.place[at] = self.left.len() as u32;
            self.left.push(number);
        } else {
            self.left.swap_remove(place as usize);
            if let Some(&moved) = self.left.get(place as usize) {
                self.place[moved as usize] = place;
            }
            self.place[at] = NOWHERE;
        }
    }

    /// Whether `consumed` gives counts, of which less is better, or a digest.
    pub fn counts(&self) -> bool {
        self.classes.len() <= COUNTED_MAX
    }

    /// What has been taken: the count of each class, or where there are many classes a
    /// digest, which is equal iff the counts are (but for a chance of 2^-128).
    #[inline]
    pub fn consumed(&self) -> &[u32] {
        if self.counts() {
            &self.used
        } else {
            &self.digest_words
        }
    }

    /// The classes taken, in order.
    pub fn taken(&self) -> &[u32] {
        &self.taken
    }

    pub fn take(&mut self, number: u32) {
        self.used[number as usize] += 1;
        debug_assert!(self.used[number as usize] <= self.available[number as usize]);
        self.taken.push(number);
        self.update(number);
        self.digest(number, u64::wrapping_add);
    }

    /// Gives back what was taken last.
    pub fn give_back(&mut self) {
        let number = self.taken.pop().expect("something was taken");
        self.used[number as usize] -= 1;
        self.update(number);
        self.digest(number, u64::wrapping_sub);
    }

    fn digest(&mut self, number: u32, change: fn(u64, u64) -> u64) {
        for (side, sum) in self.digest.iter_mut().enumerate() {
            *sum = change(*sum, scrambled(u64::from(number) << 1 | side as u64));
            self.digest_words[2 * side] = *sum as u32;
            self.digest_words[2 * side + 1] = (*sum >> 32) as u32;
        }
    }

    /// Lets in what was invoked before the return at `position`.
    #[inline]
    pub fn advance(&mut self, key: &KeyHistory, position: u32) {
        while let Some(crashed) = key.crashed.get(self.seen) {
            if crashed.position > position {
                break;
            }
            if let Some(number) = self.class_of[self.seen] {
                self.available[number as usize] += 1;
                self.update(number);
            }
            self.seen += 1;
        }
    }

    /// Takes out again what was invoked after the return at `position`.
    #[inline]
    pub fn retreat(&mut self, key: &KeyHistory, position: u32) {
        while self.seen > 0 && key.crashed[self.seen - 1].position > position {
            self.seen -= 1;
            if let Some(number) = self.class_of[self.seen] {
                self.available[number as usize] -= 1;
                self.update(number);
            }
        }
    }

    /// The invocation events of each class, the earliest first.
    pub fn events(&self, key: &KeyHistory) -> Vec<VecDeque<u32>> {
        let mut events = vec![VecDeque::new(); self.classes.len()];
        for (crashed, number) in key.crashed.iter().zip(&self.class_of) {
            if let Some(number) = number {
                events[*number as usize].push_back(crashed.event);
            }
        }
        events
    }

    /// Counts by the model's classes of what was taken.
    pub fn named(&self, taken: &[u32]) -> Vec<(Class, u32)> {
        let mut counts = std::collections::BTreeMap::new();
        for &number in taken {
            *counts.entry(self.class(number)).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }
}

/// A number that looks random, by the finalizer of SplitMix64 (Steele, Lea & Flood 2014).
fn scrambled(number: u64) -> u64 {
    let mut word = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
