//! The budget of lines: small files stay small. clippy holds functions and parameters.

use super::source;
use crate::finding::Finding;
use crate::tree::Tree;

/// Lines of a file without its tests.
const FILE: usize = 600;
/// Lines of a `mod.rs`: theory, `mod` and `pub use`.
const MODULE: usize = 60;
/// Lines of tests beside the code.
const TESTS: usize = 150;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let files = tree.ending(".rs").filter(|(path, _)| !source::is_test_file(path));
    files.flat_map(|(path, text)| of_file(path, text)).collect()
}

fn of_file(path: &str, text: &str) -> Vec<Finding> {
    let tests = source::lines(text).filter(|(_, _, test)| *test).count();
    let code = text.lines().count() - tests;
    let mut findings = Vec::new();
    let mut over = |lines: usize, bound: usize, rule, what: &str| {
        if lines > bound {
            let what = format!("{lines} lines {what}, over the bound of {bound}");
            findings.push(Finding::new(path, 1, rule, what));
        }
    };
    over(code, FILE, "file-lines", "without tests");
    over(tests, TESTS, "inline-tests", "of tests, which belong into a `tests.rs` of their own");
    if path.ends_with("/mod.rs") {
        over(code, MODULE, "mod-lines", "in a `mod.rs`");
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        check(&Tree::from([(path, text)])).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn a_long_file_is_refused() {
        assert_eq!(rules("a/src/x.rs", &"x\n".repeat(601)), ["file-lines"]);
        assert!(rules("a/src/x.rs", &"x\n".repeat(600)).is_empty());
        assert!(rules("a/tests/x.rs", &"x\n".repeat(601)).is_empty());
    }

    #[test]
    fn a_long_mod_file_is_refused() {
        assert_eq!(rules("a/src/x/mod.rs", &"x\n".repeat(61)), ["mod-lines"]);
        assert!(rules("a/src/x/mod.rs", &"x\n".repeat(60)).is_empty());
    }

    #[test]
    fn long_tests_beside_the_code_are_refused_and_do_not_count_as_code() {
        let text = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    x\n".repeat(700));
        assert_eq!(rules("a/src/x.rs", &text), ["inline-tests"]);
    }
}
