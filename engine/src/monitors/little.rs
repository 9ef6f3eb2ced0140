//! The search of one element with few operations, without any set-up.
//!
//! Depth first over what has been placed, a bit for each operation, and whether the element
//! is there.  An operation may come next if it was invoked before the first return among
//! those left.  Three things keep this short, each argued for the general search
//! (`search/depth_first.rs`): what only looks is placed as soon as it is legal; of operations
//! that do the same only the one that returns first is tried; what failed is not tried again.
//! Since there are only four kinds that change anything, and each is taken in the order of
//! the returns, the configurations are polynomially many.

use std::collections::HashSet;

use rustc_hash::FxBuildHasher;

use super::intervals::{Interval, NEVER};
use super::membership::{kind, step};
use crate::objects::set::SetOp;

/// Operations as bits of a word.
pub const MANY: usize = 64;

/// An operation, by number in the order of the returns.
#[derive(Clone, Copy)]
struct Move {
    operation: SetOp,
    invoked: u32,
    returned: u32,
    at: u32,
}

/// Room for one search after the other.
#[derive(Default)]
pub struct Little {
    moves: Vec<Move>,
    completed: u64,
    order: Vec<u32>,
    failed: HashSet<(u64, bool), FxBuildHasher>,
}

impl Little {
    /// A linearization of at most `MANY` operations on one element, as numbers in `mine`.
    pub fn order(&mut self, mine: &[Interval], classes: &[SetOp]) -> Option<Vec<u32>> {
        assert!(mine.len() <= MANY);
        self.moves.clear();
        self.moves
            .extend(mine.iter().zip(0..).map(|(interval, at)| Move {
                operation: classes[interval.class as usize],
                invoked: interval.invoked,
                returned: interval.returned,
                at,
            }));
        self.moves.sort_unstable_by_key(|m| (m.returned, m.invoked));
        self.completed = 0;
        for (number, each) in self.moves.iter().enumerate() {
            self.completed |= u64::from(each.returned != NEVER) << number;
        }
        self.order.clear();
        self.failed.clear();
        let found = self.search(0, false);
        found.then(|| {
            let numbers = self.order.iter();
            numbers
                .map(|&number| self.moves[number as usize].at)
                .collect()
        })
    }

    fn search(&mut self, mut done: u64, present: bool) -> bool {
        let placed = self.order.len();
        let until = loop {
            let left = self.completed & !done;
            if left == 0 {
                return true;
            }
            let until = self.moves[left.trailing_zeros() as usize].returned;
            let before = done;
            for (number, each) in self.moves.iter().enumerate() {
                let looks = matches!(each.operation, SetOp::Present(_) | SetOp::Absent(_));
                if looks
                    && done >> number & 1 == 0
                    && each.invoked < until
                    && step(each.operation, present).is_some()
                {
                    done |= 1 << number;
                    self.order.push(number as u32);
                }
            }
            if done == before {
                break until;
            }
        };
        if self.failed.contains(&(done, present)) {
            self.order.truncate(placed);
            return false;
        }
        let mut tried = 0u32;
        for number in 0..self.moves.len() {
            let each = self.moves[number];
            let bit = 1 << kind(each.operation);
            if done >> number & 1 == 1 || each.invoked > until || tried & bit != 0 {
                continue;
            }
            let Some(after) = step(each.operation, present) else {
                continue;
            };
            if each.returned == NEVER && after == present {
                continue;
            }
            tried |= bit;
            self.order.push(number as u32);
            if self.search(done | 1 << number, after) {
                return true;
            }
            self.order.pop();
        }
        self.failed.insert((done, present));
        self.order.truncate(placed);
        false
    }
}
