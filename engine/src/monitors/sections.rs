//! Critical sections of a lock, plain or reentrant.
//!
//! A client does one operation after the other, so in every linearization its i-th acquire
//! goes with its i-th release: a *turn*.  (Where time stands still, several operations of a
//! client may overlap.  Acquires of one client do the same and can change places, and so can
//! its releases; so the turns may be taken in this order all the same.)
//!
//! *Plain*: the two operations of a turn stand together, since nothing is legal while the
//! lock is held but the release of the holder.  So turns are clusters, and their zones decide
//! (`zones`).  A turn without release holds the lock for ever.
//!
//! *Reentrant*: a client holds the lock at a time iff it has acquired it more often than
//! released it by then.  That number is least, at all times at once, if each acquire comes as
//! late as possible, which is when it returns, and each release as early as possible.  So the
//! lock must be held in the zones of the turns, and zones of one client that overlap make one
//! section.  Different clients' sections are clusters; a turn whose zone is backward is a
//! section of its own, and never inside another one of the same client: the returns of its
//! acquires, and the invocations of its releases, are in order.
//!
//! *Crashed operations*: a client that crashed does nothing more.  So its crashed acquire
//! would hold the lock for ever, and nobody needs it: it did not happen (unless, where time
//! stands still, it comes before a release that needs it).  Its crashed release is one that
//! returns at the end of time: the lock may be free from its invocation on.  A client that
//! goes on after a crash, or does two things at once, is left to the general search.
//!
//! Cost: linear but for one sort of the sections.

use super::intervals::{Interval, NEVER};
use super::zones::{sequence, Span};
use super::{Finding, Operation, CRASHED};
use crate::objects::lock::LockOp;

/// An acquire and the release that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    pub acquire: Option<Interval>,
    pub release: Option<Interval>,
}

impl Turn {
    /// When the lock must be held, or in a backward zone, when it can be.
    fn span(&self) -> Span {
        let acquire = self.acquire.expect("a turn that can be");
        match self.release {
            Some(release) => Span {
                first: acquire.returned.min(release.returned),
                last: acquire.invoked.max(release.invoked),
            },
            None => Span {
                first: acquire.returned,
                last: NEVER,
            },
        }
    }

    fn is_impossible(&self) -> bool {
        match (self.acquire, self.release) {
            (None, _) => true,
            (Some(acquire), Some(release)) => release.returned < acquire.invoked,
            (Some(_), None) => false,
        }
    }

    fn operations(&self) -> impl Iterator<Item = Operation> {
        let both = [self.acquire, self.release];
        both.into_iter()
            .flatten()
            .map(|interval| interval.operation)
    }
}

/// The turns of each client that did anything.
pub struct Turns {
    clients: Vec<Vec<Turn>>,
}

/// What a client did, each kind in the order in which it was begun.
#[derive(Clone, Default)]
struct Doings {
    acquires: Vec<Interval>,
    releases: Vec<Interval>,
    latest: u32,
    crashed: Option<Interval>,
}

impl Turns {
    /// None where a client goes on after a crash, or does the same thing twice at once.
    pub fn of(intervals: &[Interval], operations: &[LockOp]) -> Option<Turns> {
        let mut clients: Vec<Doings> = Vec::new();
        for interval in intervals {
            let LockOp { client, acquires } = operations[interval.class as usize];
            if client as usize >= clients.len() {
                clients.resize_with(client as usize + 1, Doings::default);
            }
            let doings = &mut clients[client as usize];
            // The crashed ones come last.
            if interval.operation & CRASHED != 0 {
                if doings.crashed.is_some() || interval.invoked < doings.latest {
                    return None;
                }
                doings.crashed = Some(*interval);
                continue;
            }
            doings.latest = interval.invoked;
            let before = doings.kind(acquires);
            if before
                .last()
                .is_some_and(|b| b.returned > interval.returned)
            {
                return None;
            }
            before.push(*interval);
        }
        let turns = clients.into_iter().map(|doings| doings.turns(operations));
        Some(Turns {
            clients: turns.collect(),
        })
    }

    pub fn all(&self) -> impl Iterator<Item = &Turn> {
        self.clients.iter().flatten()
    }
}

impl Doings {
    fn kind(&mut self, acquires: bool) -> &mut Vec<Interval> {
        if acquires {
            &mut self.acquires
        } else {
            &mut self.releases
        }
    }

    fn turns(mut self, operations: &[LockOp]) -> Vec<Turn> {
        if let Some(crashed) = self.crashed {
            let acquires = operations[crashed.class as usize].acquires;
            let (completed, other) = if acquires {
                (self.acquires.len(), self.releases.len())
            } else {
                (self.releases.len(), self.acquires.len())
            };
            // One that has no counterpart would change nothing that anybody needs.
            if completed < other {
                self.kind(acquires).push(crashed);
            }
        }
        let count = self.acquires.len().max(self.releases.len());
        let turn = |number: usize| Turn {
            acquire: self.acquires.get(number).copied(),
            release: self.releases.get(number).copied(),
        };
        (0..count).map(turn).collect()
    }
}

/// Turns of one client that follow each other without the lock being free between them.
#[derive(Clone, Copy)]
struct Section<'a> {
    turns: &'a [Turn],
    span: Span,
}

/// Judges a lock that is free at first.
pub fn judge(intervals: &[Interval], operations: &[LockOp], reentrant: bool) -> Finding {
    let Some(turns) = Turns::of(intervals, operations) else {
        return Finding::Unfit;
    };
    if let Some(turn) = turns.all().find(|turn| turn.is_impossible()) {
        return Finding::Contradiction(turn.operations().collect());
    }
    let mut sections = Vec::new();
    for client in &turns.clients {
        add_sections(client, reentrant, &mut sections);
    }
    let numbers = 0..sections.len() as u32;
    match sequence(numbers, |number| sections[number as usize].span) {
        Ok(sequence) => {
            let mut order = Vec::with_capacity(intervals.len());
            for number in sequence {
                sections[number as usize].place(&mut order);
            }
            Finding::Linearizable(order)
        }
        Err(pair) => {
            let [a, b] = pair.map(|number| sections[number as usize]);
            let both = a.near(b.span).chain(b.near(a.span));
            Finding::Contradiction(both.collect())
        }
    }
}

/// Adds the sections of one client.
fn add_sections<'a>(turns: &'a [Turn], reentrant: bool, sections: &mut Vec<Section<'a>>) {
    let mut begin = 0;
    while begin < turns.len() {
        let mut span = turns[begin].span();
        let mut end = begin + 1;
        while reentrant && end < turns.len() && span.is_forward() {
            let next = turns[end].span();
            if !next.is_forward() || next.first > span.last {
                break;
            }
            span.last = next.last;
            end += 1;
        }
        sections.push(Section {
            turns: &turns[begin..end],
            span,
        });
        begin = end;
    }
}

impl<'a> Section<'a> {
    /// The operations in order: each acquire when it returns, each release when it is invoked.
    fn place(&self, order: &mut Vec<Operation>) {
        let mut releases = self.turns.iter().filter_map(|turn| turn.release).peekable();
        for (number, turn) in self.turns.iter().enumerate() {
            let acquire = turn.acquire.expect("a turn that can be");
            let is_first = number == 0;
            while let Some(release) =
                releases.next_if(|release| !is_first && release.invoked < acquire.returned)
            {
                order.push(release.operation);
            }
            order.push(acquire.operation);
        }
        order.extend(releases.map(|release| release.operation));
    }

    /// Those operations whose zones have to do with this one.
    fn near(&self, other: Span) -> impl Iterator<Item = Operation> + 'a {
        let (begin, end) = (other.first.min(other.last), other.first.max(other.last));
        let near = self.turns.iter().filter(move |turn| {
            let span = turn.span();
            span.first.min(span.last) <= end && span.first.max(span.last) >= begin
        });
        near.flat_map(Turn::operations)
    }
}
