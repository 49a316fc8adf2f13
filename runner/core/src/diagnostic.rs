//! A diagnostic: the user's files are wrong, and this is what, where, and what to do.

use serde::{Deserialize, Serialize};

use crate::codes::Code;

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The revision cannot go live.
    Error,
    /// The revision can go live; somebody should look.
    Warning,
}

/// A place in a file of the repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Path from the repository's root, `/`-separated.
    pub file: String,
    /// Line, from 1; 0 when the file as a whole is meant.
    pub line: u32,
    /// Column in characters, from 1; 0 when the line as a whole is meant.
    pub column: u32,
    /// How many characters are at fault, at least 1.
    pub length: u32,
}

impl Place {
    /// The file as a whole.
    pub fn file(file: impl Into<String>) -> Self {
        Self { file: file.into(), line: 0, column: 0, length: 1 }
    }

    /// One place of the file.
    pub fn at(file: impl Into<String>, line: u32, column: u32, length: u32) -> Self {
        Self { file: file.into(), line, column, length: length.max(1) }
    }
}

/// A second place that explains the first: "first defined here".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What there is.
    pub message: String,
}

/// One fault of the user's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The error code, with a page of its own.
    pub code: Code,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong, in one lower-case sentence without a full stop.
    pub message: String,
    /// Where.
    pub place: Place,
    /// A short text for under the marked place: `not a field of a flow`.
    #[serde(default)]
    pub label: String,
    /// The source line itself, when there is one; for showing without the file at hand.
    #[serde(default)]
    pub source_line: Option<String>,
    /// One thing to do, that can be typed.
    #[serde(default)]
    pub help: Option<String>,
    /// Second places.
    #[serde(default)]
    pub labels: Vec<Label>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            place,
            label: String::new(),
            source_line: None,
            help: None,
            labels: Vec::new(),
        }
    }

    /// A warning at a place.
    pub fn warning(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the text for under the marked place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds a second place.
    #[must_use]
    pub fn second(mut self, place: Place, message: impl Into<String>) -> Self {
        self.labels.push(Label { place, message: message.into() });
        self
    }

    /// The form that clients see: `code, severity, message, file, line, column, help`, then what
    /// is needed to show the line at fault.
    pub fn to_json(&self) -> serde_json::Value {
        let labels: Vec<_> = self.labels.iter().map(|label| {
            let Label { place, message } = label;
            serde_json::json!({
                "file": place.file, "line": place.line, "column": place.column, "message": message,
            })
        }).collect();
        serde_json::json!({
            "code": self.code, "severity": self.severity, "message": self.message,
            "file": self.place.file, "line": self.place.line, "column": self.place.column,
            "length": self.place.length, "label": self.label, "source_line": self.source_line,
            "help": self.help, "labels": labels,
        })
    }

    /// Whether this keeps the revision from going live.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The one of `known` that `word` was probably meant to be.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let close = word.chars().count().max(3) / 3;
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= close)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        let known = ["schedules", "steps", "summary"];
        assert_eq!(did_you_mean("scedule", known), Some("schedules"));
        assert_eq!(did_you_mean("stesp", known), Some("steps"));
        assert_eq!(did_you_mean("concurrency", known), None);
    }
}
