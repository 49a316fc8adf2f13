//! The parts of the documents that are made from code, so that they cannot say anything else.

mod bounds;
mod errors;
mod host;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::finding::Finding;
use crate::process;
use crate::tree::Tree;

/// Every generated file with its content.
fn files() -> Vec<(&'static str, String)> {
    vec![
        ("docs/reference/bounds.md", bounds::page()),
        ("docs/reference/errors.md", errors::page()),
        ("docs/reference/host-functions.md", host::page()),
    ]
}

/// Writes the generated files, or only checks them.
pub(crate) fn run(only_check: bool) -> anyhow::Result<ExitCode> {
    let root = process::metadata()?.workspace_root;
    if only_check {
        let stale = check(&Tree::read(&root)?);
        let mut out = std::io::stdout().lock();
        stale.iter().try_for_each(|finding| writeln!(out, "{finding}"))?;
        return Ok(if stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    for (path, content) in files() {
        std::fs::write(root.join(path), content).with_context(|| format!("write {path}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Every generated file that is not what it would be.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let stale = files().into_iter().filter(|(path, content)| tree.text(path) != Some(content));
    stale
        .map(|(path, _)| {
            Finding::new(path, 1, "generated", "is out of date: `cargo xtask generate`")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_file_that_was_edited_is_found() {
        let (path, content) = files().swap_remove(0);
        let edited = format!("{content}x");
        let all = check(&Tree::default()).len();
        assert_eq!(all, files().len());
        assert_eq!(check(&Tree::from([(path, content.as_str())])).len(), all - 1);
        assert_eq!(check(&Tree::from([(path, edited.as_str())])).len(), all);
    }
}
