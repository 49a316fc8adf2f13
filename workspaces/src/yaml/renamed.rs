//! A reading of the text that does not stop at the first key that is given twice.

use std::panic::catch_unwind;

use saphyr::{LoadableYamlNode as _, MarkedYaml, Marker, ScanError};

use crate::mark::Mark;

/// Most keys given twice that are reported in one file; each costs a reading of the whole text.
const MAX_DUPLICATES: usize = 16;
/// How the parser says that a key is given twice.
pub(super) const DUPLICATE: &str = "duplicated key in mapping";

/// A text in which the later ones of equal keys have another first character.
pub(super) struct Renamed {
    pub(super) chars: Vec<char>,
    /// Position of each replaced character, and the character itself.
    replaced: Vec<(usize, char)>,
    /// Line and column behind the last character.
    end: (usize, usize),
}

impl Renamed {
    pub(super) fn new(chars: Vec<char>) -> Self {
        let lines = chars.iter().filter(|c| **c == '\n').count();
        let last = chars.iter().rev().take_while(|c| **c != '\n').count();
        Self { chars, replaced: Vec::new(), end: (lines + 1, last + 1) }
    }

    /// What the parser makes of the text, with keys renamed until no two are equal.
    pub(super) fn load(&mut self) -> Result<Vec<MarkedYaml<'static>>, ScanError> {
        loop {
            let error = match self.read() {
                Ok(documents) => return Ok(documents),
                Err(error) => error,
            };
            let twice = error.info() == DUPLICATE && self.replaced.len() < MAX_DUPLICATES;
            if !twice || !self.rename(error.marker().index()) {
                return Err(error);
            }
        }
    }

    /// The parser has states that it holds to be unreachable; a text that reaches one is a fault
    /// of the text as far as the runner is concerned.
    fn read(&self) -> Result<Vec<MarkedYaml<'static>>, ScanError> {
        let read = || MarkedYaml::load_from_iter(self.chars.iter().copied());
        catch_unwind(read).unwrap_or_else(|_| {
            let start = Marker::new(0, 1, 0);
            Err(ScanError::new_str(start, "the text cannot be read as YAML"))
        })
    }

    /// Gives the key that starts at `index` another first character, of the private use area.
    fn rename(&mut self, index: usize) -> bool {
        let quoted = matches!(self.chars.get(index), Some('"' | '\''));
        let at = index + usize::from(quoted);
        let fresh =
            u32::try_from(self.replaced.len()).ok().and_then(|n| char::from_u32(0xE000 + n));
        let known = self.replaced.iter().any(|(position, _)| *position == at);
        match (self.chars.get_mut(at), fresh) {
            (Some(slot), Some(fresh))
                if !known && (slot.is_alphanumeric() || "_-$./".contains(*slot)) =>
            {
                self.replaced.push((at, std::mem::replace(slot, fresh)));
                true
            }
            _ => false,
        }
    }

    /// A place of the parser's. It counts a line that is not there behind a text that ends too
    /// early; what is missed there is missed behind the last character.
    pub(super) fn mark(&self, marker: Marker, length: usize) -> Mark {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (line, column) = if marker.line() > self.end.0 {
            self.end
        } else {
            (marker.line(), marker.col().saturating_add(1))
        };
        Mark { line: number(line), column: number(column), length: number(length.max(1)) }
    }

    /// The key as it was written, if the one that starts at `index` was renamed.
    pub(super) fn original(&self, index: usize, key: &str) -> Option<String> {
        let found = |(at, _): &&(usize, char)| *at == index || *at == index + 1;
        let (_, first) = self.replaced.iter().find(found)?;
        let fresh = |c: char| ('\u{E000}'..='\u{E0FF}').contains(&c);
        key.starts_with(fresh).then(|| std::iter::once(*first).chain(key.chars().skip(1)).collect())
    }
}
