//! Every key by itself, several at once, and none at the expense of all others.
//!
//! Linearizability is local: a history is linearizable iff its restriction to each object
//! is (Herlihy & Wing 1990), so keys are searched apart, the longest first.
//!
//! A key that is hard must not use up the time in which a hundred easy ones are decided.  So
//! there are rounds.  In the first, each key may visit a few configurations for each of its
//! operations, which decides most; in the later ones each key that is still open goes on
//! where it was, for an equal share of the time that is left.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use super::budget::{Budget, Exhausted};
use super::depth_first::search;
use super::history::KeyHistory;
use super::model::{State, Transitions};
use super::outcome::{Open, Outcome};
use super::suspension::Suspension;

/// In the first round, so many steps for each key, and so many more for each operation.
const FIRST_STEPS: u64 = 100_000;
const FIRST_STEPS_PER_OPERATION: u64 = 4;

/// Histories of up to this many operations are tried on the spot first, with so many steps
/// more than operations for each key: that is over before a thread would have started.
const SMALL: usize = 10_000;
const STEPS_AT_ONCE: u64 = 1_000;

/// Searches one key with sets as wide as it needs.
pub fn search_key<T: Transitions + ?Sized>(
    key: &KeyHistory,
    initial: State,
    model: &mut T,
    budget: &Budget,
) -> Outcome {
    match key.width {
        0..=64 => search::<u64, T>(key, initial, model, budget),
        65..=128 => search::<[u64; 2], T>(key, initial, model, budget),
        129..=512 => search::<[u64; 8], T>(key, initial, model, budget),
        513..=4096 => search::<[u64; 64], T>(key, initial, model, budget),
        _ => Outcome::Unknown(Open::because(Exhausted::Width)),
    }
}

/// A key to be judged, and where an earlier call left it.
pub struct Task<'a> {
    /// Its number among the answers.
    pub number: usize,
    pub key: &'a KeyHistory,
    pub earlier: Option<Arc<Suspension>>,
}

/// What is judged together: how, within which limits, and who is told each answer.
pub struct Court<J, H> {
    /// Judges one key, with the model of its thread.
    pub judge: J,
    /// Hears each answer once, in any order, from any thread.
    pub hear: H,
    pub budget: Budget,
    pub jobs: usize,
}

impl<J, H> Court<J, H> {
    /// Judges small histories within few steps, on this thread; answers what is still open.
    pub fn at_once<'a, T, A>(&self, mut tasks: Vec<Task<'a>>, models: &mut [T]) -> Vec<Task<'a>>
    where
        J: Fn(&KeyHistory, &mut T, &Budget) -> (Outcome, A),
        H: Fn(usize, (Outcome, A)),
    {
        let operations: usize = tasks.iter().map(|task| task.key.len()).sum();
        if operations > SMALL {
            return tasks;
        }
        tasks.retain_mut(|task| {
            let steps = STEPS_AT_ONCE + task.key.len() as u64;
            self.judge_within(task, &mut models[0], &self.budget, Some(steps))
        });
        tasks
    }

    /// Judges the rest, round after round, on as many threads as there are models.
    pub fn in_rounds<T, A>(&self, mut tasks: Vec<Task>, models: &mut [T])
    where
        J: Fn(&KeyHistory, &mut T, &Budget) -> (Outcome, A) + Sync,
        H: Fn(usize, (Outcome, A)) + Sync,
        T: Send,
    {
        tasks.sort_by_key(|task| std::cmp::Reverse(task.key.len()));
        let limited = self.budget.deadline.is_some() || self.budget.ledger.is_limited();
        let mut first = limited && tasks.len() > 1;
        while !tasks.is_empty() {
            tasks = self.round(tasks, models, first);
            first = false;
        }
    }

    /// One round; answers the tasks that may go on.
    fn round<'a, T, A>(&self, tasks: Vec<Task<'a>>, models: &mut [T], first: bool) -> Vec<Task<'a>>
    where
        J: Fn(&KeyHistory, &mut T, &Budget) -> (Outcome, A) + Sync,
        H: Fn(usize, (Outcome, A)) + Sync,
        T: Send,
    {
        let count = tasks.len();
        let tasks: Vec<Mutex<Option<Task>>> = tasks
            .into_iter()
            .map(|task| Mutex::new(Some(task)))
            .collect();
        let (next, left) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let workers = self.jobs.min(count);
        let work = |model: &mut T| {
            loop {
                let turn = next.fetch_add(1, Ordering::Relaxed);
                let Some(task) = tasks.get(turn) else { break };
                let mut task = task
                    .lock()
                    .expect("nobody panics with the lock")
                    .take()
                    .expect("each turn comes once");
                let mut budget = self.budget.clone();
                let mut steps = None;
                if first {
                    steps = Some(FIRST_STEPS + FIRST_STEPS_PER_OPERATION * task.key.len() as u64);
                } else if let Some(deadline) = budget.deadline {
                    let rest = (count - turn).div_ceil(workers) as u32;
                    let now = Instant::now();
                    budget.deadline = Some(now + deadline.saturating_duration_since(now) / rest);
                }
                if self.judge_within(&mut task, model, &budget, steps) {
                    left.lock()
                        .expect("nobody panics with the lock")
                        .push((turn, task));
                }
            }
            self.budget.ledger.end_one();
        };
        self.budget.ledger.run(workers);
        thread::scope(|scope| {
            let (mine, others) = models.split_first_mut().expect("there is a model");
            for model in others.iter_mut().take(workers - 1) {
                scope.spawn(|| work(model));
            }
            work(mine);
        });
        let mut left = left.into_inner().expect("no thread panicked");
        left.sort_unstable_by_key(|(turn, _)| *turn);
        left.into_iter().map(|(_, task)| task).collect()
    }

    /// Judges a key within limits that are narrower than those of the call.  Whether it may
    /// go on: if not, the answer has been heard.
    fn judge_within<T, A>(
        &self,
        task: &mut Task,
        model: &mut T,
        budget: &Budget,
        steps: Option<u64>,
    ) -> bool
    where
        J: Fn(&KeyHistory, &mut T, &Budget) -> (Outcome, A),
        H: Fn(usize, (Outcome, A)),
    {
        let mut budget = match steps {
            Some(steps) => budget.with_steps(steps),
            None => budget.clone(),
        };
        budget.comes_back = self.budget.steps != budget.steps;
        budget.earlier = task.earlier.take();
        let mut judged = (self.judge)(task.key, model, &budget);
        if let Outcome::Unknown(open) = &mut judged.0 {
            let goes_on = match open.exhausted {
                Exhausted::Steps => budget.comes_back,
                Exhausted::Time => self.budget.check_time().is_ok(),
                _ => false,
            };
            if goes_on {
                task.earlier = open.suspension.take().map(Arc::from);
                return true;
            }
        }
        (self.hear)(task.number, judged);
        false
    }
}
