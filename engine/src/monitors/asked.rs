//! A key put before a monitor: what that says, where it fits and stands up to its check.

use super::evidence::{joined, verified};
use super::intervals::intervals;
use super::{registers, Excerpt};
use crate::objects::interned::Interned;
use crate::objects::Monitored;
use crate::search::budget::Budget;
use crate::search::history::{Class, KeyHistory};
use crate::search::model::{Register, State};
use crate::search::outcome::Outcome;

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
