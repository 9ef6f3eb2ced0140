//! Stretches of time that are taken away one by one, and what the others cover.
//!
//! Two trees over all stretches, in the order of their beginnings and in that of all their
//! ends: everything asked for here costs O(log n) for each answer.

use super::elements::Span;
use super::intervals::NEVER;

/// In place of the push of a stretch that was taken away.
const GONE: u32 = NEVER;

pub struct Coverage {
    /// All beginnings and ends, in order; the places between neighbours are numbered.
    instants: Vec<u32>,
    /// From which place to which each stretch covers: the last is not its own any more.
    places: Vec<(usize, usize)>,
    /// How many stretches cover each place.
    counts: Counts,
    /// The instant that belongs to each stretch, or `GONE`: leaves of a tree of minima.
    least: Vec<u32>,
    leaves: usize,
    spans: Vec<Span>,
    first: usize,
}

impl Coverage {
    /// For stretches by their beginnings; each has another instant, before it begins.
    pub fn new(spans: &[Span], pushed: &[u32]) -> Coverage {
        let mut instants: Vec<u32> = spans.iter().flat_map(|s| [s.from, s.to]).collect();
        instants.sort_unstable();
        instants.dedup();
        let place = |instant: u32| instants.partition_point(|&other| other < instant);
        let places: Vec<(usize, usize)> =
            spans.iter().map(|s| (place(s.from), place(s.to))).collect();
        let leaves = spans.len().next_power_of_two();
        let mut least = vec![GONE; 2 * leaves];
        least[leaves..leaves + pushed.len()].copy_from_slice(pushed);
        for node in (1..leaves).rev() {
            least[node] = least[2 * node].min(least[2 * node + 1]);
        }
        Coverage {
            counts: Counts::new(instants.len(), &places),
            instants,
            places,
            least,
            leaves,
            spans: spans.to_vec(),
            first: 0,
        }
    }

    /// The first stretch that is left.
    pub fn first(&mut self) -> Option<usize> {
        while self.first < self.spans.len() && self.least[self.leaves + self.first] == GONE {
            self.first += 1;
        }
        (self.first < self.spans.len()).then_some(self.first)
    }

    /// Where what is left is interrupted, from the beginning of the first stretch on.
    pub fn end_of_component(&self, first: usize) -> u32 {
        self.instants[self.counts.first_zero(self.places[first].0)]
    }

    /// A stretch that is left, begins before `end`, has its instant up to `by`, and `fits`.
    pub fn find_pushed_by(&self, by: u32, end: u32, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let until = self.spans.partition_point(|span| span.from < end);
        // Down the tree, to each leaf that may fit, from left to right.
        let mut open = vec![1];
        while let Some(node) = open.pop() {
            if self.least[node] > by || self.least[node] == GONE {
                continue;
            }
            if node < self.leaves {
                open.extend([2 * node + 1, 2 * node]);
                continue;
            }
            let number = node - self.leaves;
            if number >= until {
                break;
            }
            if fits(number) {
                return Some(number);
            }
        }
        None
    }

    /// The stretches that are left and begin before `end`.
    pub fn up_to(&self, end: u32) -> impl Iterator<Item = usize> + '_ {
        let until = self.spans.partition_point(|span| span.from < end);
        (self.first..until).filter(|&number| self.least[self.leaves + number] != GONE)
    }

    pub fn remove(&mut self, number: usize) {
        let (from, to) = self.places[number];
        self.counts.decrease(from, to);
        let mut node = self.leaves + number;
        self.least[node] = GONE;
        while node > 1 {
            node /= 2;
            self.least[node] = self.least[2 * node].min(self.least[2 * node + 1]);
        }
    }
}

/// Numbers that are decreased by ranges, and never below zero; a tree of minima, in which
/// each node holds the minimum below it without what is taken off above it.
struct Counts {
    least: Vec<i32>,
    off: Vec<i32>,
    leaves: usize,
}

impl Counts {
    /// How many of `ranges` contain each place; the last of a range is not in it.  The places
    /// from the last one on are zero.
    fn new(places: usize, ranges: &[(usize, usize)]) -> Counts {
        let leaves = places.next_power_of_two();
        let mut least = vec![0; 2 * leaves + 1];
        for &(from, to) in ranges {
            least[leaves + from] += 1;
            least[leaves + to] -= 1;
        }
        for place in leaves + 1..2 * leaves {
            least[place] += least[place - 1];
        }
        for node in (1..leaves).rev() {
            least[node] = least[2 * node].min(least[2 * node + 1]);
        }
        Counts {
            least,
            off: vec![0; leaves],
            leaves,
        }
    }

    fn decrease(&mut self, from: usize, to: usize) {
        let (mut low, mut high) = (from + self.leaves, to + self.leaves);
        while low < high {
            if low & 1 == 1 {
                self.take_off(low);
                low += 1;
            }
            if high & 1 == 1 {
                high -= 1;
                self.take_off(high);
            }
            (low, high) = (low / 2, high / 2);
        }
        self.renew(from + self.leaves);
        self.renew(to - 1 + self.leaves);
    }

    fn take_off(&mut self, node: usize) {
        self.least[node] -= 1;
        if node < self.leaves {
            self.off[node] += 1;
        }
    }

    fn renew(&mut self, leaf: usize) {
        let mut node = leaf / 2;
        while node > 0 {
            let below = self.least[2 * node].min(self.least[2 * node + 1]);
            self.least[node] = below - self.off[node];
            node /= 2;
        }
    }

    /// The first place from `place` on that holds zero; there is one.
    fn first_zero(&self, place: usize) -> usize {
        // What is taken off above a node, on the way up.
        let mut node = place + self.leaves;
        let taken = |mut node: usize| {
            let mut sum = 0;
            while node > 1 {
                node /= 2;
                sum += self.off[node];
            }
            sum
        };
        let mut above = taken(node);
        if self.least[node] == above {
            return place;
        }
        // To the right of the path, from the bottom up.
        while node > 1 {
            let parent = node / 2;
            if node & 1 == 0 && self.least[node + 1] == above {
                node += 1;
                break;
            }
            above -= self.off[parent];
            node = parent;
        }
        assert!(node > 1, "the last place holds zero");
        while node < self.leaves {
            above += self.off[node];
            node = if self.least[2 * node] == above {
                2 * node
            } else {
                2 * node + 1
            };
        }
        node - self.leaves
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Coverage};
    use crate::monitors::elements::Span;

    #[test]
    fn zeros_are_found_as_ranges_are_taken_away() {
        let ranges = [(0, 5), (1, 3), (4, 8), (5, 7)];
        let mut counts = Counts::new(9, &ranges);
        let mut plain = [0; 9];
        for (from, to) in ranges {
            plain[from..to].iter_mut().for_each(|count| *count += 1);
        }
        for (from, to) in ranges {
            for place in 0..9 {
                let expected = (place..9).find(|&p| plain[p] == 0).unwrap();
                assert_eq!(counts.first_zero(place), expected);
            }
            counts.decrease(from, to);
            plain[from..to].iter_mut().for_each(|count| *count -= 1);
        }
    }

    #[test]
    fn components_fall_apart() {
        let span = |from, to| Span { from, to };
        let mut left = Coverage::new(&[span(2, 9), span(3, 5), span(6, 8)], &[1, 1, 4]);
        assert_eq!(left.end_of_component(0), 9);
        assert_eq!(left.find_pushed_by(2, 9, |number| number != 0), Some(1));
        left.remove(0);
        assert_eq!(left.first(), Some(1));
        assert_eq!(left.end_of_component(1), 5);
        assert_eq!(left.find_pushed_by(6, 8, |number| number != 1), Some(2));
        left.remove(1);
        left.remove(2);
        assert_eq!(left.first(), None);
    }
}
