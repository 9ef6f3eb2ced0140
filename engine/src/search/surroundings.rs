//! What a reader needs to see of the history around an operation that cannot be placed.

use super::history::KeyHistory;
use super::model::Transitions;

/// So many overlapping operations are named, the last ones.
const CONCURRENT_MAX: usize = 24;

/// Invocation events of the operations that overlap with the one that returns at
/// `position`, in order.  A crashed operation that is read-only explains nothing.
pub fn concurrent<T: Transitions + ?Sized>(key: &KeyHistory, position: u32, model: &T) -> Vec<u32> {
    let returning = key.returns[position as usize];
    // The returns before this one came before the operation was invoked.
    let begun = key
        .returns
        .partition_point(|r| r.opened <= returning.operation) as u32;
    let completed = (0..returning.opened)
        .rev()
        .filter(|&other| other != returning.operation && key.deadline[other as usize] >= begun)
        .map(|other| key.event[other as usize]);
    let crashed = key.crashed.iter().rev();
    let crashed = crashed
        .filter(|other| other.position <= position && !model.read_only(other.class))
        .map(|other| other.event);
    let mut events: Vec<u32> = completed.take(CONCURRENT_MAX).collect();
    events.extend(crashed.take(CONCURRENT_MAX));
    events.sort_unstable();
    events.split_off(events.len().saturating_sub(CONCURRENT_MAX))
}

/// The last operation invoked before the return at `position` that writes what the one
/// that returns there has read, if it is a read of a whole state.
pub fn writer<T: Transitions + ?Sized>(key: &KeyHistory, position: u32, model: &T) -> Option<u32> {
    let returning = key.returns[position as usize];
    let value = model.reads(key.completed[returning.operation as usize].class)?;
    let completed = (0..returning.opened as usize)
        .rev()
        .find(|&other| model.writes(key.completed[other].class) == Some(value))
        .map(|other| key.event[other]);
    let crashed = key.crashed.iter().rev();
    let crashed = crashed
        .filter(|other| other.position <= position)
        .find(|other| model.writes(other.class) == Some(value))
        .map(|other| other.event);
    completed.max(crashed)
}
