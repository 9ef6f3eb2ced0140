//! Which searches are made, one after the other, to decide a history.
//!
//! The operation that returned first is tried first, then what makes it legal: most
//! histories are nearly linearizable.  A dead end far back is found late, though, since nothing
//! has to be placed by any time.  So the search runs first with a *window*: no operation is
//! placed that was invoked more than so many events after one that waits returned.  That
//! misses orders, so it proves nothing if it fails, but what it finds is an order.
//!
//! If no window shows an order, each key alone may show that there is none, with a bounded
//! effort; then everything is searched.

use super::search::Search;
use super::threads::Threads;
use super::told::{Found, Stuck};
use crate::search::budget::{Budget, Exhausted};
use crate::search::model::{State, Transitions};

/// Windows, in events, and steps allowed in each for every operation.
const WINDOWS: [u32; 4] = [16, 128, 1024, 16384];
const WINDOW_STEPS: u64 = 4;

/// Below so many operations windows save nothing.
const WINDOWS_FROM: usize = 64;

/// Steps allowed to show that one key alone has no order.
const KEY_STEPS: u64 = 200_000;

/// Steps allowed to find a telling dead end.
const EXPLAINING_STEPS: u64 = 20_000;

/// Decides: windows first, then each key alone, then everything.
pub fn decide<T: Transitions>(
    threads: &Threads,
    initial: State,
    model: &mut T,
    budget: &Budget,
) -> Found {
    let operations = threads.len() as u64;
    let mut best = 0;
    if threads.len() >= WINDOWS_FROM {
        for window in WINDOWS {
            let limited = budget.with_steps(10_000 + WINDOW_STEPS * operations);
            let found = Search::new(threads, initial, model, Some(window)).run(&limited);
            match found {
                Found::Order(_) => return found,
                Found::Unknown { exhausted, placed } => {
                    best = best.max(placed);
                    if exhausted != Exhausted::Steps {
                        return Found::Unknown {
                            exhausted,
                            placed: best,
                        };
                    }
                }
                Found::Nothing(stuck) if stuck.orphan.is_some() => return Found::Nothing(stuck),
                _ => {}
            }
        }
        for key in 0..threads.keys as u32 {
            let alone = threads.of_key(key);
            let limited = budget.with_steps(KEY_STEPS);
            if let Found::Nothing(stuck) = Search::new(&alone, initial, model, None).run(&limited) {
                let mut stuck = farthest(&alone, initial, model, budget, stuck);
                stuck.key = Some(key);
                return Found::Nothing(stuck);
            }
        }
    }
    match Search::new(threads, initial, model, None).run(budget) {
        Found::Nothing(stuck) => Found::Nothing(farthest(threads, initial, model, budget, stuck)),
        Found::Unknown { exhausted, placed } => Found::Unknown {
            exhausted,
            placed: placed.max(best),
        },
        found => found,
    }
}

/// Where it is told that there is no order: the farthest that one gets which walks into what
/// the search sees coming (3), with a bounded effort.
fn farthest<T: Transitions>(
    threads: &Threads,
    initial: State,
    model: &mut T,
    budget: &Budget,
    stuck: Stuck,
) -> Stuck {
    if stuck.orphan.is_some() {
        return stuck;
    }
    let mut search = Search::new(threads, initial, model, None);
    search.balance = None;
    let limited = budget.with_steps(EXPLAINING_STEPS + 2 * threads.len() as u64);
    let found = match search.run(&limited) {
        Found::Nothing(found) => found,
        _ => std::mem::take(&mut search.farthest),
    };
    if found.placed > stuck.placed {
        found
    } else {
        stuck
    }
}
