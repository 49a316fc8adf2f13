//! Names that say nothing about what is inside are no names for files and folders.

use crate::finding::Finding;
use crate::tree::Tree;

const FORBIDDEN: [&str; 9] =
    ["util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "stuff"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.ending(".rs").filter_map(|(path, _)| of_path(path)).collect()
}

fn of_path(path: &str) -> Option<Finding> {
    let word = path.trim_end_matches(".rs").split(['/', '_', '-']);
    let word = word.into_iter().find(|word| FORBIDDEN.contains(word))?;
    let what = format!("`{word}` says nothing; name the file after what it does");
    Some(Finding::new(path, 1, "file-name", what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_words_are_refused_wherever_they_stand() {
        for bad in ["a/src/utils.rs", "a/src/common/x.rs", "a/src/string_helpers.rs"] {
            assert!(of_path(bad).is_some(), "{bad}");
        }
        assert!(of_path("a/src/uncommon.rs").is_none());
    }
}
