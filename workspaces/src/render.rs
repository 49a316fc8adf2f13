//! Diagnostics as plain text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use signalbox_core::diagnostic::{Diagnostic, Place, Severity};

/// Longest source line that is shown, in characters.
const WIDTH: usize = 160;

/// Every diagnostic with its source line, and a summary. Empty for none.
pub fn render(diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        one(diagnostic, &mut out);
    }
    summary(diagnostics, &mut out);
    out
}

/// A macro and not a function, because writing to a `String` cannot fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => { write!($out, $($arg)*).unwrap_or_default() };
}

fn one(diagnostic: &Diagnostic, out: &mut String) {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = &diagnostic.place;
    put!(out, "{severity}[{}]: {}\n", diagnostic.code, clean(&diagnostic.message));
    let gutter = " ".repeat(1 + place.line.to_string().len());
    put!(out, "{gutter}--> {}\n", position(place));
    let shown = diagnostic.source_line.as_deref().filter(|_| place.line > 0);
    if let Some(line) = shown {
        put!(out, "{gutter} |\n {} | {}\n", place.line, cut(line));
        underline(diagnostic, line, &gutter, out);
    }
    let notes = !diagnostic.labels.is_empty() || diagnostic.help.is_some();
    if shown.is_some() && notes {
        put!(out, "{gutter} |\n");
    }
    for label in &diagnostic.labels {
        put!(out, "{gutter} = note: {}: {}\n", clean(&label.message), position(&label.place));
    }
    if let Some(help) = &diagnostic.help {
        put!(out, "{gutter} = help: {}\n", clean(help));
    }
}

fn underline(diagnostic: &Diagnostic, line: &str, gutter: &str, out: &mut String) {
    let Place { column, length, .. } = diagnostic.place;
    let before = (column as usize).saturating_sub(1);
    let width = line.chars().count().min(WIDTH);
    if column == 0 || before > width {
        return;
    }
    let length = (length as usize).clamp(1, (width - before).max(1));
    let mark = format!("{}{} {}", " ".repeat(before), "^".repeat(length), clean(&diagnostic.label));
    put!(out, "{gutter} | {}\n", mark.trim_end());
}

fn position(place: &Place) -> String {
    let file = clean(&place.file);
    match (place.line, place.column) {
        (0, _) => file,
        (line, 0) => format!("{file}:{line}"),
        (line, column) => format!("{file}:{line}:{column}"),
    }
}

/// Nothing of a user's file may steer a terminal. A tab is one column wide, as it is counted.
fn clean(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    let shown = |c: char| match c {
        '\t' => ' ',
        c if steers(c) => '\u{FFFD}',
        c => c,
    };
    text.chars().map(shown).collect()
}

fn cut(line: &str) -> String {
    clean(&line.chars().take(WIDTH).collect::<String>()).trim_end().to_owned()
}

fn summary(diagnostics: &[Diagnostic], out: &mut String) {
    let Some(first) = diagnostics.iter().find(|d| d.is_error()).or(diagnostics.first()) else {
        return;
    };
    let errors = diagnostics.iter().filter(|d| d.is_error()).count();
    let warnings = diagnostics.len() - errors;
    let files: BTreeSet<_> = diagnostics.iter().map(|d| &d.place.file).collect();
    let counted = [(errors, "fault"), (warnings, "warning")];
    let counted: Vec<_> = counted
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(n, what)| count(n, what))
        .collect();
    let files = count(files.len(), "file");
    let code = first.code;
    put!(out, "{} in {files}; `signalbox explain {code}` says more\n", counted.join(" and "));
}

fn count(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
