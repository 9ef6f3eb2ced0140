//! Files into columns.
//!
//! Each format has its reader (`jsonl`, `jepsen`, `porcupine`); all end in `columns`, where
//! events are paired and checked, and leave for Python as flat buffers: 64-bit times and
//! partners, 32-bit codes, and tables of canonical JSON texts.

#[cfg(feature = "python")]
mod boundary;
pub mod columns;
mod edn;
pub mod flaw;
mod header;
pub mod interner;
pub mod jepsen;
pub mod json;
pub mod jsonl;
mod lines;
mod number;
pub mod porcupine;
mod scan;
pub mod source;

#[cfg(feature = "python")]
pub use boundary::register;
