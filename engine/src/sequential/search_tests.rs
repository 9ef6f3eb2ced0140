//! Lamport's kind of examples, and every order tried on small random ones.

use super::decide::decide;
use super::threads::{Group, Operation, Optional, Threads};
use super::told::Found;
use crate::search::budget::{Budget, Exhausted};
use crate::search::model::{Register, RegisterOp};
use RegisterOp::{Cas, Read, Write};

/// One row per process; key 0 is x, key 1 is y.  Classes are numbered as they come.
fn threads(rows: &[&[(u32, RegisterOp)]], optional: &[(u32, RegisterOp)]) -> (Threads, Register) {
    let mut threads = Threads {
        keys: 2,
        ..Threads::default()
    };
    let mut classes = Vec::new();
    let mut event = 0;
    for row in rows {
        let mut left = [0, 0];
        let mut operations: Vec<Operation> = Vec::new();
        for &(key, op) in *row {
            classes.push(op);
            operations.push(Operation {
                key,
                class: classes.len() as u32 - 1,
                invoked: event,
                returned: event + 1,
                left: 0,
            });
            event += 2;
        }
        for operation in operations.iter_mut().rev() {
            left[operation.key as usize] += 1;
            operation.left = left[operation.key as usize];
        }
        threads.processes.push(operations);
    }
    for &(key, op) in optional {
        classes.push(op);
        threads.groups.push(Group {
            key,
            class: classes.len() as u32 - 1,
            members: vec![Optional {
                process: 0,
                after: 0,
                invoked: event,
            }],
        });
        event += 2;
    }
    (threads, Register::new(classes))
}

fn found(rows: &[&[(u32, RegisterOp)]], optional: &[(u32, RegisterOp)]) -> Found {
    let (threads, mut model) = threads(rows, optional);
    decide(&threads, 0, &mut model, &Budget::unlimited())
}

fn has_order(rows: &[&[(u32, RegisterOp)]]) -> bool {
    matches!(found(rows, &[]), Found::Order(_))
}

const X: u32 = 0;
const Y: u32 = 1;

#[test]
fn a_read_may_be_stale_but_a_process_sees_what_it_wrote() {
    assert!(has_order(&[&[(X, Write(1))], &[(X, Read(0))]]));
    assert!(!has_order(&[&[(X, Write(1)), (X, Read(0))]]));
}

#[test]
fn each_key_alone_has_an_order_and_both_together_have_none() {
    let rows: &[&[(u32, RegisterOp)]] = &[
        &[(X, Write(1)), (Y, Read(0))],
        &[(Y, Write(1)), (X, Read(0))],
    ];
    assert!(!has_order(rows));
    let (threads, mut model) = threads(rows, &[]);
    for key in [X, Y] {
        let alone = threads.of_key(key);
        let found = decide(&alone, 0, &mut model, &Budget::unlimited());
        assert!(matches!(found, Found::Order(_)));
    }
}

#[test]
fn two_readers_may_not_see_two_writes_in_different_orders() {
    let writers: [&[(u32, RegisterOp)]; 2] = [&[(X, Write(1))], &[(Y, Write(1))]];
    let one: &[(u32, RegisterOp)] = &[(X, Read(1)), (Y, Read(0))];
    let other: &[(u32, RegisterOp)] = &[(Y, Read(1)), (X, Read(0))];
    assert!(!has_order(&[writers[0], writers[1], one, other]));
    assert!(has_order(&[writers[0], writers[1], one, one]));
}

#[test]
fn what_nobody_makes_is_told() {
    match found(&[&[(X, Read(7))]], &[]) {
        Found::Nothing(stuck) => assert_eq!(stuck.orphan, Some(0)),
        other => panic!("expected nothing, found {other:?}"),
    }
}

#[test]
fn optional_operations_are_taken_where_they_are_needed() {
    let rows: &[&[(u32, RegisterOp)]] = &[&[(X, Read(2))]];
    let found_with = found(rows, &[(X, Write(1)), (X, Cas(1, 2))]);
    assert_eq!(found_with, Found::Order(vec![2, 4, 0]));
    assert!(matches!(found(rows, &[(X, Cas(1, 2))]), Found::Nothing(_)));
}

#[test]
fn a_search_that_may_take_no_step_knows_nothing() {
    let rows: &[&[(u32, RegisterOp)]] = &[
        &[(X, Write(1)), (Y, Read(0))],
        &[(Y, Write(1)), (X, Read(0))],
    ];
    let (threads, mut model) = threads(rows, &[]);
    let found = decide(&threads, 0, &mut model, &Budget::unlimited().with_steps(0));
    assert!(matches!(
        found,
        Found::Unknown {
            exhausted: Exhausted::Steps,
            ..
        }
    ));
}
