//! Rules that matter are checks: each module is one rule, a function from the repository's files
//! to what it finds. A finding can be waived in `xtask/waivers.toml`, with a reason.

mod budget;
mod codes;
mod cycles;
mod invariants;
mod layers;
mod links;
mod names;
mod paths;
mod source;
mod waivers;

use std::io::Write as _;
use std::process::ExitCode;

use crate::tree::Tree;
use crate::{generate, process};

/// Runs every check and prints what they find.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let metadata = process::metadata()?;
    let tree = Tree::read(&metadata.workspace_root)?;
    let rules: [fn(&Tree) -> _; 8] = [
        budget::check,
        codes::check,
        cycles::check,
        generate::check,
        invariants::check,
        links::check,
        names::check,
        paths::check,
    ];
    let mut findings: Vec<_> = rules.iter().flat_map(|rule| rule(&tree)).collect();
    findings.extend(layers::check(&tree, &metadata));
    let findings = waivers::apply(&tree, findings);
    let mut out = std::io::stdout().lock();
    findings.iter().try_for_each(|finding| writeln!(out, "{finding}"))?;
    let files = tree.all().count();
    writeln!(out, "check: {files} files, {} findings", findings.len())?;
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
