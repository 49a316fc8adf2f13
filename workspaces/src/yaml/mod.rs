//! YAML text becomes a tree of [`Node`]s that know where they stand.
//!
//! Values and positions come from one parser, saphyr: a second one for the values would have to
//! agree with it on every corner of the language, and where they differ a diagnostic would point
//! at something that was never read. Its marked nodes give both; what it resolves more freely
//! than the project's files should (`017`, numbers beyond 64 bits, tags, aliases) is looked up in
//! the text again or refused ([`build`](build::Builder)).
//!
//! The parser recurses into block collections without a bound, copies every anchored node and
//! stops at the first key that is given twice. [`guard`] refuses what would make the first two
//! hurt before it is called; a second key of the same name is renamed and the text read again,
//! so that it can be reported together with the first and with every other fault of the file.

mod build;
mod guard;
mod node;

use std::panic::catch_unwind;

use saphyr::{LoadableYamlNode as _, MarkedYaml, ScanError};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::source::MAX_MANIFEST;

pub(crate) use node::{Entry, Mark, Node, Tree};

use crate::faults::Faults;

/// Deepest nesting of a file's collections.
pub(crate) const MAX_DEPTH: usize = 64;
/// Most keys given twice that are reported in one file; each costs a reading of the whole text.
const MAX_DUPLICATES: usize = 16;
/// How the parser says that a key is given twice.
const DUPLICATE: &str = "duplicated key in mapping";

/// Reads a file that must hold one document. `None` when no tree can be made of it; then, and for
/// every key given twice and every node that cannot be used, `faults` says why.
pub(crate) fn parse(content: &[u8], faults: &mut Faults) -> Option<Node> {
    let text = decode(content, faults)?;
    let chars: Vec<char> = text.chars().collect();
    if let Err((mark, message)) = guard::check(&chars) {
        faults.error(Code::YamlSyntax, mark, message);
        return None;
    }
    let mut text = Renamed { chars, renamed: Vec::new() };
    match text.load() {
        Ok(documents) => build::build(documents, &text, faults),
        Err(error) => {
            let (code, message) = match error.info() {
                DUPLICATE => (Code::DuplicateKey, "a key is given twice, as are others"),
                info => (Code::YamlSyntax, info),
            };
            faults.error(code, Mark::of(*error.marker(), 1), message);
            None
        }
    }
}

fn decode<'a>(content: &'a [u8], faults: &mut Faults) -> Option<&'a str> {
    if content.len() > MAX_MANIFEST {
        let message = format!("the file has {} bytes; {MAX_MANIFEST} are allowed", content.len());
        faults.push(Diagnostic::error(Code::TreeLimit, faults.file(), message));
        return None;
    }
    match std::str::from_utf8(content) {
        Ok(text) => Some(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let line = content[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
            let place = faults.at(Mark::line(u32::try_from(line).unwrap_or(u32::MAX)));
            faults.push(Diagnostic::error(Code::NotUtf8, place, "the file is not UTF-8"));
            None
        }
    }
}

/// A text in which the later ones of equal keys have another first character.
struct Renamed {
    chars: Vec<char>,
    /// Position of each replaced character, and the character itself.
    renamed: Vec<(usize, char)>,
}

impl Renamed {
    fn load(&mut self) -> Result<Vec<MarkedYaml<'static>>, ScanError> {
        loop {
            let error = match self.read() {
                Ok(documents) => return Ok(documents),
                Err(error) => error,
            };
            let twice = error.info() == DUPLICATE && self.renamed.len() < MAX_DUPLICATES;
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
            let start = saphyr::Marker::new(0, 1, 0);
            Err(ScanError::new_str(start, "the text cannot be read as YAML"))
        })
    }

    /// Gives the key that starts at `index` another first character, of the private use area.
    fn rename(&mut self, index: usize) -> bool {
        let quoted = matches!(self.chars.get(index), Some('"' | '\''));
        let at = index + usize::from(quoted);
        let fresh = u32::try_from(self.renamed.len()).ok().and_then(|n| char::from_u32(0xE000 + n));
        let known = self.renamed.iter().any(|(position, _)| *position == at);
        match (self.chars.get_mut(at), fresh) {
            (Some(slot), Some(fresh))
                if !known && (slot.is_alphanumeric() || "_-$./".contains(*slot)) =>
            {
                self.renamed.push((at, std::mem::replace(slot, fresh)));
                true
            }
            _ => false,
        }
    }

    /// The key as it was written, if the one that starts at `index` was renamed.
    fn original(&self, index: usize, key: &str) -> Option<String> {
        let found = |(at, _): &&(usize, char)| *at == index || *at == index + 1;
        let (_, first) = self.renamed.iter().find(found)?;
        let fresh = |c: char| ('\u{E000}'..='\u{E0FF}').contains(&c);
        key.starts_with(fresh).then(|| std::iter::once(*first).chain(key.chars().skip(1)).collect())
    }
}
