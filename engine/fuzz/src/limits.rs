//! Searches within limits, and in stages.

use _native::fuzzing::{
    search_key, Budget, Exhausted, KeyHistory, Ledger, Outcome, State, Suspension, Transitions,
};
use std::sync::Arc;

/// At most so many configurations, and so many bytes.
pub fn limits(steps: Option<u64>, bytes: Option<usize>) -> Budget {
    Budget {
        steps,
        ledger: Arc::new(Ledger::new(bytes)),
        ..Budget::default()
    }
}

/// The outcome of a search that is suspended every `steps` configurations and goes on from
/// there, the way through a file included where `written`.
pub fn in_stages<T: Transitions>(
    key: &KeyHistory,
    initial: State,
    model: &mut T,
    steps: u64,
    written: bool,
) -> Outcome {
    let mut earlier: Option<Arc<Suspension>> = None;
    for _ in 0..100_000 {
        let budget = Budget {
            earlier: earlier.take(),
            ..limits(Some(steps), None)
        };
        let mut open = match search_key(key, initial, model, &budget) {
            Outcome::Unknown(open) => open,
            decided => return decided,
        };
        assert_eq!(open.exhausted, Exhausted::Steps);
        let mut suspension = open.suspension.take().expect("somewhere to go on from");
        if written {
            suspension.tell(|state| state.to_string());
            let (bytes, told) = (suspension.to_bytes(), suspension.told());
            suspension = Box::new(Suspension::from_bytes(&bytes, told).expect("as written"));
        }
        earlier = Some(Arc::from(suspension));
    }
    panic!("the search does not get on");
}
