//! Relative links of the documents lead somewhere, and every page of the book is in its contents.

use std::path::{Component, Path};

use crate::finding::Finding;
use crate::tree::Tree;

const CONTENTS: &str = "docs/SUMMARY.md";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<_> =
        tree.ending(".md").flat_map(|(path, text)| dead(tree, path, text)).collect();
    if let Some(contents) = tree.text(CONTENTS) {
        let listed: Vec<_> =
            links(contents).filter_map(|(_, target)| resolve(CONTENTS, target)).collect();
        let pages = tree.ending(".md").filter(|(path, _)| path.starts_with("docs/"));
        let unlisted = pages
            .filter(|(path, _)| *path != CONTENTS && !listed.iter().any(|known| known == path));
        findings.extend(unlisted.map(|(path, _)| {
            Finding::new(path, 1, "contents", format!("is not listed in {CONTENTS}"))
        }));
    }
    findings
}

fn dead(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let broken =
        links(text).filter(|(_, target)| resolve(path, target).is_none_or(|file| !tree.has(&file)));
    let finding =
        |(line, target)| Finding::new(path, line, "link", format!("`{target}` leads nowhere"));
    broken.map(finding).collect()
}

/// Relative links outside of code blocks, with their lines and without their anchors.
fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    let prose = text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    prose.flat_map(|(at, line)| targets(line).into_iter().map(move |target| (at + 1, target)))
}

fn targets(line: &str) -> Vec<&str> {
    let ends = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    ends.map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains(':'))
        .collect()
}

/// The path from the repository's root that a link of a file means.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let folder = Path::new(from).parent()?.join(target);
    for component in folder.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    // `Path` borrows from `folder`; the result must not.
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: [(&str, &str); 2]) -> Vec<String> {
        check(&Tree::from(files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_link_that_leads_nowhere_is_refused() {
        let text = "[a](docs/a.md#part)\n[b](docs/b.md)\n[out](../x.md)\n";
        assert_eq!(
            found([("README.md", text), ("docs/a.md", "")]),
            [
                "README.md:2: `docs/b.md` leads nowhere [link]",
                "README.md:3: `../x.md` leads nowhere [link]"
            ]
        );
    }

    #[test]
    fn addresses_anchors_and_code_are_left_alone() {
        let text = "[a](https://x.y/z) [b](#here) [c](docs/)\n```\n[d](nowhere.md)\n```\n";
        assert_eq!(found([("README.md", text), ("docs/a.md", "")]), Vec::<String>::new());
    }

    #[test]
    fn a_page_that_the_book_does_not_list_is_refused() {
        assert_eq!(
            found([(CONTENTS, "- [x](x.md)\n"), ("docs/y.md", "")]),
            [
                "docs/SUMMARY.md:1: `x.md` leads nowhere [link]",
                "docs/y.md:1: is not listed in docs/SUMMARY.md [contents]"
            ]
        );
    }
}
