//! When each operation of a key began and ended, as ranks in real-time order.

use super::{Operation, CRASHED};
use crate::search::history::{Class, KeyHistory};

/// One operation's class and time.  All ranks of one key are distinct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    pub operation: Operation,
    pub class: Class,
    pub invoked: u32,
    /// `NEVER` for a crashed operation.
    pub returned: u32,
}

/// The end of an operation that did not end.
pub const NEVER: u32 = u32::MAX;

/// All operations of a key: the completed ones by number, then the crashed ones.
///
/// Ranks begin at 1, so that 0 is before everything.
pub fn intervals(key: &KeyHistory) -> Vec<Interval> {
    let completed = key.completed.iter().enumerate();
    let mut found: Vec<Interval> = completed
        .map(|(number, operation)| Interval {
            operation: number as u32,
            class: operation.class,
            invoked: 0,
            returned: 0,
        })
        .collect();
    let mut crashed = key.crashed.iter().enumerate().peekable();
    let mut begun = 0;
    let mut rank = 0;
    let mut next = || {
        rank += 1;
        rank
    };
    for (position, returning) in key.returns.iter().enumerate() {
        while begun < returning.opened {
            found[begun as usize].invoked = next();
            begun += 1;
        }
        while let Some((number, operation)) =
            crashed.next_if(|(_, operation)| operation.position as usize <= position)
        {
            found.push(crashed_interval(number, operation.class, next()));
        }
        found[returning.operation as usize].returned = next();
    }
    for (number, operation) in crashed {
        found.push(crashed_interval(number, operation.class, next()));
    }
    found
}

fn crashed_interval(number: usize, class: Class, invoked: u32) -> Interval {
    Interval {
        operation: CRASHED | number as u32,
        class,
        invoked,
        returned: NEVER,
    }
}

/// An operation is invoked, or returns; by its place among the intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Invoked(u32),
    Returned(u32),
}

/// All invocations and returns of a key, in their order.
pub fn in_time(intervals: &[Interval]) -> Vec<Moment> {
    let ends = intervals.iter().filter(|i| i.returned != NEVER).count();
    let mut moments = vec![Moment::Invoked(0); intervals.len() + ends];
    for (number, interval) in intervals.iter().enumerate() {
        moments[interval.invoked as usize - 1] = Moment::Invoked(number as u32);
        if interval.returned != NEVER {
            moments[interval.returned as usize - 1] = Moment::Returned(number as u32);
        }
    }
    moments
}

#[cfg(test)]
mod tests {
    use super::{intervals, NEVER};
    use crate::monitors::CRASHED;
    use crate::search::history::Layout;

    #[test]
    fn ranks_follow_real_time() {
        let mut layout = Layout::default();
        let a = layout.invoke(5, 0).unwrap();
        layout.crash(6, 1);
        layout.complete(a);
        let b = layout.invoke(7, 3).unwrap();
        layout.complete(b);
        layout.crash(8, 5);
        let found = intervals(&layout.finish());
        let rows: Vec<_> = found
            .iter()
            .map(|i| (i.operation, i.invoked, i.returned))
            .collect();
        assert_eq!(
            rows,
            [
                (0, 1, 3),
                (1, 4, 5),
                (CRASHED, 2, NEVER),
                (CRASHED | 1, 6, NEVER)
            ]
        );
    }
}
