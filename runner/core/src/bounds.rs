//! The bounds of DESIGN §6.7 as data: who holds one takes it from here, and so does the reference page.

use std::fmt;

use crate::codes::Code;
use crate::source::{MAX_FILES, MAX_MANIFEST, MAX_SCRIPT, MAX_TREE};
use crate::value::MAX_DEPTH;

/// Largest inputs or result of a run, result of a step, and value of the state, in bytes.
pub const VALUE: usize = 1 << 20;
/// Largest request of one effect, in bytes.
pub const REQUEST: usize = 4 << 20;
/// Largest answer of one effect, in bytes.
pub const ANSWER: usize = 4 << 20;
/// Largest frame between the runner and a cell, in bytes.
pub const FRAME: usize = 8 << 20;
/// Most entries in the journal of one run.
pub const ENTRIES: usize = 10_000;
/// Largest journal of one run, in bytes.
pub const JOURNAL: usize = 64 << 20;
/// Largest log of one run, in bytes.
pub const LOG: usize = 1 << 20;
/// Largest body of a request to the API, in bytes.
pub const BODY: usize = 4 << 20;
/// Largest body of a webhook whose flow gets parts of it, in bytes; others get [`VALUE`].
pub const WEBHOOK_BODY: usize = 25 << 20;
/// Runs of a workspace that wait, unless it was granted another number.
pub const QUEUE: u32 = 200_000;
/// Rhai operations of one run, unless its workspace was granted another number.
pub const OPERATIONS: u64 = 100_000_000;
/// Calls of Rhai functions within calls.
pub const CALLS: usize = 64;
/// Longest text of a script, in bytes.
pub const TEXT: usize = 4 << 20;
/// Most items of an array of a script.
pub const ARRAY: usize = 1_000_000;
/// Most entries of a map of a script.
pub const MAP: usize = 100_000;
/// Memory of a cell, unless its workspace was granted another amount, in bytes.
pub const MEMORY: u64 = 128 << 20;

/// How much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Bytes.
    Bytes(u64),
    /// Things that are counted.
    Count(u64),
}

/// One bound.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// What is bounded.
    pub what: &'static str,
    /// The most that is taken.
    pub most: Figure,
    /// The code of what is beyond; `None` when that is cut, with a mark.
    pub code: Option<Code>,
    /// What to do about it.
    pub help: &'static str,
    /// The field of `limits`, in the root manifest's grants, that changes it.
    pub limit: Option<&'static str>,
}

const fn bytes(bytes: usize) -> Figure {
    Figure::Bytes(bytes as u64)
}

const fn count(count: usize) -> Figure {
    Figure::Count(count as u64)
}

const fn fixed(what: &'static str, most: Figure, code: Code, help: &'static str) -> Bound {
    Bound { what, most, code: Some(code), help, limit: None }
}

const fn adjusted(what: &'static str, most: Figure, limit: &'static str) -> Bound {
    let help = "do less in one run, or have the root manifest grant more";
    Bound { what, most, code: Some(Code::LimitExceeded), help, limit: Some(limit) }
}

const SMALLER: &str =
    "hand over a reference (a URL, a path, a name in the state) instead of the thing";
const PARTS: &str = "ask for less at once: a page, a filter, a range";
const SUCCESSOR: &str = "go on in a successor: `continue_as(inputs)`";
const PIECES: &str = "work on it in pieces";
const SPLIT: &str = "split it; move what several need into a library";
const FEWER: &str = "keep what no flow needs out of the workspace's folder";

/// Every bound, in the order of DESIGN §6.7.
pub const ALL: &[Bound] = &[
    fixed("inputs of a run", bytes(VALUE), Code::TooLarge, SMALLER),
    fixed("result of a run or of a step", bytes(VALUE), Code::LimitExceeded, SMALLER),
    fixed("value in the state", bytes(VALUE), Code::LimitExceeded, SMALLER),
    fixed("request of one effect", bytes(REQUEST), Code::LimitExceeded, SMALLER),
    fixed("answer of one effect", bytes(ANSWER), Code::LimitExceeded, PARTS),
    fixed("frame between the runner and a cell", bytes(FRAME), Code::LimitExceeded, SPLIT),
    fixed("depth of a value", count(MAX_DEPTH), Code::BadValue, "nest less"),
    fixed("effects of one run", count(ENTRIES), Code::LimitExceeded, SUCCESSOR),
    fixed("journal of one run", bytes(JOURNAL), Code::LimitExceeded, SUCCESSOR),
    Bound {
        what: "log of one run",
        most: bytes(LOG),
        code: None,
        help: "log less; what is large is a result",
        limit: None,
    },
    fixed("body of a request", bytes(BODY), Code::TooLarge, SMALLER),
    fixed(
        "body of a webhook that picks parts (others: 1 MiB)",
        bytes(WEBHOOK_BODY),
        Code::TooLarge,
        "pick parts with `inputs:`; have the sender send less",
    ),
    Bound {
        what: "runs of a workspace that wait",
        most: Figure::Count(QUEUE as u64),
        code: Some(Code::QueueFull),
        help: "start it again when some of them have ended, start fewer at once, or have the root \
               manifest grant more",
        limit: Some("queue"),
    },
    adjusted("Rhai operations of one run", Figure::Count(OPERATIONS), "operations"),
    fixed("calls of Rhai functions within calls", count(CALLS), Code::LimitExceeded, "use a loop"),
    fixed("text of a script", bytes(TEXT), Code::LimitExceeded, PIECES),
    fixed("items of an array", count(ARRAY), Code::LimitExceeded, PIECES),
    fixed("entries of a map", count(MAP), Code::LimitExceeded, PIECES),
    fixed("script or library", bytes(MAX_SCRIPT), Code::ScriptTooLarge, SPLIT),
    adjusted("memory of a cell", Figure::Bytes(MEMORY), "memory"),
    fixed("manifest, workspace or flow file", bytes(MAX_MANIFEST), Code::TreeLimit, SPLIT),
    fixed("folder of a workspace, all files together", bytes(MAX_TREE), Code::TreeLimit, FEWER),
    fixed("files of a workspace", count(MAX_FILES), Code::TreeLimit, FEWER),
];

impl fmt::Display for Figure {
    /// As people write it: `4 MiB`, `10,000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Bytes(bytes) if bytes % (1 << 20) == 0 => write!(f, "{} MiB", bytes >> 20),
            Self::Bytes(bytes) if bytes % (1 << 10) == 0 => write!(f, "{} KiB", bytes >> 10),
            Self::Bytes(bytes) => write!(f, "{bytes} bytes"),
            Self::Count(count) => f.write_str(&grouped(count)),
        }
    }
}

/// A number with a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_write_them() {
        for (figure, text) in [
            (Figure::Bytes(4 << 20), "4 MiB"),
            (Figure::Bytes(256 << 10), "256 KiB"),
            (Figure::Bytes(7), "7 bytes"),
            (Figure::Count(64), "64"),
            (Figure::Count(10_000), "10,000"),
            (Figure::Count(100_000_000), "100,000,000"),
        ] {
            assert_eq!(figure.to_string(), text);
        }
    }
}
