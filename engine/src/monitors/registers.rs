//! A register whose written values are all distinct.
//!
//! A *cluster* is a value: its write and the reads that saw it.  In any linearization the
//! operations of a cluster stand together, the write first.  Let `f` be the least return
//! and `s` the greatest invocation in the cluster.  If `f < s`, the register must have held
//! the value from `f` to `s`: a *forward* zone.  Else all its operations overlap in
//! `[s, f]`, a *backward* zone, and fit any single point of it.  Linearizable iff
//!
//! 1. every value that was read was written, and no read returned before its write began,
//! 2. no two forward zones overlap,
//! 3. no backward zone lies inside a forward one.
//!
//! (Gibbons & Korach, "Testing shared memories", 1997.)  The initial value is written before
//! everything.  A write that never returned counts only if its value was read, and then as
//! one that returns at the end of time.  Cost: one sort of the zones.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::intervals::{Interval, NEVER};
use super::zones::{sequence, Span};
use super::{Finding, Operation, Part};
use crate::search::history::{Class, KeyHistory};
use crate::search::model::{RegisterOp, State};

/// In place of the write of the initial value.
const NOBODY: Operation = Operation::MAX;

/// A cluster, and when its value must have been there.
#[derive(Clone, Copy)]
struct Zone {
    write: Operation,
    /// When the write was invoked; rank 0 is before everything.
    written: u32,
    /// Least return, and the operation that returned then.
    first: (u32, Operation),
    /// Greatest invocation, and the operation that was invoked then.
    last: (u32, Operation),
    reads: u32,
}

impl Zone {
    /// A crashed write that nobody saw may never have happened.
    fn is_real(&self) -> bool {
        self.reads > 0 || self.first.0 != NEVER
    }

    fn see(&mut self, read: &Interval) {
        self.first = self.first.min((read.returned, read.operation));
        self.last = self.last.max((read.invoked, read.operation));
        self.reads += 1;
    }
}

/// The clusters of a key by number, and the number of each value's.
struct Clusters {
    zones: Vec<Zone>,
    of_value: HashMap<State, u32, FxBuildHasher>,
}

/// Whether there is nothing but reads and writes: without this there is no use in `judge`.
pub fn may_fit(key: &KeyHistory, classes: &[RegisterOp]) -> bool {
    let mut completed = key.completed.iter().map(|operation| operation.class);
    let mut crashed = key.crashed.iter().map(|operation| operation.class);
    let fits = |class: Class| {
        !matches!(
            classes[class as usize],
            RegisterOp::Cas(..) | RegisterOp::CasMismatch(_)
        )
    };
    completed.all(fits) && crashed.all(fits)
}

/// A value with its reads may be dropped from a sequence, since they stand together.
///
/// For the values of a register whose writes are distinct.
pub fn part(class: RegisterOp) -> Part {
    match class {
        RegisterOp::Read(value) => Part::Spare(value),
        RegisterOp::Write(value) => Part::Whole(value),
        RegisterOp::Nothing => Part::Free,
        RegisterOp::Cas(..) | RegisterOp::CasMismatch(_) => Part::Kept,
    }
}

/// Judges a register that holds `initial` at first.  Unfit where a value is written twice,
/// the initial value is written, or there is anything but reads and writes.
pub fn judge(intervals: &[Interval], classes: &[RegisterOp], initial: State) -> Finding {
    let Some(mut clusters) = Clusters::of_writes(intervals, classes, initial) else {
        return Finding::Unfit;
    };
    if let Err(operations) = clusters.add_reads(intervals, classes) {
        return Finding::Contradiction(operations);
    }
    match clusters.sequence() {
        Ok(sequence) => Finding::Linearizable(clusters.order(&sequence, intervals, classes)),
        Err(pair) => {
            let spans = pair.map(|zone| [zone.write, zone.first.1, zone.last.1]);
            let mut operations = spans.concat();
            operations.retain(|operation| *operation != NOBODY);
            operations.sort_unstable();
            operations.dedup();
            Finding::Contradiction(operations)
        }
    }
}

impl Clusters {
    /// A cluster for the initial value, and one for each write; none if two share a value.
    fn of_writes(
        intervals: &[Interval],
        classes: &[RegisterOp],
        initial: State,
    ) -> Option<Clusters> {
        let zone = |write, written, returned| Zone {
            write,
            written,
            first: (returned, write),
            last: (written, write),
            reads: 0,
        };
        let mut zones = vec![zone(NOBODY, 0, 0)];
        let mut of_value = HashMap::default();
        of_value.insert(initial, 0);
        for interval in intervals {
            match classes[interval.class as usize] {
                RegisterOp::Write(value) => {
                    if of_value.insert(value, zones.len() as u32).is_some() {
                        return None;
                    }
                    zones.push(zone(
                        interval.operation,
                        interval.invoked,
                        interval.returned,
                    ));
                }
                RegisterOp::Read(_) | RegisterOp::Nothing => {}
                RegisterOp::Cas(..) | RegisterOp::CasMismatch(_) => return None,
            }
        }
        Some(Clusters { zones, of_value })
    }

    /// Adds each read to the cluster of its value.  The error is a read of a value that
    /// nobody wrote, or that nobody had begun to write, with the write that came too late.
    fn add_reads(
        &mut self,
        intervals: &[Interval],
        classes: &[RegisterOp],
    ) -> Result<(), Vec<Operation>> {
        for interval in intervals {
            let RegisterOp::Read(value) = classes[interval.class as usize] else {
                continue;
            };
            let Some(&number) = self.of_value.get(&value) else {
                return Err(vec![interval.operation]);
            };
            let zone = &mut self.zones[number as usize];
            if interval.returned < zone.written {
                return Err(vec![interval.operation, zone.write]);
            }
            zone.see(interval);
        }
        Ok(())
    }

    /// The clusters in an order that fits their zones, or two that no order fits.
    fn sequence(&self) -> Result<Vec<u32>, [Zone; 2]> {
        let real = |&number: &u32| self.zones[number as usize].is_real();
        let numbers = (0..self.zones.len() as u32).filter(real);
        let span = |number: u32| {
            let zone = &self.zones[number as usize];
            Span {
                first: zone.first.0,
                last: zone.last.0,
            }
        };
        sequence(numbers, span).map_err(|pair| pair.map(|number| self.zones[number as usize]))
    }

    /// All operations: cluster by cluster, the write first, the reads as they were invoked.
    fn order(
        &self,
        sequence: &[u32],
        intervals: &[Interval],
        classes: &[RegisterOp],
    ) -> Vec<Operation> {
        let mut order = Vec::with_capacity(intervals.len());
        // Where the next read of each cluster goes.
        let mut next = vec![0; self.zones.len()];
        for &number in sequence {
            let zone = &self.zones[number as usize];
            if zone.write != NOBODY {
                order.push(zone.write);
            }
            next[number as usize] = order.len();
            order.resize(order.len() + zone.reads as usize, NOBODY);
        }
        // Completed operations come by invocation, and only they are reads.
        for interval in intervals {
            if let RegisterOp::Read(value) = classes[interval.class as usize] {
                let number = self.of_value[&value] as usize;
                order[next[number]] = interval.operation;
                next[number] += 1;
            }
        }
        order
    }
}
