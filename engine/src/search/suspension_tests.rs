//! A search that is suspended again and again, beside one that is left in peace.

use std::sync::Arc;

use super::budget::Budget;
use super::depth_first::search;
use super::history::{KeyHistory, Layout};
use super::model::{Register, RegisterOp};
use super::outcome::{Open, Outcome};
use super::suspension::Suspension;
use RegisterOp::{Cas, CasMismatch, Read, Write};

/// Numbers that look random, from a seed (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as u32 % limit
    }
}

const CLASSES: [RegisterOp; 9] = [
    Read(0),
    Read(1),
    Read(2),
    Write(1),
    Write(2),
    Cas(0, 1),
    Cas(1, 2),
    Cas(2, 0),
    CasMismatch(1),
];

/// Up to sixteen operations, up to eight of them open at once, some crashed.
fn drawn(random: &mut Random) -> KeyHistory {
    let mut layout = Layout::default();
    let mut open = Vec::new();
    for event in 0..4 + random.below(12) {
        let class = random.below(CLASSES.len() as u32);
        if random.below(5) == 0 {
            layout.crash(class, event);
        } else {
            open.push(layout.invoke(class, event).unwrap());
        }
        while open.len() > 7 || (!open.is_empty() && random.below(3) == 0) {
            let chosen = random.below(open.len() as u32) as usize;
            layout.complete(open.swap_remove(chosen));
        }
    }
    for operation in open {
        layout.complete(operation);
    }
    layout.finish()
}

/// Searches with so many steps at a time; answers the outcome, and how often it took.
fn in_pieces(key: &KeyHistory, steps: u64, keeps_table: bool) -> (Outcome, u32) {
    let mut model = Register::new(CLASSES.to_vec());
    let mut budget = Budget::unlimited().with_steps(steps);
    for calls in 1.. {
        match search::<u64, _>(key, 0, &mut model, &budget) {
            Outcome::Unknown(Open {
                suspension: Some(mut suspension),
                ..
            }) => {
                if !keeps_table {
                    suspension.tell(|state| state.to_string());
                    let bytes = suspension.to_bytes();
                    let read = Suspension::from_bytes(&bytes, suspension.told());
                    suspension = Box::new(read.expect("what was written can be read"));
                }
                budget.earlier = Some(Arc::from(suspension));
            }
            outcome => return (outcome, calls),
        }
    }
    unreachable!("the search ends")
}

#[test]
fn pieces_give_the_outcome_of_the_whole() {
    let mut random = Random(20_261_121);
    let mut interrupted = 0;
    for round in 0..20_000 {
        let key = drawn(&mut random);
        let mut model = Register::new(CLASSES.to_vec());
        let whole = search::<u64, _>(&key, 0, &mut model, &Budget::unlimited());
        for (steps, keeps_table) in [(1, true), (1, false), (3, false)] {
            let (pieces, calls) = in_pieces(&key, steps, keeps_table);
            interrupted += u32::from(calls > 3);
            match (&whole, &pieces) {
                (Outcome::Valid { order }, Outcome::Valid { order: same }) => {
                    assert_eq!(order, same, "round {round}");
                }
                (Outcome::Invalid(violation), Outcome::Invalid(same)) => {
                    // Without the table, configurations may be met again, and noted again.
                    assert_eq!(violation.event, same.event, "round {round}");
                    assert_eq!(violation.position, same.position, "round {round}");
                    assert_eq!(violation.prefix, same.prefix, "round {round}");
                    assert!(violation.configurations_total <= same.configurations_total);
                    let states = |violation: &super::outcome::Violation| {
                        let configurations = violation.configurations.iter();
                        let mut texts: Vec<String> = configurations
                            .map(|c| c.told.clone().unwrap_or_else(|| c.state.to_string()))
                            .collect();
                        texts.sort_unstable();
                        texts.dedup();
                        texts
                    };
                    assert_eq!(states(violation), states(same), "round {round}");
                }
                _ => panic!("round {round}: {whole:?}, but in pieces {pieces:?}"),
            }
        }
    }
    assert!(interrupted > 10_000, "only {interrupted} were long enough");
}

#[test]
fn what_belongs_to_another_key_is_not_gone_on_from() {
    let mut random = Random(7);
    let mut other: Option<Arc<Suspension>> = None;
    for round in 0..2_000 {
        let key = drawn(&mut random);
        let mut model = Register::new(CLASSES.to_vec());
        let whole = search::<u64, _>(&key, 0, &mut model, &Budget::unlimited());
        let budget = Budget {
            earlier: other.take(),
            ..Budget::unlimited()
        };
        let same = search::<u64, _>(&key, 0, &mut model, &budget);
        assert_eq!(whole, same, "round {round}");
        let budget = Budget::unlimited().with_steps(1);
        if let Outcome::Unknown(open) = search::<u64, _>(&key, 0, &mut model, &budget) {
            other = open.suspension.map(Arc::from);
        }
    }
}
