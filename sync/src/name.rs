//! Which names may stand in a tree.
//!
//! Nothing is checked out, so a bad name cannot write anywhere; but it is shown in terminals and
//! pages, becomes part of import paths, and would break the clones of colleagues on other systems.

/// Longest name of one file or folder, in bytes: what Linux file systems take.
pub(crate) const MAX_NAME: usize = 255;

/// Code points that HFS+ ignores in names, so that `.g\u{200c}it` is `.git` on a Mac.
fn is_ignored_by_hfs(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

/// Code points that turn or break the line in which a name is shown.
pub(crate) fn disturbs_display(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The name as text, or the rule it breaks, completing "the name ...".
pub(crate) fn check(name: &[u8]) -> Result<&str, &'static str> {
    let text = std::str::from_utf8(name).map_err(|_| "is not valid UTF-8")?;
    if text.is_empty() {
        Err("is empty")
    } else if text.len() > MAX_NAME {
        Err("is longer than 255 bytes")
    } else if text == "." || text == ".." {
        Err("means another folder")
    } else if text.contains(['/', '\\', '\0']) {
        Err("holds a separator")
    } else if is_dot_git(text) {
        Err("is `.git`, or is taken for it on some system")
    } else if text.chars().any(disturbs_display) {
        Err("holds a control character")
    } else {
        Ok(text)
    }
}

/// Whether some file system takes the name for `.git`: case-insensitive ones, HFS+ with its ignored
/// code points, NTFS with its short name, trailing dots and blanks, and streams.
fn is_dot_git(text: &str) -> bool {
    let seen: String =
        text.chars().filter(|c| !is_ignored_by_hfs(*c)).flat_map(char::to_lowercase).collect();
    let rest = seen.strip_prefix(".git").or_else(|| seen.strip_prefix("git~1"));
    rest.is_some_and(|rest| {
        let rest = rest.trim_start_matches([' ', '.']);
        rest.is_empty() || rest.starts_with(':')
    })
}

/// The form in which two names of one folder must differ. Case is folded through upper case, so
/// that `ς` and `σ`, `ſ` and `s` meet. Composed and decomposed forms of a letter are *not* brought
/// together: as nothing is checked out, such twins stay two files here.
pub(crate) fn folded(name: &str) -> String {
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// A name that may be anything, for showing.
pub(crate) fn shown(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(text) if !text.chars().any(|c| disturbs_display(c) || is_ignored_by_hfs(c)) => {
            text.chars().take(MAX_NAME).collect()
        }
        Ok(text) => text.chars().take(MAX_NAME).flat_map(char::escape_debug).collect(),
        Err(_) => name
            .iter()
            .take(MAX_NAME)
            .copied()
            .flat_map(std::ascii::escape_default)
            .map(char::from)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for name in [
            "a",
            "workspace.yaml",
            ".gitignore",
            ".gitmodules",
            ".github",
            "git",
            "git~2",
            "Überblick",
            "日本",
            "a b",
            "...",
        ] {
            assert_eq!(check(name.as_bytes()), Ok(name));
        }
    }

    #[test]
    fn names_that_are_git_somewhere_are_refused() {
        for name in [
            ".git",
            ".GIT",
            ".Git",
            "git~1",
            "GIT~1",
            ".git ",
            ".git...",
            ".git::$INDEX_ALLOCATION",
            ".g\u{200c}it",
            "\u{feff}.git",
            "git~1.",
        ] {
            assert!(check(name.as_bytes()).is_err(), "{name:?}");
        }
    }

    #[test]
    fn names_that_lead_or_show_elsewhere_are_refused() {
        let long = "x".repeat(256);
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "a\\b",
            "a\0b",
            "a\nb",
            "\u{1b}[2J",
            "\u{85}",
            "a\u{202e}b",
            &long,
        ] {
            assert!(check(name.as_bytes()).is_err(), "{name:?}");
        }
        assert!(check(b"caf\xe9").is_err());
    }

    #[test]
    fn what_is_shown_holds_nothing_that_moves_the_cursor() {
        for name in [&b"\x1b[2J"[..], b"a\nb", b"\xff\x1b", "a\u{202e}b".as_bytes()] {
            assert!(!shown(name).chars().any(disturbs_display), "{name:?}");
        }
    }

    #[test]
    fn case_twins_fold_to_one() {
        assert_eq!(folded("Straße.YAML"), folded("STRASSE.yaml"));
        assert_eq!(folded("ὈΔΥΣΣΕΎΣ"), folded("ὀδυσσεύς"));
        assert_ne!(folded("a"), folded("b"));
    }
}
