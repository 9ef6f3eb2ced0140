//! When a container was certainly not empty.
//!
//! The stretches of time over which elements were certainly there, joined where they
//! overlap.  At an instant outside of all of them, no element need be there: whoever says
//! that the container was empty needs such an instant.

use super::elements::{Life, Span};

/// Disjoint stretches, in order of time.
pub struct Presence {
    stretches: Vec<Span>,
}

impl Presence {
    pub fn of(lives: &[Life]) -> Presence {
        let mut spans: Vec<Span> = lives.iter().filter_map(Life::certain).collect();
        spans.sort_unstable_by_key(|span| span.from);
        let mut stretches: Vec<Span> = Vec::new();
        for span in spans {
            match stretches.last_mut() {
                Some(last) if span.from < last.to => last.to = last.to.max(span.to),
                _ => stretches.push(span),
            }
        }
        Presence { stretches }
    }

    /// The first instant of `during` at which nothing need be there.
    pub fn first_gap(&self, during: Span) -> Option<u32> {
        let after = self.stretches.partition_point(|s| s.from < during.from);
        let inside = after.checked_sub(1).map(|last| self.stretches[last].to);
        let instant = during.from.max(inside.unwrap_or(0));
        (instant <= during.to).then_some(instant)
    }
}

/// As few elements as cover `during`, which has no gap.
pub fn cover(lives: &[Life], during: Span) -> Vec<&Life> {
    let mut certain: Vec<(Span, &Life)> = lives
        .iter()
        .filter_map(|life| life.certain().map(|span| (span, life)))
        .collect();
    certain.sort_unstable_by_key(|(span, _)| span.from);
    let mut chain = Vec::new();
    let mut instant = during.from;
    let mut rest = certain.into_iter().peekable();
    while instant <= during.to {
        let mut best: Option<(Span, &Life)> = None;
        while let Some((span, life)) = rest.next_if(|(span, _)| span.from < instant) {
            if best.is_none_or(|(other, _)| other.to < span.to) {
                best = Some((span, life));
            }
        }
        let (span, life) = best.expect("there is no gap");
        chain.push(life);
        instant = span.to;
    }
    chain
}
