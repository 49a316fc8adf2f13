//! `${...}` in the texts of a flow file and of a connector.

/// A part of a template text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text as it stands.
    Text(String),
    /// The inside of `${...}`, trimmed, and where it starts in the text (a byte offset).
    Expression(String, usize),
}

/// A template text that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `${` without its `}`.
    #[error("`${{` at character {0} is not closed by `}}`")]
    Unclosed(usize),
    /// `${}`.
    #[error("`${{}}` at character {0} is empty")]
    Empty(usize),
}

/// Takes a text apart. `$${` stands for `${` itself. Braces and texts inside an expression nest.
pub fn parse(text: &str) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = 0;
    while let Some(found) = text[rest..].find("${") {
        let start = rest + found;
        if text[rest..start].ends_with('$') {
            plain.push_str(&text[rest..start - 1]);
            plain.push_str("${");
            rest = start + 2;
            continue;
        }
        plain.push_str(&text[rest..start]);
        let end = close(text, start + 2).ok_or(Error::Unclosed(start + 1))?;
        let inside = text[start + 2..end].trim();
        if inside.is_empty() {
            return Err(Error::Empty(start + 1));
        }
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(Part::Expression(inside.to_owned(), start + 2));
        rest = end + 1;
    }
    plain.push_str(&text[rest..]);
    if !plain.is_empty() || parts.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

/// Where the expression that starts at `from` is closed.
fn close(text: &str, from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text[from..].char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') if depth == 0 => return Some(from + at),
            (None, '}') => depth -= 1,
            (Some(_) | None, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    #[test]
    fn expressions_are_found_with_their_braces_and_texts() {
        assert_eq!(parse("plain"), Ok(vec![text("plain")]));
        assert_eq!(
            parse("a ${ #{ x: \"}\" }.x } b"),
            Ok(vec![text("a "), Part::Expression("#{ x: \"}\" }.x".into(), 4), text(" b")])
        );
        assert_eq!(parse("$${not} $5"), Ok(vec![text("${not} $5")]));
        assert_eq!(parse(""), Ok(vec![text("")]));
    }

    #[test]
    fn an_open_or_empty_expression_is_refused() {
        assert_eq!(parse("a ${b"), Err(Error::Unclosed(3)));
        assert_eq!(parse("${ }"), Err(Error::Empty(1)));
    }
}
