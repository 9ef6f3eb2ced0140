//! From a history's columns to each key's operations.
//!
//! An invocation is paired with its completion: `ok` makes a completed operation, `fail`
//! none at all (it certainly did not happen), `info` or nothing a crashed one.  Operations
//! with equal `f`, argument and result are one *class*; models speak of classes only.

use std::collections::HashMap;
use std::thread;

use rustc_hash::FxBuildHasher;

use super::history::{KeyHistory, Layout, TooWide};

/// Columns over the events of a history; codes are -1 for null.
pub struct Columns<'a> {
    pub time: &'a [i64],
    pub process: &'a [i32],
    pub kind: &'a [u8],
    pub f: &'a [i32],
    pub key: &'a [i32],
    pub value: &'a [i32],
    /// The event that completes (or invoked) this one, or -1.
    pub partner: &'a [i64],
}

const INVOKE: u8 = 0;
const OK: u8 = 1;
const FAIL: u8 = 2;

/// What an operation asked and was answered, in codes of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClassKey {
    pub f: i32,
    pub argument: i32,
    pub result: i32,
    pub completed: bool,
    /// Who asked, where the model wants to know; else -1.
    pub process: i32,
}

/// All operations of a history, by key.
pub struct Operations {
    pub classes: Vec<ClassKey>,
    /// Key codes, in order of first appearance, and the history of each.
    pub keys: Vec<(i32, KeyHistory)>,
    /// Completed and crashed operations, all keys together.
    pub count: usize,
    /// Pairs of a completion and a later invocation with the same time stamp, which
    /// therefore count as concurrent.
    pub ties: usize,
    /// All time stamps were equal, so the order of the events was taken instead.
    pub timeless: bool,
}

impl Operations {
    /// Groups the client operations by key, on up to `jobs` threads.
    ///
    /// Intervals are closed: where a completion and an invocation carry the same time, the
    /// invocation is put first, so that the two operations are concurrent.
    ///
    /// `by_process` is whether the operations of different processes are different classes.
    pub fn new(columns: &Columns, by_process: bool, jobs: usize) -> Result<Operations, TooWide> {
        let timeless = columns.time.len() > 1 && columns.time.first() == columns.time.last();
        let (order, ties) = if timeless {
            (None, 0)
        } else {
            invocations_first(columns.time, columns.kind)
        };
        let codes = columns
            .key
            .iter()
            .max()
            .map_or(1, |&code| (code + 2) as usize);
        let shares = if columns.kind.len() < PARALLEL_MIN {
            1
        } else {
            jobs.clamp(1, codes)
        };
        let gather =
            |share| Gathering::of_share(columns, by_process, order.as_deref(), share, shares);
        let parts: Vec<Result<Gathering, TooWide>> = thread::scope(|scope| {
            let others: Vec<_> = (1..shares)
                .map(|share| scope.spawn(move || gather(share)))
                .collect();
            let mine = gather(0);
            let others = others
                .into_iter()
                .map(|other| other.join().expect("no panic"));
            std::iter::once(mine).chain(others).collect()
        });
        let mut classes = Classes::default();
        let mut keys = Vec::new();
        for part in parts {
            let part = part?;
            // Each share has numbered its classes for itself.
            let numbers: Vec<u32> = part
                .classes
                .keys
                .iter()
                .map(|class| classes.number(*class))
                .collect();
            for (first, code, layout) in part.layouts {
                let mut key = layout.finish();
                key.renumber_classes(&numbers);
                keys.push((first, code, key));
            }
        }
        keys.sort_unstable_by_key(|(first, _, _)| *first);
        let keys: Vec<(i32, KeyHistory)> =
            keys.into_iter().map(|(_, code, key)| (code, key)).collect();
        Ok(Operations {
            classes: classes.keys,
            count: keys.iter().map(|(_, key)| key.len()).sum(),
            keys,
            ties,
            timeless,
        })
    }
}

/// Only operations whose names have codes below this are looked up in tables.
const NAMES_MAX: usize = 32;

/// Histories with fewer events than this are gathered by one thread.
const PARALLEL_MIN: usize = 100_000;

/// Distinct operations, numbered in order of appearance.
///
/// Most operations speak of one value only, like a write, or a read, which asks nothing.  These
/// are looked up by its code in a table for all that are alike otherwise: codes are given out
/// in order of appearance, and what appears together lies together, where a hash would strew it
/// over memory.  With millions of distinct operations that is most of the work.
#[derive(Default)]
struct Classes {
    keys: Vec<ClassKey>,
    /// For each kind (`Classes::kind`) the numbers by the code of the value; `NONE` if new.
    of_value: Vec<Vec<u32>>,
    numbers: HashMap<(u64, u64), u32, FxBuildHasher>,
    /// The same where processes count, with the process.
    of_process: HashMap<(u64, u64, i32), u32, FxBuildHasher>,
}

impl Classes {
    /// A number for what is asked and answered besides the code of the one value that an
    /// operation speaks of, and this code; none where there is more.
    #[inline]
    fn kind(key: &ClassKey) -> Option<(usize, i32)> {
        let (shape, value) = match (key.argument, key.result) {
            (-1, value) => (0, value),
            (value, -1) => (1, value),
            (value, same) if value == same => (2, value),
            _ => return None,
        };
        let f = usize::try_from(key.f).ok().filter(|&f| f < NAMES_MAX)?;
        (key.process < 0).then_some(((f * 3 + shape) * 2 + usize::from(key.completed), value))
    }

    #[inline]
    fn number(&mut self, key: ClassKey) -> u32 {
        let Some((kind, value)) = Classes::kind(&key) else {
            return self.hashed(key);
        };
        if kind >= self.of_value.len() {
            self.of_value.resize_with(kind + 1, Vec::new);
        }
        let numbers = &mut self.of_value[kind];
        let at = (value + 1) as usize;
        if at >= numbers.len() {
            numbers.resize(at + 1, NONE);
        }
        if numbers[at] == NONE {
            numbers[at] = self.keys.len() as u32;
            self.keys.push(key);
        }
        numbers[at]
    }

    fn hashed(&mut self, key: ClassKey) -> u32 {
        let halves = |high: i32, low: u32| u64::from(high as u32) << 32 | u64::from(low);
        let asked = halves(key.f, key.argument as u32);
        let answered = halves(key.result, u32::from(key.completed));
        let keys = &mut self.keys;
        let add = || {
            keys.push(key);
            keys.len() as u32 - 1
        };
        if key.process < 0 {
            *self.numbers.entry((asked, answered)).or_insert_with(add)
        } else {
            let entry = self.of_process.entry((asked, answered, key.process));
            *entry.or_insert_with(add)
        }
    }
}

/// One share of the keys: those whose code + 1 leaves `share` when divided by `shares`.
struct Gathering<'a> {
    columns: &'a Columns<'a>,
    by_process: bool,
    share: usize,
    shares: usize,
    classes: Classes,
    /// First event and code of each key, and its layout, in order of first appearance.
    layouts: Vec<(usize, i32, Layout)>,
    /// The layout of each key, by code + 1; `NONE` for a key that has not appeared.
    layout_of: Vec<u32>,
    /// The operation that an invocation event became, in the layout of its key; `NONE` for
    /// other events, other shares, and operations that failed or crashed.
    placed: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl<'a> Gathering<'a> {
    fn of_share(
        columns: &'a Columns<'a>,
        by_process: bool,
        order: Option<&[u32]>,
        share: usize,
        shares: usize,
    ) -> Result<Self, TooWide> {
        let codes = columns
            .key
            .iter()
            .max()
            .map_or(1, |&code| (code + 2) as usize);
        let mut gathering = Gathering {
            columns,
            by_process,
            share,
            shares,
            classes: Classes::default(),
            layouts: Vec::new(),
            layout_of: vec![NONE; codes],
            placed: vec![NONE; columns.kind.len()],
        };
        match order {
            None => (0..columns.kind.len()).try_for_each(|event| gathering.push(event))?,
            Some(order) => order
                .iter()
                .try_for_each(|event| gathering.push(*event as usize))?,
        }
        Ok(gathering)
    }

    #[inline]
    fn push(&mut self, event: usize) -> Result<(), TooWide> {
        let columns = self.columns;
        if columns.process[event] < 0 {
            return Ok(());
        }
        let partner = usize::try_from(columns.partner[event]).ok();
        if columns.kind[event] != INVOKE {
            let Some(invocation) = partner.filter(|_| columns.kind[event] == OK) else {
                return Ok(());
            };
            let operation = self.placed[invocation];
            if operation != NONE {
                let layout = self.layout_of[(columns.key[invocation] + 1) as usize];
                self.layouts[layout as usize].2.complete(operation);
            }
            return Ok(());
        }
        let code = columns.key[event];
        let outcome = partner.map(|partner| columns.kind[partner]);
        if (code + 1) as usize % self.shares != self.share || outcome == Some(FAIL) {
            return Ok(());
        }
        let completed = outcome == Some(OK);
        let result = match partner {
            Some(partner) if completed => columns.value[partner],
            _ => -1,
        };
        let class = self.classes.number(ClassKey {
            f: columns.f[event],
            argument: columns.value[event],
            result,
            completed,
            process: if self.by_process {
                columns.process[event]
            } else {
                -1
            },
        });
        let layout = self.layout(code, event);
        if completed {
            self.placed[event] = layout.invoke(class, event as u32)?;
        } else {
            layout.crash(class, event as u32);
        }
        Ok(())
    }

    fn layout(&mut self, code: i32, event: usize) -> &mut Layout {
        // A single key has all the operations; of many, each grows as it needs to.
        let alone = self.layout_of.len() <= 2;
        let number = &mut self.layout_of[(code + 1) as usize];
        if *number == NONE {
            let room = if alone {
                self.columns.kind.len() / 2
            } else {
                0
            };
            *number = self.layouts.len() as u32;
            self.layouts
                .push((event, code, Layout::with_capacity(room)));
        }
        &mut self.layouts[*number as usize].2
    }
}

/// The events with the invocations of each instant before its completions, if any
/// completion stands before an invocation of the same instant; and how often one does.
fn invocations_first(time: &[i64], kind: &[u8]) -> (Option<Vec<u32>>, usize) {
    let ties = (1..time.len())
        .filter(|&i| time[i] == time[i - 1] && kind[i] == INVOKE && kind[i - 1] != INVOKE)
        .count();
    if ties == 0 {
        return (None, 0);
    }
    let mut order: Vec<u32> = (0..time.len() as u32).collect();
    order.sort_by_key(|&event| (time[event as usize], kind[event as usize] != INVOKE));
    (Some(order), ties)
}

#[cfg(test)]
mod tests {
    use super::{Columns, Operations};

    fn operations(time: &[i64], kind: &[u8], partner: &[i64]) -> Operations {
        let zeros = vec![0; kind.len()];
        let nulls = vec![-1; kind.len()];
        let columns = Columns {
            time,
            process: &zeros,
            kind,
            f: &zeros,
            key: &nulls,
            value: &nulls,
            partner,
        };
        Operations::new(&columns, false, 2).unwrap()
    }

    #[test]
    fn failed_operations_vanish_and_unfinished_ones_stay_open() {
        let found = operations(
            &[0, 1, 2, 3, 4, 5, 6],
            &[0, 1, 0, 2, 0, 3, 0],
            &[1, 0, 3, 2, 5, 4, -1],
        );
        assert_eq!(found.count, 3);
        let key = &found.keys[0].1;
        assert_eq!((key.completed.len(), key.crashed.len()), (1, 2));
    }

    #[test]
    fn intervals_that_touch_are_concurrent() {
        let touching = operations(&[0, 1, 1, 2], &[0, 1, 0, 1], &[1, 0, 3, 2]);
        assert_eq!((touching.keys[0].1.width, touching.ties), (2, 1));
        let apart = operations(&[0, 1, 2, 3], &[0, 1, 0, 1], &[1, 0, 3, 2]);
        assert_eq!(apart.keys[0].1.width, 1);
    }

    #[test]
    fn without_any_clock_the_order_of_events_counts() {
        let found = operations(&[5, 5, 5, 5], &[0, 1, 0, 1], &[1, 0, 3, 2]);
        assert!(found.timeless);
        assert_eq!(found.keys[0].1.width, 1);
    }
}
