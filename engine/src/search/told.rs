//! What the search tells in the end: a linearization, or how far one gets.

use super::bits::Bits;
use super::depth_first::{Search, CRASHED};
use super::frontier::Dead;
use super::model::Transitions;
use super::outcome::{Configuration, Outcome, Violation};
use super::surroundings::{concurrent, writer};

impl<B: Bits, T: Transitions + ?Sized> Search<'_, B, T> {
    /// The linearization as invocation events; crashed operations of a class are
    /// interchangeable, so the earliest invoked are named first.
    pub(super) fn named(&self, order: &[u32]) -> Vec<u32> {
        let mut events = self.crashed.events(self.key);
        let name = |&entry: &u32| match entry & CRASHED {
            0 => self.key.event[entry as usize],
            _ => {
                let events = &mut events[(entry & !CRASHED) as usize];
                events
                    .pop_front()
                    .expect("no more were taken than there are")
            }
        };
        order.iter().map(name).collect()
    }

    pub(super) fn success(&self) -> Outcome {
        Outcome::Valid {
            order: self.named(&self.order),
        }
    }

    pub(super) fn failure(&self) -> Outcome {
        let event = |&operation: &u32| self.key.event[operation as usize];
        let configuration = |dead: &Dead| Configuration {
            state: dead.state,
            told: dead.told.clone(),
            linearized: dead.linearized.iter().map(event).collect(),
            crashed: self.crashed.named(&dead.taken),
        };
        let stuck = self.key.returns[self.frontier.position as usize].operation;
        let position = self.frontier.position;
        Outcome::Invalid(Violation {
            event: event(&stuck),
            concurrent: concurrent(self.key, position, self.model),
            writer: writer(self.key, position, self.model),
            position,
            configurations: self.frontier.dead.iter().map(configuration).collect(),
            configurations_total: self.frontier.total,
            prefix: self.named(&self.frontier.longest),
            excerpt: false,
        })
    }
}
