//! A lock: `acquire` where it is free, `release` by its holder.  The holder of a reentrant
//! one may acquire it again, and it is free after as many releases.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{first_alike, Monitored, Object, Source};
use crate::monitors::intervals::{intervals, Interval};
use crate::monitors::sections::{judge, Turn, Turns};
use crate::monitors::{Excerpt, Finding, Operation, Part, CRASHED};
use crate::search::history::{Class, KeyHistory};
use crate::search::register::Misfit;

/// A process, as a number of our own from 0.
pub type Client = u32;

/// What a client does to a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockOp {
    pub client: Client,
    pub acquires: bool,
}

#[derive(Clone)]
pub struct Lock {
    pub operations: Arc<Vec<LockOp>>,
    alike: Arc<Vec<u32>>,
    /// The process behind each client.
    processes: Arc<Vec<i32>>,
    reentrant: bool,
}

impl Lock {
    /// Translates the classes of a history.
    pub fn compile(source: &Source, reentrant: bool) -> Result<Lock, Misfit> {
        let mut clients: HashMap<i32, Client> = HashMap::new();
        let mut processes = Vec::new();
        let operations = source.translate(|class| {
            let client = *clients.entry(class.process).or_insert_with(|| {
                processes.push(class.process);
                processes.len() as Client - 1
            });
            let acquires = match source.name(class) {
                "acquire" => true,
                "release" => false,
                other => {
                    let message = "a lock has no operation";
                    return Err(format!("{message} '{other}', only acquire and release"));
                }
            };
            if class.completed && source.result(class) == "false" {
                return Err("what a lock refused did not happen: record it as `fail`".into());
            }
            Ok(LockOp { client, acquires })
        })?;
        Ok(Lock {
            alike: Arc::new(first_alike(&operations)),
            operations: Arc::new(operations),
            processes: Arc::new(processes),
            reentrant,
        })
    }
}

impl Object for Lock {
    /// The holder, and how many times it has to release.
    type State = Option<(Client, u32)>;

    const SMALL: bool = true;

    fn initial(&self) -> Self::State {
        None
    }

    fn apply(&self, state: &mut Self::State, class: Class) -> bool {
        let LockOp { client, acquires } = self.operations[class as usize];
        let after = match (*state, acquires) {
            (None, true) => Some((client, 1)),
            (Some((holder, depth)), true) if self.reentrant && holder == client => {
                Some((client, depth + 1))
            }
            (Some((holder, depth)), false) if holder == client => {
                (depth > 1).then_some((client, depth - 1))
            }
            _ => return false,
        };
        *state = after;
        true
    }

    fn read_only(&self, _class: Class) -> bool {
        false
    }

    fn alike(&self, class: Class) -> u32 {
        self.alike[class as usize]
    }

    /// Leaves out crashed operations without a counterpart: see `sections`.
    fn relevant(&self, key: &KeyHistory) -> Option<KeyHistory> {
        if key.crashed.is_empty() {
            return None;
        }
        let turns = Turns::of(&intervals(key), &self.operations)?;
        let of_turn = |turn: &Turn| [turn.acquire, turn.release];
        let needed: HashSet<Operation> = turns
            .all()
            .flat_map(of_turn)
            .flatten()
            .map(|interval| interval.operation)
            .filter(|operation| operation & CRASHED != 0)
            .collect();
        let mut relevant = key.clone();
        let mut number = CRASHED;
        relevant.crashed.retain(|_| {
            number += 1;
            needed.contains(&(number - 1))
        });
        Some(relevant)
    }

    fn text(&self, state: &Self::State) -> String {
        match state {
            None => "null".into(),
            Some((holder, depth)) => {
                let process = self.processes[*holder as usize];
                if self.reentrant {
                    format!("[{process},{depth}]")
                } else {
                    process.to_string()
                }
            }
        }
    }

    fn weight(&self, _state: &Self::State) -> usize {
        size_of::<Self::State>()
    }
}

impl Monitored for Lock {
    const ALGORITHM: &'static str = "lock";

    fn judge(&self, intervals: &[Interval]) -> Finding {
        judge(intervals, &self.operations, self.reentrant)
    }

    fn part(&self, _class: Class) -> Part {
        Part::Kept
    }

    /// The i-th acquire and the i-th release of a process can be dropped together.
    ///
    /// Take a linearization.  Acquires of one process do the same, and where each begins and
    /// ends before the next, they can change places until they stand in that order; so can
    /// its releases.  (`Turns` exist only where that is so.)  Whenever another operation is
    /// legal for a reason to do with this process, the process has released as often as it has
    /// acquired, or has acquired more often by 1 (a lock) or by at least 1 (a reentrant one).
    /// With the i-th of both left out, equal numbers are still equal, and the difference of
    /// others is as great or less by one, but not negative: for the i-th release comes after the
    /// i-th acquire.  So what is left is legal.
    fn excerpt(
        &self,
        mut operations: Vec<Operation>,
        intervals: &[Interval],
    ) -> Excerpt<Self::State> {
        let Some(turns) = Turns::of(intervals, &self.operations) else {
            let all = intervals.iter().map(|interval| interval.operation);
            return Excerpt::whole(all.collect(), self.initial());
        };
        operations.sort_unstable();
        let given = |interval: &Interval| operations.binary_search(&interval.operation).is_ok();
        let mut few = Vec::new();
        for turn in turns.all() {
            let both = [turn.acquire, turn.release];
            if both.iter().flatten().any(given) {
                few.extend(both.iter().flatten().map(|interval| interval.operation));
            }
        }
        Excerpt::whole(few, self.initial())
    }
}
