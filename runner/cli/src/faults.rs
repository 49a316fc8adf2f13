//! Showing what is wrong in the user's files: message, place, the line itself, what to do.

use std::collections::BTreeSet;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use serde_json::Value;
use signalbox_core::diagnostic::Diagnostic;

use crate::fields::{list, text};
use crate::table::visible;

/// One fault, as the API and the validator tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    code: String,
    warning: bool,
    message: String,
    place: Spot,
    length: usize,
    label: String,
    source_line: Option<String>,
    help: Option<String>,
    others: Vec<(Spot, String)>,
}

/// A place in a file; line and column count from 1, 0 is "as a whole".
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spot {
    file: String,
    line: usize,
    column: usize,
}

impl Fault {
    /// Reads what [`Diagnostic::to_json`] writes. What is missing is empty.
    pub(crate) fn from_json(value: &Value) -> Self {
        let optional = |pointer| match text(value, pointer) {
            "" => None,
            text => Some(visible(text)),
        };
        Self {
            code: visible(text(value, "/code")),
            warning: text(value, "/severity") == "warning",
            message: visible(text(value, "/message")),
            place: Spot::from_json(value),
            length: count(value, "/length").max(1),
            label: visible(text(value, "/label")),
            source_line: optional("/source_line"),
            help: optional("/help"),
            others: list(value, "/labels")
                .iter()
                .map(|label| (Spot::from_json(label), visible(text(label, "/message"))))
                .collect(),
        }
    }

    /// Reads a list of faults.
    pub(crate) fn list(values: &[Value]) -> Vec<Self> {
        values.iter().map(Self::from_json).collect()
    }

    /// Whether it keeps a revision from going live.
    pub(crate) fn is_error(&self) -> bool {
        !self.warning
    }

    /// The fault in full, coloured; whoever prints takes the colours out when nobody sees them.
    pub(crate) fn render(&self) -> String {
        let level = if self.warning { Level::WARNING } else { Level::ERROR };
        let title = level.primary_title(self.message.as_str());
        let title = if self.code.is_empty() { title } else { title.id(self.code.as_str()) };
        let mut group = Group::with_title(title);
        if !self.place.file.is_empty() {
            group = group.element(self.place_element());
        }
        for (spot, message) in &self.others {
            group = group.element(Level::NOTE.message(format!("{message}: {}", spot.short())));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        Renderer::styled().render(&[group])
    }

    fn place_element(&self) -> Element<'_> {
        let Spot { file, line, column } = &self.place;
        match &self.source_line {
            Some(source) if *line > 0 => {
                let label = (!self.label.is_empty()).then_some(self.label.as_str());
                let span = AnnotationKind::Primary.span(span(source, *column, self.length));
                Snippet::source(source.as_str())
                    .line_start(*line)
                    .path(file.as_str())
                    .annotation(span.label(label))
                    .into()
            }
            _ => {
                let origin = Origin::path(file.as_str());
                let origin = if *line > 0 { origin.line(*line) } else { origin };
                let at = *line > 0 && *column > 0;
                (if at { origin.char_column(*column) } else { origin }).into()
            }
        }
    }
}

impl From<&Diagnostic> for Fault {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self::from_json(&diagnostic.to_json())
    }
}

impl Spot {
    fn from_json(value: &Value) -> Self {
        Self {
            file: visible(text(value, "/file")),
            line: count(value, "/line"),
            column: count(value, "/column"),
        }
    }

    fn short(&self) -> String {
        match (self.line, self.column) {
            (0, _) => self.file.clone(),
            (line, 0) => format!("{}:{line}", self.file),
            (line, column) => format!("{}:{line}:{column}", self.file),
        }
    }
}

/// Renders faults one below the other, then how many there are and how to learn more.
pub(crate) fn render(faults: &[Fault]) -> String {
    let mut out = String::new();
    for fault in faults {
        out.push_str(&fault.render());
        out.push_str("\n\n");
    }
    out.push_str(&summary(faults));
    out
}

fn summary(faults: &[Fault]) -> String {
    let plural = |count: usize, noun: &str| match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    };
    let errors = faults.iter().filter(|fault| fault.is_error()).count();
    let mut parts = Vec::new();
    if errors > 0 {
        parts.push(plural(errors, "fault"));
    }
    if faults.len() > errors {
        parts.push(plural(faults.len() - errors, "warning"));
    }
    let mut line = parts.join(" and ");
    let files: BTreeSet<_> =
        faults.iter().map(|fault| &fault.place.file).filter(|file| !file.is_empty()).collect();
    if !files.is_empty() {
        line = format!("{line} in {}", plural(files.len(), "file"));
    }
    if let Some(fault) = faults.iter().find(|fault| !fault.code.is_empty()) {
        line = format!("{line}; `signalbox explain {}` says more", fault.code);
    }
    line
}

fn count(value: &Value, pointer: &str) -> usize {
    let number = value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The bytes of a line that a column and a length in characters mean: always inside of it.
fn span(line: &str, column: usize, length: usize) -> std::ops::Range<usize> {
    let at = |chars: usize| line.char_indices().nth(chars).map_or(line.len(), |(at, _)| at);
    if column == 0 {
        return 0..line.len();
    }
    let start = at(column - 1);
    start..at((column - 1).saturating_add(length)).max(start)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_fault_shows_code_place_line_and_help() {
        let faults = Fault::list(&[json!({
            "code": "SB0103", "severity": "error", "message": "unknown field `scedule`",
            "file": "windmill/flows/alert.yaml", "line": 7, "column": 3, "length": 7,
            "label": "not a field of a flow", "source_line": "  scedule: \"0 6 * * *\"",
            "help": "did you mean `schedules`?",
            "labels": [{ "file": "a.yaml", "line": 2, "column": 1, "message": "first defined here" }],
        })]);
        insta::assert_snapshot!(plain(&render(&faults)));
    }

    #[test]
    fn a_fault_without_a_line_names_the_file() {
        let fault = |line: u32, column: u32| {
            let value = json!({
                "code": "SB0120", "severity": "warning", "message": "no root manifest",
                "file": "signalbox.yaml", "line": line, "column": column, "source_line": null,
            });
            plain(&Fault::from_json(&value).render())
        };
        insta::assert_snapshot!([fault(0, 0), fault(3, 0), fault(3, 9)].join("\n---\n"));
    }

    #[test]
    fn a_place_outside_of_its_line_is_still_shown() {
        for (line, column, length) in [("", 1, 1), ("äöü", 2, 900), ("ab", 40, 3), ("ab", 0, 1)]
        {
            let value = json!({
                "code": "SB0101", "severity": "error", "message": "m", "file": "f", "line": 1,
                "column": column, "length": length, "source_line": line,
            });
            assert!(plain(&Fault::from_json(&value).render()).contains('m'), "{line}");
        }
        assert_eq!(span("äöü", 2, 900), 2..6);
    }

    #[test]
    fn a_hostile_message_cannot_steer_the_terminal() {
        let value = json!({ "code": "SB0101", "message": "\u{1b}[2Jgone", "file": "\u{7}f" });
        let shown = plain(&Fault::from_json(&value).render());
        assert!(!shown.contains(['\u{1b}', '\u{7}']), "{shown}");
    }
}
