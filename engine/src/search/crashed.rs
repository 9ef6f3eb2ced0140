//! The crashed operations of one key: which classes there are, how many of each have been
//! invoked by now, and how many the present configuration has consumed.
//!
//! Equal crashed operations are interchangeable, so only counts matter.  One that is
//! read-only constrains nothing and changes nothing: it is left out.

use std::collections::{HashMap, VecDeque};

use super::history::{Class, KeyHistory};
use super::model::Transitions;

/// What there is to take, and what has been taken.
pub struct Pool {
    /// The model's class of each of our classes.
    classes: Vec<Class>,
    available: Vec<u16>,
    used: Vec<u16>,
    /// Our class of each of the key's crashed operations; `None` for a read-only one.
    class_of: Vec<Option<u16>>,
    /// How many of the key's crashed operations have been invoked at this position.
    seen: usize,
}

impl Pool {
    pub fn new<T: Transitions>(key: &KeyHistory, model: &T) -> Self {
        let mut classes = Vec::new();
        let mut numbers = HashMap::new();
        let class_of = key.crashed.iter().map(|crashed| {
            if model.read_only(crashed.class) {
                return None;
            }
            let number = *numbers.entry(crashed.class).or_insert(classes.len() as u16);
            if usize::from(number) == classes.len() {
                classes.push(crashed.class);
            }
            Some(number)
        });
        let class_of = class_of.collect();
        let zeros = vec![0; classes.len()];
        Pool {
            classes,
            available: zeros.clone(),
            used: zeros,
            class_of,
            seen: 0,
        }
    }

    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// The model's class of our class.
    #[inline]
    pub fn class(&self, number: u32) -> Class {
        self.classes[number as usize]
    }

    /// The classes of which something is left to take.
    pub fn takable(&self) -> impl Iterator<Item = (u32, Class)> + '_ {
        (0..self.classes.len())
            .filter(|&number| self.used[number] < self.available[number])
            .map(|number| (number as u32, self.classes[number]))
    }

    /// How many of each class have been taken.
    #[inline]
    pub fn used(&self) -> &[u16] {
        &self.used
    }

    pub fn take(&mut self, number: u32) {
        self.used[number as usize] += 1;
        debug_assert!(self.used[number as usize] <= self.available[number as usize]);
    }

    pub fn give_back(&mut self, number: u32) {
        self.used[number as usize] -= 1;
    }

    /// Lets in what was invoked before the return at `position`.
    #[inline]
    pub fn advance(&mut self, key: &KeyHistory, position: u32) {
        while let Some(crashed) = key.crashed.get(self.seen) {
            if crashed.position > position {
                break;
            }
            if let Some(number) = self.class_of[self.seen] {
                self.available[usize::from(number)] += 1;
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
                self.available[usize::from(number)] -= 1;
            }
        }
    }

    /// The invocation events of each class, the earliest first.
    pub fn events(&self, key: &KeyHistory) -> Vec<VecDeque<u32>> {
        let mut events = vec![VecDeque::new(); self.classes.len()];
        for (crashed, number) in key.crashed.iter().zip(&self.class_of) {
            if let Some(number) = number {
                events[usize::from(*number)].push_back(crashed.event);
            }
        }
        events
    }

    /// Counts by the model's classes, without zeros.
    pub fn named(&self, used: &[u16]) -> Vec<(Class, u16)> {
        let pairs = self.classes.iter().copied().zip(used.iter().copied());
        pairs.filter(|&(_, used)| used > 0).collect()
    }
}
