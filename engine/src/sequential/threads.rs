//! A history as each process lived through it.
//!
//! A process is a row of completed operations.  Operations whose outcome nobody knows stand
//! apart: such a one may take effect at any time after the operations that its process did
//! before, or never, and the later operations of its process do not wait for it.

use std::collections::HashMap;

use crate::search::history::{Class, KeyHistory};

/// A completed operation.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    pub key: u32,
    pub class: Class,
    /// The events at which it was invoked and returned.
    pub invoked: u32,
    pub returned: u32,
    /// How many operations on its key its process has from here on, this one counted.
    pub left: u32,
}

/// An operation that may have happened or not.
#[derive(Clone, Copy, Debug)]
pub struct Optional {
    /// The index of its process, and how many operations that one completed before it.
    pub process: u32,
    pub after: u32,
    pub invoked: u32,
}

/// Optional operations that do the same to the same key, in the order of their invocations.
#[derive(Clone, Debug)]
pub struct Group {
    pub key: u32,
    pub class: Class,
    pub members: Vec<Optional>,
}

/// All operations of a history, process by process.
#[derive(Clone, Debug, Default)]
pub struct Threads {
    pub processes: Vec<Vec<Operation>>,
    pub groups: Vec<Group>,
    pub keys: usize,
}

impl Threads {
    /// From the operations of each key.  `process` and `partner` have an entry for each event;
    /// `ignored` says of a class that it constrains nothing when nobody saw its answer.
    pub fn new<'a>(
        keys: impl ExactSizeIterator<Item = &'a KeyHistory>,
        process: &[i32],
        partner: &[i64],
        ignored: impl Fn(Class) -> bool,
    ) -> Self {
        let mut threads = Threads {
            keys: keys.len(),
            ..Threads::default()
        };
        let mut numbers: HashMap<i32, usize> = HashMap::new();
        let mut optional: Vec<(u32, Class, usize, u32)> = Vec::new();
        for (key, history) in keys.enumerate() {
            let mut row = |processes: &mut Vec<Vec<Operation>>, event: u32| {
                *numbers.entry(process[event as usize]).or_insert_with(|| {
                    processes.push(Vec::new());
                    processes.len() - 1
                })
            };
            for crashed in &history.crashed {
                if !ignored(crashed.class) {
                    optional.push((
                        key as u32,
                        crashed.class,
                        row(&mut threads.processes, crashed.event),
                        crashed.event,
                    ));
                }
            }
            for (completed, &event) in history.completed.iter().zip(&history.event) {
                let number = row(&mut threads.processes, event);
                threads.processes[number].push(Operation {
                    key: key as u32,
                    class: completed.class,
                    invoked: event,
                    returned: partner[event as usize] as u32,
                    left: 0,
                });
            }
        }
        for row in &mut threads.processes {
            row.sort_unstable_by_key(|operation| operation.invoked);
        }
        threads.count_left();
        threads.group(optional);
        threads
    }

    /// The operations on one key alone.  If these have no order, the whole has none: leaving
    /// out the others, an order of the whole is one of these.
    pub fn of_key(&self, key: u32) -> Threads {
        let mut kept_before: Vec<Vec<u32>> = Vec::with_capacity(self.processes.len());
        let mut part = Threads {
            keys: self.keys,
            ..Threads::default()
        };
        for row in &self.processes {
            let mut kept = Vec::with_capacity(row.len() + 1);
            let mut mine = Vec::new();
            kept.push(0);
            for operation in row {
                if operation.key == key {
                    mine.push(*operation);
                }
                kept.push(mine.len() as u32);
            }
            part.processes.push(mine);
            kept_before.push(kept);
        }
        for group in self.groups.iter().filter(|group| group.key == key) {
            let mut group = group.clone();
            for member in &mut group.members {
                member.after = kept_before[member.process as usize][member.after as usize];
            }
            part.groups.push(group);
        }
        part
    }

    /// How many operations have to be placed.
    pub fn len(&self) -> usize {
        self.processes.iter().map(Vec::len).sum()
    }

    fn count_left(&mut self) {
        for row in &mut self.processes {
            let mut left: HashMap<u32, u32> = HashMap::new();
            for operation in row.iter_mut().rev() {
                let count = left.entry(operation.key).or_insert(0);
                *count += 1;
                operation.left = *count;
            }
        }
    }

    fn group(&mut self, mut optional: Vec<(u32, Class, usize, u32)>) {
        optional.sort_unstable_by_key(|&(_, _, _, invoked)| invoked);
        let mut numbers: HashMap<(u32, Class), usize> = HashMap::new();
        for (key, class, process, invoked) in optional {
            let groups = &mut self.groups;
            let number = *numbers.entry((key, class)).or_insert_with(|| {
                groups.push(Group {
                    key,
                    class,
                    members: Vec::new(),
                });
                groups.len() - 1
            });
            let row = &self.processes[process];
            let after = row.partition_point(|before| before.invoked < invoked) as u32;
            self.groups[number].members.push(Optional {
                process: process as u32,
                after,
                invoked,
            });
        }
    }
}
