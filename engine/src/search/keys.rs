//! Every key by itself, several at once.
//!
//! Linearizability is local: a history is linearizable iff its restriction to each object
//! is (Herlihy & Wing 1990), so keys are searched apart, the longest first.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::thread;

use super::budget::{Budget, Exhausted};
use super::depth_first::search;
use super::history::KeyHistory;
use super::model::{State, Transitions};
use super::outcome::Outcome;

/// Searches one key with sets as wide as it needs.
pub fn search_key<T: Transitions>(
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
        _ => Outcome::Unknown {
            exhausted: Exhausted::Width,
            position: 0,
        },
    }
}

/// Judges all keys on `jobs` threads, each with a model of its own.  The answers stand in
/// the order of the keys.
pub fn search_keys<T, R>(
    keys: &[(i32, KeyHistory)],
    model: &T,
    jobs: usize,
    judge: impl Fn(&KeyHistory, &mut T) -> R + Sync,
) -> Vec<R>
where
    T: Clone + Send + Sync,
    R: Send,
{
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(keys[index].1.len()));
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<Option<R>>> = Mutex::new((0..keys.len()).map(|_| None).collect());
    let work = || {
        let mut model = model.clone();
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let judged = judge(&keys[index].1, &mut model);
            found.lock().expect("no thread panics with the lock")[index] = Some(judged);
        }
    };
    thread::scope(|scope| {
        for _ in 1..jobs.min(keys.len()) {
            scope.spawn(work);
        }
        work();
    });
    let found = found.into_inner().expect("no thread panicked");
    found
        .into_iter()
        .map(|answer| answer.expect("every key was judged"))
        .collect()
}
