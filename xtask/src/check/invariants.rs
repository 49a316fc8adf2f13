//! Every **Invariant:** of ARCHITECTURE.md names the test that tries to break it, and so does
//! SECURITY.md.
//!
//! The form of an invariant, in one paragraph: the mark, a sentence, `Test:`, and names in backticks.
//! In SECURITY.md whatever looks like the name of a test must be one.

use std::collections::BTreeSet;

use super::source;
use crate::finding::Finding;
use crate::tree::Tree;

const FILE: &str = "ARCHITECTURE.md";
const THREATS: &str = "SECURITY.md";
const MARK: &str = "**Invariant:**";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let known = tests(tree);
    let invariants = tree.text(FILE).map(invariants).unwrap_or_default();
    let of_invariants =
        invariants.into_iter().flat_map(|(line, text)| of_invariant(line, &text, &known));
    let threats = tree.text(THREATS).unwrap_or_default();
    let of_threats = threats.lines().enumerate().flat_map(|(at, text)| {
        let named = text.split('`').skip(1).step_by(2).filter(|name| looks_like_a_test(name));
        let unknown = named.filter(|name| !known.contains(name));
        unknown.map(move |name| {
            Finding::new(THREATS, at + 1, "invariant", format!("no test `{name}`"))
        })
    });
    of_invariants.chain(of_threats).collect()
}

/// Names say behaviour: they are sentences.
fn looks_like_a_test(name: &str) -> bool {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.matches('_').count() >= 3 && name.chars().all(is_name)
}

fn of_invariant(line: usize, text: &str, known: &BTreeSet<&str>) -> Vec<Finding> {
    let after = text.split_once("Test:").or_else(|| text.split_once("Tests:"));
    let names: Vec<_> =
        after.map_or("", |(_, names)| names).split('`').skip(1).step_by(2).collect();
    if names.is_empty() {
        return vec![Finding::new(FILE, line, "invariant", "names no test")];
    }
    let unknown = names
        .into_iter()
        .filter(|name| !known.contains(name.rsplit("::").next().unwrap_or_default()));
    unknown.map(|name| Finding::new(FILE, line, "invariant", format!("no test `{name}`"))).collect()
}

/// Each invariant with its line: from its mark to the end of the paragraph or the next mark.
fn invariants(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (at, line) in text.lines().enumerate() {
        if line.contains(MARK) {
            found.push((at + 1, String::new()));
            open = true;
        }
        open &= !line.trim().is_empty();
        if let Some((_, text)) = found.last_mut().filter(|_| open) {
            text.push_str(line);
            text.push(' ');
        }
    }
    found
}

/// The names of the functions of test code: test files, test modules, and whatever carries a
/// `test` attribute; the store's conformance suite is test code by another name.
fn tests(tree: &Tree) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for (path, text) in tree.ending(".rs") {
        let whole = source::is_test_file(path) || path.contains("conformance");
        let mut attribute = false;
        for (_, line, test) in source::lines(text) {
            let name = line.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
            if let Some((name, _)) = name.filter(|_| whole || test || attribute) {
                names.insert(name);
            }
            attribute = line.trim_start().starts_with("#[") && (attribute || line.contains("test"));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "fn not_a_test() {}\n#[cfg(test)]\nmod tests {\n    #[test]\n    \
                        fn a_push_is_whole() {}\n}\n";

    fn found(text: &str) -> Vec<String> {
        let tree = Tree::from([(FILE, text), ("a/src/x.rs", CODE)]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_invariant_that_names_a_test_passes() {
        let text = "* **Invariant:** a push\n  is whole. Test: `x::a_push_is_whole`.\n\n`other`\n";
        assert!(found(text).is_empty());
    }

    #[test]
    fn a_test_of_the_threat_model_is_there() {
        let text = "| x | `a_push_is_whole`, `limit_exceeded` |\n`it_was_here_once`, `no such`\n";
        let tree = Tree::from([(THREATS, text), ("a/src/x.rs", CODE)]);
        let found: Vec<_> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["SECURITY.md:2: no test `it_was_here_once` [invariant]"]);
    }

    #[test]
    fn an_invariant_without_a_test_or_with_an_unknown_one_is_refused() {
        let text = "\n**Invariant:** a.\n**Invariant:** b. Test: `gone`.\n\
                    **Invariant:** c. Test: `not_a_test`\n";
        assert_eq!(
            found(text),
            [
                "ARCHITECTURE.md:2: names no test [invariant]",
                "ARCHITECTURE.md:3: no test `gone` [invariant]",
                "ARCHITECTURE.md:4: no test `not_a_test` [invariant]"
            ]
        );
    }
}
