//! A FIFO queue whose elements are all distinct.
//!
//! Say that element `a` comes before `b` if `a` was enqueued before `b` was (in real time),
//! or dequeued before `b` was.  A queue keeps the order, so if these two relations disagree
//! about a pair, the history is not linearizable.  If they do not, they have a common order:
//! each is an interval order, in which `a < b` and `c < d` imply `a < d` or `c < b`, so any
//! cycle of the two together has a shorter one, down to a pair.
//!
//! An empty dequeue needs an instant at which no element need be there (`presence`).  At
//! that instant the queue may always be empty: each element has been dequeued by then, or
//! need not have been enqueued.  So the empty dequeue is like an element that is enqueued
//! and dequeued at that one instant, and disagrees with no other.
//!
//! From a common order follow the instants.  Everything is enqueued, in this order, as early
//! as possible: at the latest invocation of an enqueue so far; and dequeued, in this order,
//! at the latest of all invocations so far.  None of this is too late for an operation that
//! returned, since then it, or its element, would come before an earlier one.
//!
//! The patterns of violations are those of Bouajjani, Emmi, Enea & Hamza, "On reducing
//! linearizability to state reachability" (2015).
//!
//! *Unseen dequeues*: each may take one unclaimed element.  The earlier such an element was
//! enqueued (the earlier that returned), the more needs it to be gone: all that was
//! enqueued surely behind it, and all empty dequeues after it.  So of two unclaimed elements
//! the earlier one never has the later deadline, and giving the earlier one the earlier
//! dequeue is never worse: the k-th element gets the k-th dequeue.  A contradiction with
//! an unclaimed element is one with all that were enqueued before it, since the dequeues
//! can take only so many.
//!
//! Cost: a few sorts.

use super::elements::{lives, Life, Lives, Span, NOBODY};
use super::intervals::{Interval, NEVER};
use super::presence::{cover, Presence};
use super::{Finding, Operation};
use crate::objects::container::Move;

/// An element, or an empty dequeue at an instant of it.
#[derive(Clone, Copy)]
struct Item {
    enqueue: Operation,
    dequeue: Operation,
    enqueuing: Span,
    dequeuing: Span,
}

/// Judges a queue that is empty at first.  Unfit where an element is enqueued twice.
pub fn judge(intervals: &[Interval], moves: &[Move]) -> Finding {
    let mut found = match lives(intervals, moves) {
        Ok(found) => found,
        Err(finding) => return finding,
    };
    let enqueued = found.lives.iter().map(|life| life.putting.to).collect();
    found.give_unseen(enqueued);
    let items = match items(&found) {
        Ok(items) => items,
        Err(finding) => return finding,
    };
    match common_order(&items) {
        Ok(order) => Finding::Linearizable(sequence(&order)),
        Err(pair) => {
            let pair = pair.map(|index| &found.lives[index]);
            found.contradiction(&pair, &[], |life| life.earlier_than_any(&pair))
        }
    }
}

impl Life {
    fn earlier_than_any(&self, others: &[&Life]) -> bool {
        let mut unclaimed = others.iter().filter(|life| life.unclaimed());
        unclaimed.any(|life| self.putting.to <= life.putting.to)
    }
}

/// The elements, and behind them the empty dequeues; the error is one of these that has no
/// instant, with the elements that cover all of it.
fn items(found: &Lives) -> Result<Vec<Item>, Finding> {
    let of_life = |life: &Life| Item {
        enqueue: life.put,
        dequeue: life.take,
        enqueuing: life.putting,
        dequeuing: life.taking,
    };
    let mut items: Vec<Item> = found.lives.iter().map(of_life).collect();
    if found.empties.is_empty() {
        return Ok(items);
    }
    let presence = Presence::of(&found.lives);
    for &(empty, during) in &found.empties {
        let Some(instant) = presence.first_gap(during) else {
            let chain = cover(&found.lives, during);
            let earlier = |life: &Life| life.earlier_than_any(&chain);
            return Err(found.contradiction(&chain, &[empty], earlier));
        };
        let at = Span {
            from: instant,
            to: instant,
        };
        items.push(Item {
            enqueue: NOBODY,
            dequeue: empty,
            enqueuing: at,
            dequeuing: at,
        });
    }
    Ok(items)
}

/// An order that both relations allow, or a pair about which they disagree.
///
/// Takes one item after the other that nothing left comes before: whose enqueue was invoked
/// before any of those left returned, and so its dequeue.
fn common_order(items: &[Item]) -> Result<Vec<Item>, [usize; 2]> {
    let sorted = |key: fn(&Item) -> u32| {
        let mut numbers: Vec<u32> = (0..items.len() as u32).collect();
        numbers.sort_unstable_by_key(|&number| key(&items[number as usize]));
        numbers
    };
    let mut sides = [
        Side::new(sorted(|i| i.enqueuing.from), sorted(|i| i.enqueuing.to)),
        Side::new(sorted(|i| i.dequeuing.from), sorted(|i| i.dequeuing.to)),
    ];
    let spans: [fn(&Item) -> Span; 2] = [|item| item.enqueuing, |item| item.dequeuing];
    let mut open = vec![0u8; items.len()];
    let mut done = vec![false; items.len()];
    let mut ready = Vec::new();
    let mut order = Vec::with_capacity(items.len());
    while order.len() < items.len() {
        for (side, span) in sides.iter_mut().zip(spans) {
            let first = side.first_to_return(&done);
            let returned = span(&items[first as usize]).to;
            while let Some(number) = side.next_invoked(|i| span(&items[i as usize]).from, returned)
            {
                open[number as usize] += 1;
                if open[number as usize] == 2 {
                    ready.push(number);
                }
            }
        }
        if ready.is_empty() {
            return Err(sides.map(|mut side| side.first_to_return(&done) as usize));
        }
        for number in ready.drain(..) {
            done[number as usize] = true;
            order.push(items[number as usize]);
        }
    }
    Ok(order)
}

/// The enqueues or the dequeues, by number of their items.
struct Side {
    by_invocation: Vec<u32>,
    by_return: Vec<u32>,
    invoked: usize,
    returned: usize,
}

impl Side {
    fn new(by_invocation: Vec<u32>, by_return: Vec<u32>) -> Side {
        Side {
            by_invocation,
            by_return,
            invoked: 0,
            returned: 0,
        }
    }

    /// Of the items that are left, and there are some.
    fn first_to_return(&mut self, done: &[bool]) -> u32 {
        while done[self.by_return[self.returned] as usize] {
            self.returned += 1;
        }
        self.by_return[self.returned]
    }

    /// The next item, if it was invoked by `instant`.
    fn next_invoked(&mut self, from: impl Fn(u32) -> u32, instant: u32) -> Option<u32> {
        let number = *self.by_invocation.get(self.invoked)?;
        (from(number) <= instant).then(|| {
            self.invoked += 1;
            number
        })
    }
}

/// The operations of items that stand in their common order.
fn sequence(order: &[Item]) -> Vec<Operation> {
    let mut operations = Vec::with_capacity(2 * order.len());
    let mut latest = 0;
    let enqueued: Vec<u32> = order
        .iter()
        .map(|item| {
            latest = item.enqueuing.from.max(latest);
            latest
        })
        .collect();
    let mut next = 0;
    latest = 0;
    for (number, item) in order.iter().enumerate() {
        latest = latest.max(item.dequeuing.from);
        // Whatever is enqueued before this one is dequeued.
        while next < order.len() && (next <= number || enqueued[next] < latest) {
            // An empty dequeue waits until all that is before it is dequeued.
            if order[next].enqueue != NOBODY {
                operations.push(order[next].enqueue);
            } else if next > number {
                break;
            }
            next += 1;
        }
        if latest != NEVER {
            operations.push(item.dequeue);
        }
    }
    operations
}
