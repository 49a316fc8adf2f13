//! What one look found.

use serde_json::{Value, json};

/// One look at one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    /// What was looked at.
    pub(super) name: &'static str,
    /// How it is.
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) found: String,
    /// What to do about it.
    pub(super) help: Option<String>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// A runner works, with less than it could have.
    Warn,
    /// A runner does not work.
    Fail,
    /// It could not be looked at, and need not be.
    Skip,
}

impl Verdict {
    /// The word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

impl Check {
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, found: found.into(), help: None }
    }

    pub(super) fn warn(name: &'static str, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, ..Self::ok(name, found) }
    }

    pub(super) fn fail(name: &'static str, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, ..Self::ok(name, found) }
    }

    pub(super) fn skip(name: &'static str, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Skip, ..Self::ok(name, found) }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "name": self.name, "verdict": self.verdict.as_str(), "found": self.found,
            "help": self.help,
        })
    }
}
