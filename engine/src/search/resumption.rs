//! How a depth-first search is suspended, and how it goes on.  See `suspension` for the idea.

use std::sync::Mutex;

use super::bits::Bits;
use super::budget::{Budget, Exhausted};
use super::depth_first::{Frame, Search, CRASHED, UNGATHERED};
use super::failed::Failed;
use super::model::Transitions;
use super::outcome::{Open, Outcome};
use super::suspension::{fingerprint, Kept, Suspension, Turn, NOTHING, UNASKED};

impl<B: Bits, T: Transitions + ?Sized> Search<'_, B, T> {
    /// The outcome of a search that must end before it knows.
    pub(super) fn suspended(
        &mut self,
        exhausted: Exhausted,
        visited: u64,
        budget: &Budget,
    ) -> Outcome {
        let position = self.position.max(self.frontier.position);
        let returning = self.key.returns[position as usize].operation;
        let suspension = (exhausted != Exhausted::Broken).then(|| {
            Box::new(Suspension {
                key: fingerprint(self.key, self.model),
                visited,
                turns: self.turns(),
                choices: std::mem::take(&mut self.choices),
                furthest: std::mem::take(&mut self.frontier),
                table: Mutex::new(self.kept(budget)),
            })
        });
        Outcome::Unknown(Open {
            exhausted,
            position,
            event: Some(self.key.event[returning as usize]),
            suspension,
        })
    }

    /// The stack as numbers.
    fn turns(&self) -> Vec<Turn> {
        // The choices of a frame end where those of the next one begin.
        let mut end = self.choices.len() as u32;
        let turn = |frame: &Frame<B>| {
            let mut left = UNASKED;
            if frame.choices != UNGATHERED {
                left = end - frame.choices;
                end = frame.choices;
            }
            let taken = frame.current;
            Turn { taken, left }
        };
        let mut turns: Vec<Turn> = self.frames.iter().rev().map(turn).collect();
        turns.reverse();
        turns
    }

    /// The table of failures, if there is room to keep it.
    fn kept(&mut self, budget: &Budget) -> Option<Kept> {
        let bytes = self.failed.bytes() + self.model.bytes();
        if !budget.ledger.keep(bytes) {
            return None;
        }
        let Some(model) = self.model.keep() else {
            budget.ledger.take_back(bytes);
            return None;
        };
        let nothing = Failed::new(self.crashed.consumed().len(), self.crashed.counts());
        Some(Kept {
            table: Box::new(std::mem::replace(&mut self.failed, nothing)),
            model,
            bytes,
        })
    }

    /// Takes the table of failures back, if it was kept.
    pub(super) fn recall(&mut self, earlier: &Suspension, budget: &Budget) {
        let kept = earlier
            .table
            .lock()
            .expect("nobody panics with the lock")
            .take();
        let Some(kept) = kept else { return };
        budget.ledger.take_back(kept.bytes);
        if let Ok(table) = kept.table.downcast::<Failed<B>>() {
            if self.model.adopt(kept.model) {
                self.failed = *table;
            }
        }
    }

    /// Takes the choices of an earlier search again; false where they make no sense.
    pub(super) fn repeat(&mut self, earlier: &Suspension) -> bool {
        let first = self.key.returns[0].opened;
        self.open_up_to(first, 0);
        let mut choices = earlier.choices.iter().copied();
        for (number, turn) in earlier.turns.iter().enumerate() {
            self.pass_returns();
            if self.position as usize == self.key.returns.len() {
                return false;
            }
            let gathered = self.choices.len();
            if turn.left != UNASKED {
                self.choices
                    .extend(choices.by_ref().take(turn.left as usize));
                let complete = self.choices.len() - gathered == turn.left as usize;
                if !complete || !self.choices[gathered..].iter().all(|&c| self.has(c)) {
                    return false;
                }
            }
            self.frames.push(Frame {
                position: self.position,
                state: self.state,
                unjustified: self.unjustified,
                placed: self.order.len() as u32,
                choices: match turn.left {
                    UNASKED => UNGATHERED,
                    _ => gathered as u32,
                },
                current: NOTHING,
                linearized: self.linearized,
            });
            let last = number + 1 == earlier.turns.len();
            let goes_on = match turn.taken {
                NOTHING => last,
                choice => self.has(choice) && self.take(choice),
            };
            if !goes_on {
                return false;
            }
        }
        if choices.next().is_some() || !self.makes_sense(earlier) {
            return false;
        }
        self.frontier.go_on(&earlier.furthest, &self.order);
        true
    }

    /// Whether there is such a choice in the present configuration.
    fn has(&self, choice: u32) -> bool {
        if choice & CRASHED != 0 {
            return self.crashed.is_takable(choice & !CRASHED);
        }
        let waiting = self.open.minus(&self.linearized);
        (choice as usize) < self.key.width && waiting.has(choice as u16)
    }

    /// Whether what is told of the furthest return speaks of operations that there are.
    fn makes_sense(&self, earlier: &Suspension) -> bool {
        let furthest = &earlier.furthest;
        let completed = |operation: u32| (operation as usize) < self.key.completed.len();
        let mut left = self.crashed.events(self.key);
        let mut placeable = |&entry: &u32| match entry & CRASHED {
            0 => completed(entry),
            _ => {
                let of_class = left.get_mut((entry & !CRASHED) as usize);
                of_class.is_some_and(|events| events.pop_front().is_some())
            }
        };
        (furthest.position as usize) < self.key.returns.len()
            && furthest.longest.iter().all(&mut placeable)
            && furthest.dead.iter().all(|dead| {
                dead.linearized
                    .iter()
                    .all(|&operation| completed(operation))
                    && dead
                        .taken
                        .iter()
                        .all(|&number| self.crashed.is_class(number))
            })
    }
}
