//! The order that versions ask for, and what contradicts it.

use super::{Placed, Sorted};
use crate::monitors::intervals::NEVER;
use crate::monitors::Finding;
use crate::objects::versioned::{Value, Version};

/// The operations of one version.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) version: Version,
    pub(super) value: Value,
    /// Where its writer stands; the initial value has none.
    pub(super) start: usize,
    /// What its writer must have found.
    pub(super) from: Option<Value>,
}

/// The operations whose version is known, in their order.
pub(super) struct Chain {
    pub(super) order: Vec<Placed>,
    pub(super) versions: Vec<Span>,
}

impl Chain {
    /// The order that the versions ask for; the error is what contradicts it.
    pub(super) fn of(sorted: &mut Sorted, initial: (Version, Value)) -> Result<Chain, Finding> {
        let placed = std::mem::take(&mut sorted.placed);
        in_real_time(&placed)?;
        let untils = if sorted.unlearnt.is_empty() {
            Vec::new()
        } else {
            least_returns(&placed)
        };
        let mut chain = Chain {
            order: Vec::with_capacity(placed.len()),
            versions: vec![Span {
                version: initial.0,
                value: initial.1,
                start: 0,
                from: None,
            }],
        };
        let mut latest = 0;
        let mut next = 0;
        while next < placed.len() {
            let first = placed[next];
            if first.version < initial.0 || (first.version == initial.0 && !first.is_read) {
                return Err(Finding::Contradiction(vec![first.operation]));
            }
            let before = chain.versions.last().expect("the initial one").value;
            if first.version > initial.0 {
                chain.versions.push(Span {
                    version: first.version,
                    value: first.value,
                    start: chain.order.len(),
                    from: first.from,
                });
            }
            if first.version > initial.0 && first.is_read {
                let until = untils.get(next).copied().unwrap_or(0);
                let Some(writer) = sorted.writer_of(first.value, before, latest, until) else {
                    return Err(sorted.without_writer(&placed, next));
                };
                chain.versions.last_mut().expect("just pushed").from = writer.from;
                latest = latest.max(writer.invoked);
                chain.order.push(Placed {
                    version: first.version,
                    learnt: false,
                    is_read: false,
                    value: writer.value,
                    from: writer.from,
                    invoked: writer.invoked,
                    returned: writer.returned,
                    operation: writer.operation,
                });
            }
            let version = *chain.versions.last().expect("the initial one");
            if version.from.is_some_and(|from| from != before) {
                return Err(if sorted.all_unlearnt().next().is_none() {
                    Finding::Contradiction(vec![first.operation])
                } else {
                    Finding::Unfit
                });
            }
            let alike = placed[next..]
                .iter()
                .take_while(|other| other.version == first.version);
            for (number, other) in alike.enumerate() {
                if other.value != version.value || (number > 0 && !other.is_read) {
                    return Err(Finding::Contradiction(vec![
                        first.operation,
                        other.operation,
                    ]));
                }
                latest = latest.max(other.invoked);
                chain.order.push(*other);
                next += 1;
            }
        }
        // Writers were taken within their bounds, so they too are in real time.
        Ok(chain)
    }
}

/// Whether nothing returned before something in front of it was invoked.
fn in_real_time(order: &[Placed]) -> Result<(), Finding> {
    let mut latest = (0, 0);
    for placed in order {
        if placed.returned < latest.0 {
            return Err(Finding::Contradiction(vec![latest.1, placed.operation]));
        }
        latest = latest.max((placed.invoked, placed.operation));
    }
    Ok(())
}

/// By position: the least return from there on.
pub(super) fn least_returns(placed: &[Placed]) -> Vec<u32> {
    let mut least = vec![NEVER; placed.len()];
    let mut so_far = NEVER;
    for (at, placed) in placed.iter().enumerate().rev() {
        so_far = so_far.min(placed.returned);
        least[at] = so_far;
    }
    least
}
