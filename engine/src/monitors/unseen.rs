//! Which of the unclaimed elements the unseen moves took.
//!
//! An unclaimed element has a *deadline*, by which it must be gone for somebody else's sake,
//! and an unseen move can take one element at any time after its invocation.  Where
//! deadlines are met at all, they are met if the elements are taken in the order of their
//! deadlines, by the moves in the order of their invocations.  For some containers this is
//! the best there is, for others it is a good try (each monitor says which).

use super::elements::{Life, Lives, Span};
use super::intervals::NEVER;

/// The least of the values behind a place, where values are put in one after the other (a
/// tree of partial minima; Fenwick 1994).
pub struct LeastBehind {
    tree: Vec<u32>,
}

impl LeastBehind {
    /// For places 0 to `places`.
    pub fn new(places: usize) -> LeastBehind {
        LeastBehind {
            tree: vec![NEVER; places + 2],
        }
    }

    pub fn put(&mut self, place: usize, value: u32) {
        let mut node = place + 1;
        while node > 0 {
            self.tree[node] = self.tree[node].min(value);
            node &= node - 1;
        }
    }

    /// Of the values put at `place` or behind; `NEVER` if there is none.
    pub fn least(&self, place: usize) -> u32 {
        let mut node = place + 1;
        let mut least = NEVER;
        while node < self.tree.len() {
            least = least.min(self.tree[node]);
            node += node & node.wrapping_neg();
        }
        least
    }
}

impl Lives {
    /// Gives the unclaimed elements to the unseen moves, in the order of their deadlines (by
    /// number of the element), those without one last.
    pub fn give_unseen(&mut self, deadlines: Vec<u32>) {
        let numbered = self.lives.iter().enumerate();
        let mut unclaimed: Vec<(u32, u32, usize)> = numbered
            .filter(|(_, life)| life.unclaimed())
            .map(|(number, life)| (deadlines[number], life.putting.to, number))
            .collect();
        unclaimed.sort_unstable();
        for ((_, _, number), &(take, invoked)) in unclaimed.into_iter().zip(&self.unseen) {
            self.lives[number].taken_unseen(take, invoked);
        }
        self.deadlines = deadlines;
    }

    /// The same history, easier to explain: whatever may have been taken unseen was never
    /// there, nor was anything unseen.
    pub fn without_unclaimed(&self) -> Lives {
        let claimed = |life: &&Life| !life.unclaimed();
        Lives {
            lives: self.lives.iter().filter(claimed).copied().collect(),
            empties: self.empties.clone(),
            unseen: Vec::new(),
            deadlines: Vec::new(),
        }
    }

    /// Whether unseen moves may have taken unclaimed elements.
    pub fn has_choice(&self) -> bool {
        !self.unseen.is_empty() && self.lives.iter().any(Life::unclaimed)
    }

    /// The last rank of an event, about.
    pub fn end(&self) -> usize {
        let ranks = |span: Span| [span.from, span.to];
        let lives = self.lives.iter();
        let moves = lives.flat_map(|life| [ranks(life.putting), ranks(life.taking)]);
        let all = moves.chain(self.empties.iter().map(|(_, span)| ranks(*span)));
        let finite = all.flatten().filter(|&rank| rank != NEVER);
        finite.max().unwrap_or(0) as usize
    }
}
