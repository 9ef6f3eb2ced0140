//! A lease with fencing tokens: tokens that were seen put the grants in order.
//!
//! Each token was granted once, and greater ones later, so the completed acquires have one
//! possible order.  A use that was answered that its token is the newest stands between the
//! grant of this token and the next one; one that was answered that there is a newer one
//! stands anywhere behind the next greater grant.  So each operation has a place in a chain,
//! or behind a place in it, and it only remains to give out points in time: the earliest
//! that fit the order are as good as any.
//!
//! *Crashed acquires* grant tokens that nobody knows.  They are needed in two cases: somebody
//! was answered that a token is the newest that no acquire was seen to grant; and somebody
//! was answered that there is a newer token before the next greater one that is known could
//! be granted, even at the earliest.  In this case the token in between has to be greater
//! than the one that was asked for, and less than the next known one: so there must be room
//! for an integer, and one, the greatest, is enough for all who need one there.  Crashed
//! acquires differ only in when they were invoked, and needs come in the order of the chain;
//! so the earliest invoked that is left is as good as any.  Each is taken only where that
//! cannot be helped, so that at all times as few as possible are gone, and points are as
//! early as possible.
//!
//! Releases, and what crashed else, constrain nothing.  Cost: sorting by tokens, and by time.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::intervals::{Interval, NEVER};
use super::{Finding, Operation, CRASHED};
use crate::objects::lease::{LeaseOp, Newest, Token};

/// A token that was seen: who acquired it, and who was answered that it is the newest.
struct Grant {
    token: Token,
    acquire: Option<Interval>,
    uses: Vec<Interval>,
}

/// Judges a lease whose newest token is `initial`.
pub fn judge(intervals: &[Interval], operations: &[LeaseOp], initial: Newest) -> Finding {
    if !initial.known {
        return Finding::Unfit;
    }
    match Chain::new(intervals, operations, initial).laid() {
        Ok(order) => Finding::Linearizable(order),
        Err(operations) => Finding::Contradiction(operations),
    }
}

/// A point in time, a place in the chain (for what stands behind it, that and a half), and
/// what stands there.
type Placed = (u32, u64, Operation);

/// The chain so far.
struct Chain {
    /// The seen tokens that come next, the least first.
    grants: Peekable<IntoIter<Grant>>,
    /// Uses that were answered that there is a newer token, the least first.
    superseded: Peekable<IntoIter<(Token, Interval)>>,
    /// Crashed acquires that are left, the earliest first.
    unseen: IntoIter<Interval>,
    /// Why the others were taken: operations that cannot do without.
    needs: Vec<Operation>,
    newest: Option<i128>,
    /// The earliest time of what comes next, and the operation that made it so late.
    time: (u32, Option<Operation>),
    /// The same without crashed acquires, whose choice is not certain.
    certain: (u32, Option<Operation>),
    length: u64,
    placed: Vec<Placed>,
    acquired_twice: Option<[Operation; 2]>,
}

type Contradiction = Vec<Operation>;

impl Chain {
    fn new(intervals: &[Interval], operations: &[LeaseOp], initial: Newest) -> Self {
        let mut seen: Vec<(Token, bool, Interval)> = Vec::new();
        let mut superseded = Vec::new();
        let mut unseen = Vec::new();
        let mut placed = Vec::with_capacity(intervals.len());
        for interval in intervals {
            match operations[interval.class as usize] {
                LeaseOp::Acquire(token) => seen.push((token, false, *interval)),
                LeaseOp::Newest(token) => seen.push((token, true, *interval)),
                LeaseOp::Superseded(token) => superseded.push((token, *interval)),
                LeaseOp::AcquireUnseen => unseen.push(*interval),
                LeaseOp::Nothing if interval.operation & CRASHED != 0 => {}
                LeaseOp::Nothing => placed.push((interval.invoked, 0, interval.operation)),
            }
        }
        seen.sort_unstable_by_key(|(token, uses, interval)| (*token, *uses, interval.invoked));
        superseded.sort_unstable_by_key(|(token, interval)| (*token, interval.invoked));
        let mut grants: Vec<Grant> = Vec::new();
        let mut acquired_twice = None;
        for (token, uses, interval) in seen {
            if grants.last().is_none_or(|last| last.token != token) {
                grants.push(Grant {
                    token,
                    acquire: None,
                    uses: Vec::new(),
                });
            }
            let grant = grants.last_mut().expect("one was pushed");
            if uses {
                grant.uses.push(interval);
            } else if let Some(other) = grant.acquire.replace(interval) {
                acquired_twice = Some([other.operation, interval.operation]);
            }
        }
        Chain {
            grants: grants.into_iter().peekable(),
            superseded: superseded.into_iter().peekable(),
            unseen: unseen.into_iter(),
            needs: Vec::new(),
            newest: initial.least,
            time: (0, None),
            certain: (0, None),
            length: 0,
            placed,
            acquired_twice,
        }
    }

    /// All operations in order, or some that contradict each other.
    fn laid(mut self) -> Result<Vec<Operation>, Contradiction> {
        if let Some(pair) = self.acquired_twice {
            return Err(pair.to_vec());
        }
        self.begin()?;
        while let Some(grant) = self.grants.next() {
            self.grant(&grant)?;
            self.add_uses(&grant.uses)?;
        }
        let waiting: Vec<(Token, Interval)> = self.superseded.by_ref().collect();
        if !waiting.is_empty() {
            self.supersede(&waiting, None)?;
        }
        self.placed.sort_unstable();
        let placed = self.placed.into_iter();
        Ok(placed.map(|(_, _, operation)| operation).collect())
    }

    /// What has to do with the token that was granted before everything, and older ones.
    fn begin(&mut self) -> Result<(), Contradiction> {
        let Some(newest) = self.newest else {
            return Ok(());
        };
        let older = |(token, _): &(Token, Interval)| i128::from(*token) < newest;
        while let Some((_, interval)) = self.superseded.next_if(older) {
            self.behind(0, 0, &interval);
        }
        let known = |grant: &Grant| i128::from(grant.token) <= newest;
        while let Some(grant) = self.grants.next_if(known) {
            if let Some(acquire) = grant.acquire {
                return Err(vec![acquire.operation]);
            }
            if i128::from(grant.token) < newest {
                return Err(vec![grant.uses[0].operation]);
            }
            self.add_uses(&grant.uses)?;
        }
        Ok(())
    }

    /// Places the grant of the next token that was seen, and who was told of it or of one
    /// in between.
    fn grant(&mut self, grant: &Grant) -> Result<(), Contradiction> {
        let token = i128::from(grant.token);
        let mut waiting = Vec::new();
        let older = |(asked, _): &(Token, Interval)| i128::from(*asked) < token;
        while let Some(use_) = self.superseded.next_if(older) {
            waiting.push(use_);
        }
        // At the earliest.
        let begun = match grant.acquire {
            Some(acquire) => Some(acquire.invoked),
            None => self
                .unseen
                .as_slice()
                .first()
                .map(|acquire| acquire.invoked),
        };
        let earliest = begun.map_or(NEVER, |begun| begun.max(self.time.0));
        // Who stands before that needs a token in between, for which there must be room.
        let (needy, patient): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|(_, interval)| interval.returned < earliest);
        let seen = grant.acquire.or(grant.uses.first().copied());
        let seen = seen.expect("a token was seen in some way").operation;
        let mut between = None;
        if !needy.is_empty() {
            let tight = |(asked, _): &&(Token, Interval)| i128::from(*asked) + 1 == token;
            if let Some((_, use_)) = needy.iter().find(tight) {
                return Err(self.contradiction([seen, use_.operation], grant.acquire.is_none()));
            }
            between = Some(self.supersede(&needy, Some(seen))?);
        }
        match &grant.acquire {
            Some(acquire) => self.next(acquire)?,
            None => {
                let Some(acquire) = self.unseen.next() else {
                    return Err(self.contradiction([seen], true));
                };
                self.needs.push(seen);
                self.next(&acquire)?;
            }
        }
        self.newest = Some(token);
        let (time, place) = (self.time.0, self.length);
        for (asked, interval) in patient {
            let (time, place) = match between {
                Some(between) if i128::from(asked) + 1 < token => between,
                _ => (time, place),
            };
            if interval.returned < time {
                return Err(self.contradiction([seen, interval.operation], true));
            }
            self.behind(time, place, &interval);
        }
        Ok(())
    }

    /// Places a grant that nobody knows, for those who were told of it before `next`, the next
    /// one that was seen; answers when and where it stands.
    fn supersede(
        &mut self,
        uses: &[(Token, Interval)],
        next: Option<Operation>,
    ) -> Result<(u32, u64), Contradiction> {
        let first = uses.iter().min_by_key(|(_, interval)| interval.returned);
        let (_, first) = first.expect("there are some");
        let witnesses = next.into_iter().chain([first.operation]);
        let Some(acquire) = self.unseen.next() else {
            return Err(self.contradiction(witnesses, true));
        };
        self.needs.extend(witnesses.clone());
        self.next(&acquire)?;
        let (time, place) = (self.time.0, self.length);
        if first.returned < time {
            return Err(self.contradiction(witnesses, false));
        }
        for (_, interval) in uses {
            self.behind(time, place, interval);
        }
        Ok((time, place))
    }

    fn add_uses(&mut self, uses: &[Interval]) -> Result<(), Contradiction> {
        uses.iter().try_for_each(|interval| self.next(interval))
    }

    /// Places the next operation of the chain.
    fn next(&mut self, interval: &Interval) -> Result<(), Contradiction> {
        if interval.returned < self.time.0 {
            return Err(self.contradiction([interval.operation], false));
        }
        if interval.invoked > self.time.0 {
            self.time = (interval.invoked, Some(interval.operation));
        }
        if interval.operation & CRASHED == 0 && interval.invoked > self.certain.0 {
            self.certain = (interval.invoked, Some(interval.operation));
        }
        self.length += 1;
        let place = 2 * self.length;
        self.placed.push((self.time.0, place, interval.operation));
        Ok(())
    }

    /// Places what may stand anywhere behind some place in the chain.
    fn behind(&mut self, time: u32, place: u64, interval: &Interval) {
        let time = time.max(interval.invoked);
        let place = 2 * place + 1;
        self.placed.push((time, place, interval.operation));
    }

    /// These operations, and the one that made the time so late; where that is a crashed
    /// acquire, or too few of them are there, also what needed the others.
    fn contradiction(
        &self,
        operations: impl IntoIterator<Item = Operation>,
        is_short: bool,
    ) -> Contradiction {
        let late = self.time.1;
        let is_short = is_short || late.is_some_and(|late| late & CRASHED != 0);
        let needs = self.needs.iter().copied().filter(|_| is_short);
        let causes = late.into_iter().chain(self.certain.1);
        operations.into_iter().chain(causes).chain(needs).collect()
    }
}
