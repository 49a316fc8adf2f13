//! Where the faults of one file are gathered.

use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place};

use crate::mark::Mark;

/// The faults of one file.
#[derive(Debug)]
pub(crate) struct Faults {
    file: String,
    list: Vec<Diagnostic>,
}

impl Faults {
    /// For a file by its path from the repository's root.
    pub(crate) fn of(file: impl Into<String>) -> Self {
        Self { file: file.into(), list: Vec::new() }
    }

    /// The file as a whole.
    pub(crate) fn file(&self) -> Place {
        Place::file(self.file.clone())
    }

    /// A place in the file.
    pub(crate) fn at(&self, mark: Mark) -> Place {
        Place::at(self.file.clone(), mark.line, mark.column, mark.length)
    }

    /// Adds an error without more to say about it.
    pub(crate) fn error(&mut self, code: Code, mark: Mark, message: impl Into<String>) {
        let place = self.at(mark);
        self.push(Diagnostic::error(code, place, message));
    }

    /// Adds an error with something to do about it.
    pub(crate) fn error_with_help(
        &mut self,
        code: Code,
        mark: Mark,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let place = self.at(mark);
        let mut diagnostic = Diagnostic::error(code, place, message);
        diagnostic.help = help;
        self.push(diagnostic);
    }

    /// Adds a warning.
    pub(crate) fn warning(&mut self, code: Code, mark: Mark, message: impl Into<String>) {
        let place = self.at(mark);
        self.push(Diagnostic::warning(code, place, message));
    }

    /// Adds a fault as it is.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Gives them away.
    pub(crate) fn into_list(self) -> Vec<Diagnostic> {
        self.list
    }
}

/// `did you mean ...?`, when something near is known.
pub(crate) fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    signalbox_core::diagnostic::did_you_mean(word, known)
        .map(|known| format!("did you mean `{known}`?"))
}

/// Sorts by place and fills in each source line from the texts by path.
pub(crate) fn finish<'a>(
    diagnostics: &mut Vec<Diagnostic>,
    text: impl Fn(&str) -> Option<&'a [u8]>,
) {
    for diagnostic in diagnostics.iter_mut().filter(|found| found.source_line.is_none()) {
        let place = &mut diagnostic.place;
        let Some((shown, width)) = text(&place.file).and_then(|text| line(text, place.line)) else {
            continue;
        };
        // A place in a text that is folded over several lines is counted from its first one.
        place.column = place.column.min(width.saturating_add(1));
        let left = width.saturating_add(2).saturating_sub(place.column);
        place.length = place.length.min(left).max(1);
        diagnostic.source_line = Some(shown);
    }
    diagnostics.sort_by(|a, b| {
        let key = |d: &Diagnostic| (d.place.clone(), d.code, d.message.clone());
        key(a).cmp(&key(b))
    });
    diagnostics.dedup();
}

/// Longest source line that is kept with a diagnostic, in characters.
const MAX_LINE: usize = 400;

/// A line as it is shown, and how many characters it has.
fn line(text: &[u8], number: u32) -> Option<(String, u32)> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    let line = text.split(|byte| *byte == b'\n').nth(index)?;
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end_matches('\r').trim_start_matches('\u{feff}');
    let width = u32::try_from(line.chars().count()).unwrap_or(u32::MAX);
    Some((line.chars().take(MAX_LINE).collect(), width))
}
