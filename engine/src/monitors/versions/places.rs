//! Inserting what has no version: where it may stand, and why it may stand nowhere.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::chain::{least_returns, Chain};
use super::{Fitting, OfValue, Sorted, Unlearnt};
use crate::monitors::intervals::Interval;
use crate::monitors::{Finding, Operation};

impl Chain {
    /// The order with everything inserted that has no version, in order of invocation.
    pub(super) fn fit(&self, sorted: &Sorted) -> Result<Vec<Operation>, Finding> {
        let fitting = &sorted.fitting;
        let mut places = Places::of(self);
        // The returns and places of what has been inserted, the first return on top.
        let mut open: BinaryHeap<Reverse<(u32, Place, usize)>> = BinaryHeap::new();
        let mut floor: (Place, usize) = ((0, false), 0);
        // What each had to wait for, unless that was the chain alone.
        let mut waits: Vec<Option<usize>> = Vec::with_capacity(fitting.len());
        let mut inserted: Vec<(Place, u32, Operation)> = Vec::with_capacity(fitting.len());
        for (number, (interval, what)) in fitting.iter().enumerate() {
            while let Some(Reverse((returned, place, other))) = open.peek().copied() {
                if returned > interval.invoked {
                    break;
                }
                floor = floor.max((place, other));
                open.pop();
            }
            let earliest = (places.behind(interval.invoked), false);
            let latest = places.before(interval.returned);
            waits.push((floor.0 > earliest).then_some(floor.1));
            let place = places.first(self, earliest.max(floor.0), *what);
            let Some(place) = place.filter(|place| place.0 <= latest) else {
                return Err(match sorted.all_unlearnt().next() {
                    None => self.without_place(fitting, &waits, &places),
                    Some(_) => self.without_help(sorted, number, &mut places),
                });
            };
            inserted.push((place, interval.invoked, interval.operation));
            open.push(Reverse((interval.returned, place, number)));
        }
        inserted.sort_unstable();
        let mut order = Vec::with_capacity(self.order.len() + inserted.len());
        let mut next = 0;
        for ((place, _), _, operation) in inserted {
            order.extend(
                self.order[next..place]
                    .iter()
                    .map(|placed| placed.operation),
            );
            next = place;
            order.push(operation);
        }
        order.extend(self.order[next..].iter().map(|placed| placed.operation));
        Ok(order)
    }

    /// Why the last of these has no place, where every write has its version: what stands
    /// behind it, and what it waited for, back to something that only the chain held up.
    fn without_place(
        &self,
        fitting: &[(Interval, Fitting)],
        waits: &[Option<usize>],
        places: &Places,
    ) -> Finding {
        let mut at = waits.len() - 1;
        let mut operations = vec![fitting[at].0.operation];
        let behind = self.order.get(places.before(fitting[at].0.returned));
        while let Some(other) = waits[at] {
            at = other;
            operations.push(fitting[at].0.operation);
        }
        let before = places.behind(fitting[at].0.invoked).checked_sub(1);
        let around = behind.into_iter().chain(before.map(|at| &self.order[at]));
        operations.extend(around.map(|placed| placed.operation));
        Finding::Contradiction(operations)
    }

    /// Why one of these has no place, where some writes have no version: a contradiction only
    /// if none of those could help, and it has no place between known versions alone.
    fn without_help(&self, sorted: &Sorted, number: usize, places: &mut Places) -> Finding {
        let (interval, what) = sorted.fitting[number];
        let helps = |write: &Unlearnt| match what {
            Fitting::Read(value) => write.value == value,
            Fitting::Mismatch(value) => write.value != value,
            Fitting::Write => true,
        };
        if sorted.all_unlearnt().any(helps) {
            return Finding::Unfit;
        }
        let mut known = self.order.iter();
        let before = known.rposition(|p| p.learnt && p.returned < interval.invoked);
        let mut known = self.order.iter();
        let behind = known.position(|p| p.learnt && interval.returned < p.invoked);
        let earliest = before.map_or(0, |at| at + 1);
        let place = places.first(self, (earliest, false), what);
        if place.is_some_and(|place| behind.is_none_or(|behind| place.0 <= behind)) {
            return Finding::Unfit;
        }
        let around = before.into_iter().chain(behind);
        let around = around.map(|at| self.order[at].operation);
        Finding::Contradiction(around.chain([interval.operation]).collect())
    }
}

/// How many operations of the chain stand before, and whether a write of unknown version
/// does so too since the last write of a known one.
type Place = (usize, bool);

/// Where what has no version may be inserted.
struct Places {
    /// By position: the least return from there on.
    least: Vec<u32>,
    /// By place: the greatest invocation of all before it.
    greatest: Vec<u32>,
    /// The places of each value's versions in the chain.
    of_value: OfValue<Vec<usize>>,
    /// By version: the next one with another value.
    other: Vec<usize>,
    /// By version: how many more versions fit between it and the next.
    room: Vec<i64>,
}

impl Places {
    fn of(chain: &Chain) -> Places {
        let mut greatest = vec![0];
        for placed in &chain.order {
            let latest = *greatest.last().expect("not empty");
            greatest.push(latest.max(placed.invoked));
        }
        let versions = &chain.versions;
        let mut of_value: OfValue<Vec<usize>> = HashMap::default();
        for (number, version) in versions.iter().enumerate() {
            of_value.entry(version.value).or_default().push(number);
        }
        let mut other = vec![versions.len(); versions.len()];
        for number in (0..versions.len().saturating_sub(1)).rev() {
            other[number] = match versions[number].value == versions[number + 1].value {
                true => other[number + 1],
                false => number + 1,
            };
        }
        let room = (0..versions.len()).map(|number| match versions.get(number + 1) {
            // A compare-and-set must find what stands there.
            Some(next) if next.from.is_some() => 0,
            Some(next) => next.version - versions[number].version - 1,
            None => i64::MAX,
        });
        Places {
            least: least_returns(&chain.order),
            greatest,
            of_value,
            other,
            room: room.collect(),
        }
    }

    /// How many operations of the chain certainly stand before what is invoked then.
    fn behind(&self, invoked: u32) -> usize {
        self.least.partition_point(|&r| r < invoked)
    }

    /// How many operations of the chain may stand before what returns then.
    fn before(&self, returned: u32) -> usize {
        self.greatest.partition_point(|&i| i <= returned) - 1
    }

    /// The first place from `least` on where the operation is legal.
    fn first(&mut self, chain: &Chain, least: Place, what: Fitting) -> Option<Place> {
        let (place, overwritten) = least;
        // The first version's place is 0; the others' begin behind their writers.
        let behind = |number: usize| match number {
            0 => 0,
            _ => chain.versions[number].start + 1,
        };
        let begun = chain.versions.partition_point(|v| v.start < place);
        let here = begun.max(1) - 1;
        let value = chain.versions[here].value;
        let next = match what {
            Fitting::Read(wanted) if wanted == value && !overwritten => return Some(least),
            Fitting::Mismatch(found) if found != value && !overwritten => return Some(least),
            Fitting::Read(wanted) => {
                let numbers = self.of_value.get(&wanted)?;
                let next = numbers.partition_point(|&number| number <= here);
                *numbers.get(next)?
            }
            Fitting::Mismatch(found) => match chain.versions.get(here + 1) {
                Some(version) if overwritten && version.value != found => here + 1,
                Some(_) if overwritten => self.other[here + 1],
                _ => self.other[here],
            },
            Fitting::Write => {
                let number = (here..self.room.len()).find(|&number| self.room[number] > 0)?;
                self.room[number] -= 1;
                let end = chain.versions.get(number + 1);
                return Some((end.map_or(chain.order.len(), |next| next.start), true));
            }
        };
        (next < chain.versions.len()).then(|| (behind(next), false))
    }
}
