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
        let place = &diagnostic.place;
        diagnostic.source_line = text(&place.file).and_then(|text| line(text, place.line));
    }
    diagnostics.sort_by(|a, b| {
        let key = |d: &Diagnostic| (d.place.clone(), d.code, d.message.clone());
        key(a).cmp(&key(b))
    });
    diagnostics.dedup();
}

/// Longest source line that is kept with a diagnostic, in characters.
const MAX_LINE: usize = 400;

fn line(text: &[u8], number: u32) -> Option<String> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    let line = text.split(|byte| *byte == b'\n').nth(index)?;
    let line = String::from_utf8_lossy(line);
    Some(
        line.trim_end_matches('\r').trim_start_matches('\u{feff}').chars().take(MAX_LINE).collect(),
    )
}
