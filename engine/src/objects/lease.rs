//! A lease with fencing tokens: `acquire` answers a token greater than all before it, `use`
//! of a token answers whether it is the newest still, `release` changes nothing.
//!
//! An acquire whose answer nobody saw may have granted a token that nobody knows.  The state
//! stands for all tokens that the newest one may be: one, or all from some number on.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use super::{first_alike, Monitored, Object, Source};
use crate::monitors::intervals::Interval;
use crate::monitors::tokens::judge;
use crate::monitors::{Excerpt, Finding, Operation, Part};
use crate::search::history::Class;
use crate::search::register::Misfit;

pub type Token = i64;

/// The operations of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseOp {
    Acquire(Token),
    /// An acquire whose token nobody saw.
    AcquireUnseen,
    /// The token was the newest.
    Newest(Token),
    /// There was a newer token than this.
    Superseded(Token),
    /// Constrains nothing.
    Nothing,
}

/// The newest token: none, or at least `least`, or exactly that if it is `known`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Newest {
    /// None is below all numbers.
    pub least: Option<i128>,
    pub known: bool,
}

#[derive(Clone)]
pub struct Lease {
    pub operations: Arc<Vec<LeaseOp>>,
    alike: Arc<Vec<u32>>,
    initial: Newest,
    /// Whether there may be tokens that nobody knows.
    is_vague: bool,
}

impl Lease {
    /// Translates the classes of a history.
    pub fn compile(source: &Source) -> Result<Lease, Misfit> {
        let token = |text: &str| {
            let parsed = text.parse::<Token>();
            parsed.map_err(|_| format!("a token is an integer of at most 64 bits, not {text}"))
        };
        let operations = source.translate(|class| match source.name(class) {
            "acquire" if !class.completed => Ok(LeaseOp::AcquireUnseen),
            "acquire" => token(source.result(class)).map(LeaseOp::Acquire),
            "use" => {
                let token = token(source.argument(class))?;
                match source.result(class) {
                    _ if !class.completed => Ok(LeaseOp::Nothing),
                    "true" => Ok(LeaseOp::Newest(token)),
                    "false" => Ok(LeaseOp::Superseded(token)),
                    other => Err(format!("a use answers true or false, not {other}")),
                }
            }
            "release" => Ok(LeaseOp::Nothing),
            other => Err(format!(
                "a lease has no operation '{other}', only acquire, use and release"
            )),
        })?;
        let initial = serde_json::from_str(source.initial);
        let (least, known): (Option<Token>, bool) = initial.map_err(|_| Misfit {
            class: 0,
            message: format!(
                "a lease begins with [newest, known], not {}",
                source.initial
            ),
        })?;
        let initial = Newest {
            least: least.map(i128::from),
            known,
        };
        let is_vague = operations.contains(&LeaseOp::AcquireUnseen) || !known;
        Ok(Lease {
            alike: Arc::new(first_alike(&operations)),
            operations: Arc::new(operations),
            initial,
            is_vague,
        })
    }
}

impl Object for Lease {
    type State = Newest;

    const SMALL: bool = true;

    fn initial(&self) -> Self::State {
        self.initial
    }

    fn apply(&self, state: &mut Self::State, class: Class) -> bool {
        let known = |token| Newest {
            least: Some(token),
            known: true,
        };
        let Newest { least, .. } = *state;
        let wide = |token: Token| i128::from(token);
        *state = match (self.operations[class as usize], state.known) {
            // If it is not known, the newest may be `least`, and thus below this one.
            (LeaseOp::Acquire(token), _) if Some(wide(token)) > least => known(wide(token)),
            (LeaseOp::AcquireUnseen, _) => Newest {
                least: least.map(|least| least + 1),
                known: false,
            },
            (LeaseOp::Newest(token), true) if Some(wide(token)) == least => *state,
            (LeaseOp::Newest(token), false) if Some(wide(token)) >= least => known(wide(token)),
            (LeaseOp::Superseded(token), true) if Some(wide(token)) < least => *state,
            (LeaseOp::Superseded(token), false) => Newest {
                least: least.max(Some(wide(token) + 1)),
                known: false,
            },
            (LeaseOp::Nothing, _) => *state,
            _ => return false,
        };
        true
    }

    /// What a use answers tells something of a token that nobody knows.
    fn read_only(&self, class: Class) -> bool {
        match self.operations[class as usize] {
            LeaseOp::Nothing => true,
            LeaseOp::Newest(_) | LeaseOp::Superseded(_) => !self.is_vague,
            LeaseOp::Acquire(_) | LeaseOp::AcquireUnseen => false,
        }
    }

    fn alike(&self, class: Class) -> u32 {
        self.alike[class as usize]
    }

    fn text(&self, state: &Self::State) -> String {
        match state.least {
            Some(least) => format!("[{least},{}]", state.known),
            None => format!("[null,{}]", state.known),
        }
    }

    fn weight(&self, _state: &Self::State) -> usize {
        size_of::<Self::State>()
    }
}

impl Monitored for Lease {
    const ALGORITHM: &'static str = "lease";

    fn judge(&self, intervals: &[Interval]) -> Finding {
        judge(intervals, &self.operations, self.initial)
    }

    fn part(&self, class: Class) -> Part {
        match self.operations[class as usize] {
            LeaseOp::Acquire(_) | LeaseOp::AcquireUnseen => Part::Kept,
            _ => Part::Free,
        }
    }

    /// These operations, with the acquires that a use among them may rely on.
    ///
    /// A linearization without any of its uses is one still, for they only tell what is there.
    /// So is one without an acquire, unless a use that is left relies on it: one that was
    /// answered that its token is the newest, on the acquire of that token; one that was
    /// answered that there is a newer one, on an acquire of a greater token that was invoked
    /// before it returned.  Each may also rely on an acquire whose token nobody saw.
    fn excerpt(
        &self,
        mut operations: Vec<Operation>,
        intervals: &[Interval],
    ) -> Excerpt<Self::State> {
        operations.sort_unstable();
        let is_given = |i: &Interval| operations.binary_search(&i.operation).is_ok();
        let mut newest = HashSet::new();
        // For the uses that rely on a greater token: token and return.
        let mut older = Vec::new();
        for interval in intervals.iter().filter(|interval| is_given(interval)) {
            match self.operations[interval.class as usize] {
                LeaseOp::Newest(token) => {
                    newest.insert(token);
                }
                LeaseOp::Superseded(token) => older.push((token, interval.returned)),
                _ => {}
            }
        }
        // Of those that return later only the ones with the least token matter.
        older.sort_unstable_by_key(|&(token, returned)| (Reverse(returned), token));
        let mut least = Token::MAX;
        older.retain(|&(token, _)| {
            let less = token < least;
            least = least.min(token);
            less
        });
        let relied_on = |token: Token, invoked: u32| {
            let later = older.partition_point(|&(_, returned)| returned > invoked);
            newest.contains(&token) || later.checked_sub(1).is_some_and(|i| older[i].0 < token)
        };
        let is_needed = |i: &Interval| match self.operations[i.class as usize] {
            LeaseOp::Acquire(token) => relied_on(token, i.invoked),
            LeaseOp::AcquireUnseen => true,
            _ => false,
        };
        let few = intervals.iter().filter(|i| is_given(i) || is_needed(i));
        Excerpt::whole(few.map(|i| i.operation).collect(), self.initial)
    }
}
