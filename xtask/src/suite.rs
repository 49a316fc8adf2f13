//! Runs every test, the end-to-end ones on the real binary included.

use std::path::Path;
use std::process::{Command, ExitCode};

use crate::tree::Tree;
use crate::{install, process};

/// Where the end-to-end tests find the binary.
pub(crate) const BINARY: &str = "SIGNALBOX_BIN";

/// Builds the binary, then runs the tests of the whole workspace.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    // It makes the repositories of the tests.
    install::need("git", "git")?;
    let metadata = process::metadata()?;
    let root = metadata.workspace_root.as_path();
    let mut build = cargo_in(root);
    build.args(["build", "--profile", "ci", "--package", "signalbox"]);
    let built = process::status(&mut build)?;
    if built != 0 {
        return Ok(built.into());
    }
    let binary = metadata.target_directory.join("ci").join("signalbox");
    // The test runner's own summary is to be the last thing that is said, so what it leaves out
    // comes first.
    if arguments.is_empty() && has_examples_in_docs(&Tree::read(root)?) {
        let mut docs = cargo_in(root);
        docs.args(["test", "--profile", "ci", "--workspace", "--doc"]);
        let passed = process::status(docs.env(BINARY, &binary))?;
        if passed != 0 {
            return Ok(passed.into());
        }
    }
    process::exit_code(runner(root).args(arguments).env(BINARY, &binary))
}

/// nextest when it is installed, else what every toolchain has.
fn runner(root: &Path) -> Command {
    let mut probe = process::cargo();
    probe.args(["nextest", "--version"]);
    let mut command = cargo_in(root);
    if process::works(probe) {
        command.args(["nextest", "run", "--cargo-profile", "ci"]);
        command.args(["--workspace", "--all-targets", "--no-fail-fast"]);
    } else {
        command.args(["test", "--profile", "ci", "--workspace", "--all-targets", "--no-fail-fast"]);
        command.arg("--");
    }
    command
}

fn cargo_in(root: &Path) -> Command {
    let mut command = process::cargo();
    command.current_dir(root);
    command
}

/// Whether a library has code in its documentation that is to be run. Asking rustdoc would cost a
/// build of each crate's documentation.
fn has_examples_in_docs(tree: &Tree) -> bool {
    let fences = ["/// ```\n", "//! ```\n", "/// ```rust", "//! ```rust", "/// ```should_panic"];
    tree.ending(".rs").any(|(path, text)| {
        path.contains("/src/") && !path.starts_with("xtask/") && opens_code(text, &fences)
    })
}

/// A closing fence looks like an opening one without a language: only every other one opens.
fn opens_code(text: &str, fences: &[&str]) -> bool {
    let lines = text.split_inclusive('\n').map(str::trim_start);
    let mut of_fences =
        lines.filter(|line| line.starts_with("/// ```") || line.starts_with("//! ```"));
    while let Some(open) = of_fences.next() {
        if fences.iter().any(|fence| open.starts_with(fence)) {
            return true;
        }
        of_fences.next();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_that_rustdoc_would_run_counts() {
        let docs = |text: &str| has_examples_in_docs(&Tree::from([("a/src/x.rs", text)]));
        assert!(docs("/// Adds.\n/// ```\n/// add();\n/// ```\n"));
        assert!(docs(
            "    /// ```text\n    /// a\n    /// ```\n/// ```rust\n/// add();\n/// ```\n"
        ));
        assert!(!docs("/// ```text\n/// a picture\n/// ```\n"));
        assert!(!docs("fn a() {}\n"));
    }
}
