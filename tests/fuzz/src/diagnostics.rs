//! What holds of every diagnostic.

use std::collections::BTreeMap;

use signalbox_core::diagnostic::{Diagnostic, Place};
use signalbox_workspaces::render::render;

/// Files by path from the repository's root.
pub(crate) type Files<'f> = BTreeMap<String, &'f [u8]>;

/// Diagnostics point into files that are there, and can be shown.
pub(crate) fn hold(diagnostics: &[Diagnostic], files: &Files<'_>) {
    for diagnostic in diagnostics {
        let Diagnostic { code, message, help, labels, place, source_line, .. } = diagnostic;
        assert!(!message.is_empty(), "{code} says nothing");
        assert!(help.as_ref().is_none_or(|help| !help.is_empty()), "{code} helps with nothing");
        is_inside(place, files, diagnostic);
        for label in labels {
            is_inside(&label.place, files, diagnostic);
        }
        let known = files.contains_key(&place.file) && place.line > 0;
        assert_eq!(source_line.is_some(), known, "a line that is named is shown: {diagnostic:?}");
    }
    let text = render(diagnostics);
    assert_eq!(text.is_empty(), diagnostics.is_empty());
    let steers = |c: char| c != '\n' && c.is_control();
    assert!(!text.contains(steers), "what is shown steers the terminal: {text:?}");
}

fn is_inside(place: &Place, files: &Files<'_>, diagnostic: &Diagnostic) {
    let Place { file, line, column, length } = place;
    assert!(*length > 0, "{diagnostic:?}");
    let Some(content) = files.get(file) else {
        assert_eq!((*line, *column), (0, 0), "a place in a file that is not there: {diagnostic:?}");
        return;
    };
    if *line == 0 {
        return;
    }
    let lines: Vec<_> = content.split(|byte| *byte == b'\n').collect();
    let text = lines.get(*line as usize - 1);
    let text = text.unwrap_or_else(|| unreachable!("no such line: {diagnostic:?}"));
    let characters = String::from_utf8_lossy(text).chars().count();
    // What is missing is missed behind the last character.
    let (start, end) = (*column as usize, (*column + *length) as usize);
    assert!(start <= characters + 1, "column {start} of {characters}: {diagnostic:?}");
    assert!(start == 0 || end <= characters + 2, "{end} of {characters}: {diagnostic:?}");
}
