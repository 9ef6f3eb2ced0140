//! Doors for `engine/fuzz`, which drives the readers and the search without Python.

use crate::monitors::evidence::{joined, verified};
use crate::monitors::intervals::intervals;
use crate::monitors::{registers, Excerpt};

pub use crate::objects::counter::Counter;
pub use crate::objects::interned::Interned;
pub use crate::objects::lease::Lease;
pub use crate::objects::lock::Lock;
pub use crate::objects::priority_queue::PriorityQueue;
pub use crate::objects::queue::Queue;
pub use crate::objects::semaphore::Semaphore;
pub use crate::objects::stack::Stack;
pub use crate::objects::versioned::Versioned;
pub use crate::objects::{Monitored, Object, Source};
pub use crate::reading::columns::{Columns, Order, NONE};
pub use crate::reading::flaw::{Flaw, Trouble};
pub use crate::reading::jsonl::{read as read_jsonl, read_in_blocks, Recording};
pub use crate::reading::{jepsen::read as read_edn, json::canonical, porcupine::read as read_log};
pub use crate::search::budget::{Budget, Exhausted, Ledger};
pub use crate::search::history::{Class, KeyHistory, Layout};
pub use crate::search::keys::search_key;
pub use crate::search::model::{Register, RegisterOp, State, Transitions, ILLEGAL};
pub use crate::search::operations::{ClassKey, Columns as EventColumns, Operations};
pub use crate::search::outcome::{Open, Outcome, Violation};
pub use crate::search::register::{compile as compile_register, Misfit};
pub use crate::search::relevance::relevant;
pub use crate::search::strings::Strings;
pub use crate::search::suspension::Suspension;
pub use crate::search::values::{States, Texts};

/// What the monitor of distinct writes says, where it fits and stands up to its check.
pub fn by_zones(
    key: &KeyHistory,
    model: &mut Register,
    initial: State,
    budget: &Budget,
) -> Option<Outcome> {
    if !registers::may_fit(key, &model.classes) {
        return None;
    }
    let intervals = intervals(key);
    let finding = registers::judge(&intervals, &model.classes, initial);
    let excerpt = |model: &mut Register, operations| {
        let part = |class: Class| registers::part(model.classes[class as usize]);
        Excerpt::whole(joined(operations, &intervals, part), initial)
    };
    verified(finding, key, &intervals, initial, model, excerpt, budget)
}

/// What the monitor of an object says, where it fits and stands up to its check.
pub fn by_monitor<O: Monitored>(
    key: &KeyHistory,
    model: &mut Interned<O>,
    budget: &Budget,
) -> Option<Outcome> {
    let intervals = intervals(key);
    let finding = model.object.judge(&intervals);
    let excerpt = |model: &mut Interned<O>, operations| {
        let few = model.object.excerpt(operations, &intervals);
        Excerpt {
            operations: few.operations,
            initial: model.number(few.initial),
            until: few.until,
            parts: few.parts,
        }
    };
    verified(finding, key, &intervals, 0, model, excerpt, budget)
}
