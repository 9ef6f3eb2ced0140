//! Clusters of operations that stand together in any linearization.
//!
//! Let `first` be the least return in the cluster and `last` the greatest invocation.  If
//! `first < last`, the cluster takes up the whole time between them: a *forward* zone.  Else
//! all its operations overlap in `[last, first]`, a *backward* zone, and fit any single point
//! of it.  Clusters can be put in an order iff no two forward zones overlap and no backward
//! zone lies inside a forward one.
//!
//! *Necessary*: a point of time belongs to one cluster.  *Sufficient*: between two forward
//! zones there is always a gap, since all ranks are distinct, and a backward zone that is not
//! inside one of them reaches into a gap, where there is room for any number of clusters.
//!
//! (Gibbons & Korach, "Testing shared memories", 1997.)  Cost: one sort.

/// When a cluster must, or can, stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub first: u32,
    pub last: u32,
}

impl Span {
    pub fn is_forward(&self) -> bool {
        self.first < self.last
    }
}

/// The clusters in an order that fits their zones, or two that no order fits.
///
/// A forward zone is placed at its beginning, and reaches to its end.  A backward one is
/// placed at its beginning too, or if that lies inside a forward zone, right behind it.
pub fn sequence(
    numbers: impl Iterator<Item = u32>,
    span: impl Fn(u32) -> Span,
) -> Result<Vec<u32>, [u32; 2]> {
    let (mut forward, backward): (Vec<u32>, Vec<u32>) =
        numbers.partition(|&number| span(number).is_forward());
    forward.sort_unstable_by_key(|&number| span(number).first);
    for pair in forward.windows(2) {
        if span(pair[1]).first < span(pair[0]).last {
            return Err([pair[0], pair[1]]);
        }
    }
    let mut points: Vec<(u32, u32)> = forward
        .iter()
        .map(|&number| (span(number).first, number))
        .collect();
    for number in backward {
        let inner = span(number);
        // Forward zones are disjoint by now: only the last one that begins before can
        // surround the beginning of this one.
        let before = forward.partition_point(|&other| span(other).first < inner.last);
        let mut point = inner.last;
        if before > 0 {
            let outer = span(forward[before - 1]);
            if inner.first < outer.last {
                return Err([forward[before - 1], number]);
            }
            point = point.max(outer.last);
        }
        points.push((point, number));
    }
    points.sort_unstable();
    Ok(points.into_iter().map(|(_, number)| number).collect())
}
