//! Text of scripts and repositories, made visible. HTML is escaped elsewhere; this is about what a
//! reader would not see or would see in another order.

/// The text with control characters and bidirectional overrides written out.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

fn is_hidden(c: char) -> bool {
    let is_bidirectional = matches!(
        c,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
    );
    is_bidirectional || (c.is_control() && c != '\n' && c != '\t')
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn nothing_hides_in_a_text() {
        assert_eq!(shown("a\x1b[31m\u{202e}b\n\tä"), "a\\u{1b}[31m\\u{202e}b\n\tä");
    }
}
