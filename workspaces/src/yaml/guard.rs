//! What is refused before the parser sees it.

use super::MAX_DEPTH;
use crate::mark::Mark;

/// Most bytes that anchors may make the parser copy, about: it copies an anchored node with all
/// that is in it, so nested anchors multiply the text.
const MAX_COPIED: usize = 2 << 20;

/// Refuses a text whose block collections may be nested too deep, or whose anchors may multiply it.
///
/// A block collection starts at the indentation of its line or behind a `-`, `?` or `:` there, in
/// a column right of the collection it is in. The stack of these columns is therefore never
/// shorter than half of the collections that are open (a list may share its map's column). Lines
/// of block scalars are counted as well; only code indented in more than 64 stages minds.
pub(super) fn check(chars: &[char]) -> Result<(), (Mark, String)> {
    let mut open: Vec<usize> = Vec::new();
    let mut anchors = 0_usize;
    for (number, line) in chars.split(|c| *c == '\n').enumerate() {
        let line = line.strip_suffix(&['\r']).unwrap_or(line);
        let mark = Mark::line(u32::try_from(number + 1).unwrap_or(u32::MAX));
        let mut at = 0;
        while let Some(column) = next_start(line, at) {
            while open.last().is_some_and(|last| *last >= column) {
                open.pop();
            }
            open.push(column);
            if open.len() > MAX_DEPTH {
                return Err((mark, format!("nested deeper than {MAX_DEPTH} levels")));
            }
            let indicator = matches!(line[column], '-' | '?' | ':')
                && line.get(column + 1).is_none_or(|next| next.is_whitespace());
            if !indicator {
                break;
            }
            at = column + 1;
        }
        anchors +=
            line.windows(2).filter(|pair| pair[0] == '&' && pair[1].is_alphanumeric()).count();
        if anchors.saturating_mul(chars.len()) > MAX_COPIED {
            return Err((mark, "too many anchors for a text of this size".to_owned()));
        }
    }
    Ok(())
}

fn next_start(line: &[char], from: usize) -> Option<usize> {
    line[from..].iter().position(|c| !matches!(c, ' ' | '\t')).map(|found| from + found)
}
