//! Crashed writes that nobody could have noticed.
//!
//! A crashed write of a value that no operation reads or compares can be left out of a
//! register's history.  Take a linearization that contains it: what follows it directly is
//! not a read or a compare-and-set, which would need the value, so it is another write or the
//! end, and the linearization without it is as good.  The same holds for a crashed
//! compare-and-set *to* such a value, and leaving one out may make others irrelevant.
//!
//! A compare-and-set that found another value is satisfied by *any* other value, so where
//! there is one, every write may be what it noticed, and nothing is left out.

use std::collections::HashMap;

use super::history::{Class, KeyHistory};
use super::model::{RegisterOp, State};

/// The key without the crashed operations that constrain nothing and help nobody.
pub fn relevant(key: &KeyHistory, classes: &[RegisterOp]) -> Option<KeyHistory> {
    if key.crashed.is_empty() {
        return None;
    }
    // How many operations need each value.
    let mut needed: HashMap<State, usize> = HashMap::new();
    for operation in &key.completed {
        match classes[operation.class as usize] {
            RegisterOp::Read(value) | RegisterOp::Cas(value, _) => {
                *needed.entry(value).or_default() += 1;
            }
            RegisterOp::CasMismatch(_) => return None,
            RegisterOp::Write(_) | RegisterOp::Nothing => {}
        }
    }
    let mut crashed: HashMap<Class, usize> = HashMap::new();
    for operation in &key.crashed {
        *crashed.entry(operation.class).or_default() += 1;
        if let RegisterOp::Cas(from, _) = classes[operation.class as usize] {
            *needed.entry(from).or_default() += 1;
        }
    }
    let is_needed = |value: State, needed: &HashMap<State, usize>| {
        needed.get(&value).is_some_and(|count| *count > 0)
    };
    let all = crashed.len();
    loop {
        let before = crashed.len();
        crashed.retain(|&class, count| match classes[class as usize] {
            RegisterOp::Write(value) => is_needed(value, &needed),
            RegisterOp::Cas(from, to) => {
                let keep = is_needed(to, &needed);
                if !keep {
                    *needed.entry(from).or_default() -= *count;
                }
                keep
            }
            RegisterOp::Read(_) | RegisterOp::CasMismatch(_) | RegisterOp::Nothing => false,
        });
        if crashed.len() == before {
            break;
        }
    }
    if crashed.len() == all {
        return None;
    }
    let mut key = key.clone();
    key.crashed
        .retain(|operation| crashed.contains_key(&operation.class));
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::relevant;
    use crate::search::history::Layout;
    use crate::search::model::RegisterOp::{Cas, CasMismatch, Read, Write};

    #[test]
    fn crashed_writes_count_only_where_somebody_may_have_seen_them() {
        let classes = [
            Read(1),
            Write(1),
            Write(2),
            Cas(2, 3),
            Cas(3, 1),
            CasMismatch(0),
        ];
        let mut layout = Layout::default();
        let read = layout.invoke(0, 0).unwrap();
        (1..4).for_each(|class| layout.crash(class, class));
        layout.complete(read);
        let key = layout.finish();
        let left = relevant(&key, &classes).expect("something is left out");
        let kept: Vec<u32> = left.crashed.iter().map(|crashed| crashed.class).collect();
        assert_eq!(kept, [1], "nobody needs 3, so nobody needs 2");
    }

    #[test]
    fn what_leads_to_a_value_that_was_seen_is_kept() {
        let classes = [
            Read(1),
            Write(1),
            Write(2),
            Cas(2, 3),
            Cas(3, 1),
            CasMismatch(0),
        ];
        let mut layout = Layout::default();
        let read = layout.invoke(0, 0).unwrap();
        (1..5).for_each(|class| layout.crash(class, class));
        layout.complete(read);
        assert!(
            relevant(&layout.finish(), &classes).is_none(),
            "2, then 3, then 1"
        );
    }

    #[test]
    fn an_observed_mismatch_may_have_noticed_any_write() {
        let classes = [CasMismatch(0), Write(7)];
        let mut layout = Layout::default();
        let observed = layout.invoke(0, 0).unwrap();
        layout.crash(1, 1);
        layout.complete(observed);
        assert!(relevant(&layout.finish(), &classes).is_none());
    }
}
