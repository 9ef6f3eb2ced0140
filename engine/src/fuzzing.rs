//! Doors for `engine/fuzz`, which drives the readers and the search without Python.

pub use crate::monitors::asked::{by_monitor, by_zones};
pub use crate::objects::counter::Counter;
pub use crate::objects::interned::Interned;
pub use crate::objects::lease::Lease;
pub use crate::objects::line::{Queue, Stack};
pub use crate::objects::lock::Lock;
pub use crate::objects::priority_queue::PriorityQueue;
pub use crate::objects::semaphore::Semaphore;
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
