//! What is wrong with a file, and on which line.
//!
//! Scanners deal in `Complaint`s, which know nothing of lines; whoever holds the line
//! number turns the complaint into a `Flaw`.  `corrupt` marks a file that is not what its
//! writer wrote (a checksum does not match): such a file is never judged.

/// Lines, values and nesting beyond these limits are refused, not attempted.
pub const LINE_BYTES_MAX: usize = 32 << 20;
pub const VALUE_BYTES_MAX: usize = 16 << 20;
pub const NESTING_MAX: usize = 100;
pub const NUMBER_DIGITS_MAX: usize = 1000;
pub const PROCESS_MAX: i64 = i32::MAX as i64;
/// Codes of tables and positions of events must fit their columns.
pub const EVENTS_MAX: usize = i32::MAX as usize;

pub type Complaint = String;

#[derive(Debug, Clone)]
pub struct Flaw {
    pub line: u64,
    pub what: Complaint,
    pub corrupt: bool,
}

impl Flaw {
    pub fn at(line: u64, what: impl Into<Complaint>) -> Flaw {
        Flaw {
            line,
            what: what.into(),
            corrupt: false,
        }
    }

    pub fn corrupt(line: u64, what: impl Into<Complaint>) -> Flaw {
        Flaw {
            line,
            what: what.into(),
            corrupt: true,
        }
    }
}

/// Why reading stopped: the file is flawed, or the operating system would not deliver it.
#[derive(Debug)]
pub enum Trouble {
    Flawed(Flaw),
    Io(std::io::Error),
}

impl From<Flaw> for Trouble {
    fn from(flaw: Flaw) -> Trouble {
        Trouble::Flawed(flaw)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Trouble {
        Trouble::Io(error)
    }
}

/// A piece of input for an error message: printable, and short whatever was in the file.
pub fn excerpt(bytes: &[u8]) -> String {
    const SHOWN: usize = 60;
    let mut text: String = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * SHOWN)])
        .chars()
        .take(SHOWN)
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect();
    if bytes.len() > SHOWN {
        text.push('…');
    }
    text
}
