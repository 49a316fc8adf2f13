//! Nothing in the repository may know the machine it was written on.

use crate::finding::Finding;
use crate::tree::Tree;

/// Beginnings of paths that exist on some machine only. Written in two parts, so that this file
/// does not find itself.
const PATTERNS: [&str; 4] =
    [concat!("/", "root/"), concat!("/", "work/"), concat!("/tmp", "/h/"), concat!("/", "Users/")];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.all() {
        for (at, line) in text.lines().enumerate() {
            let found = PATTERNS.into_iter().find(|pattern| begins_a_path(line, pattern));
            let what = |pattern| format!("`{pattern}` is a path of one machine");
            let finding = |pattern| Finding::new(path, at + 1, "machine-path", what(pattern));
            findings.extend(found.map(finding));
        }
    }
    findings
}

/// Whether the line has the pattern where a path can begin, not in the middle of one.
fn begins_a_path(line: &str, pattern: &str) -> bool {
    line.match_indices(pattern).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"._-})*]>/".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_machine_is_refused_and_a_part_of_another_path_is_not() {
        for pattern in PATTERNS {
            let text = format!("ok\nopen(\"{pattern}x\")\n");
            let found = check(&Tree::from([("a.md", text.as_str())]));
            assert_eq!(found.len(), 1, "{pattern}");
            assert_eq!(found[0].line, 2);
            let inside = format!("https://example.org{pattern}x\n");
            assert!(check(&Tree::from([("a.md", inside.as_str())])).is_empty(), "{pattern}");
        }
    }
}
