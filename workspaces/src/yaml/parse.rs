//! From bytes to a tree.

use signalbox_core::codes::Code;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::source::MAX_MANIFEST;

use super::renamed::{DUPLICATE, Renamed};
use super::{Node, build, guard};
use crate::faults::Faults;
use crate::mark::Mark;

/// Reads a file that must hold one document. `None` when no tree can be made of it; then, and for
/// every key given twice and every node that cannot be used, `faults` says why.
pub(crate) fn parse(content: &[u8], faults: &mut Faults) -> Option<Node> {
    let text = decode(content, faults)?;
    let chars: Vec<char> = text.chars().collect();
    if let Err((mark, message)) = guard::check(&chars) {
        faults.error(Code::YamlSyntax, mark, message);
        return None;
    }
    let mut text = Renamed::new(chars);
    match text.load() {
        Ok(documents) => build::build(documents, &text, faults),
        Err(error) => {
            let (code, message) = match error.info() {
                DUPLICATE => (Code::DuplicateKey, "a key is given twice, as are others"),
                info => (Code::YamlSyntax, info),
            };
            faults.error(code, text.mark(*error.marker(), 1), message);
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
    let line_of = |at: usize| {
        let line = content[..at].split(|byte| *byte == b'\n').count();
        Mark::line(u32::try_from(line).unwrap_or(u32::MAX))
    };
    let text = match std::str::from_utf8(content) {
        Ok(text) => text,
        Err(error) => {
            faults.error(Code::NotUtf8, line_of(error.valid_up_to()), "the file is not UTF-8");
            return None;
        }
    };
    // YAML ends a line there, editors and whoever shows a line do not.
    if let Some(at) = lone_return(content) {
        let message = "a carriage return without a line feed";
        faults.error(Code::YamlSyntax, line_of(at), message);
        return None;
    }
    Some(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn lone_return(content: &[u8]) -> Option<usize> {
    let is_lone = |at: &usize| content[*at] == b'\r' && content.get(*at + 1) != Some(&b'\n');
    (0..content.len()).find(is_lone)
}
