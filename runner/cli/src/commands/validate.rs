//! `signalbox validate`

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use signalbox_core::diagnostic::Diagnostic;
use signalbox_engine::validate::{Report, Tree};
use signalbox_sync::{Location, Source, WorkingFolder};

use crate::client::block_on;
use crate::exit::{Exit, Failure};
use crate::faults::{self, Fault};
use crate::runner::{cell_program, engine_failure, source_failure};
use crate::table::{self, Column};
use crate::terminal;

/// Check a repository as the runner would, without one
///
/// Lists every fault of every file with its line and what to do about it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox validate                      the files as they are now, committed or not
  signalbox validate --rev main           a commit, branch or tag
  signalbox validate --json | jq .ok

The exit code is 0 when the runner would take it, warnings included, and 3 otherwise.")]
pub(crate) struct Args {
    /// The repository's folder
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Check a commit, branch or tag instead of the files as they are now
    #[arg(long)]
    rev: Option<String>,
    /// Folder inside the repository that holds signalbox.yaml
    #[arg(long, value_name = "SUBDIR", env = "SIGNALBOX_ROOT", hide_env_values = true)]
    root: Option<PathBuf>,
    /// A root manifest that stands in for the repository's own
    #[arg(long, value_name = "FILE", env = "SIGNALBOX_MANIFEST", hide_env_values = true)]
    manifest: Option<PathBuf>,
    /// Print JSON: { ok, workspaces, diagnostics }
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let tree = open(args)?;
    block_on(async {
        let work =
            signalbox_engine::validate::validate(tree, args.manifest.clone(), cell_program());
        let report = work.await.map_err(|error| engine_failure(&error))?;
        let ok = !report.diagnostics.iter().any(Diagnostic::is_error);
        if args.json {
            terminal::json(&document(&report, ok))?;
        } else {
            show(&report, ok)?;
        }
        Ok(if ok { Exit::Done } else { Exit::Configuration })
    })
}

fn open(args: &Args) -> Result<Tree, Failure> {
    let root = args.root.as_ref().map(|root| root.to_string_lossy()).unwrap_or_default();
    if let Some(rev) = &args.rev {
        let opened = Location::parse(&args.path.to_string_lossy())
            .and_then(|location| Source::open(&location, None, &root))
            .and_then(|source| Ok((source.resolve(rev)?, source)));
        let (revision, source) = opened.map_err(|error| source_failure(&error))?;
        return Ok(Tree::Revision(Arc::new(source), revision));
    }
    let folder = match &args.root {
        Some(root) => args.path.join(root),
        None => args.path.clone(),
    };
    let folder = WorkingFolder::open(folder).map_err(|error| source_failure(&error))?;
    Ok(Tree::Folder(Arc::new(folder)))
}

fn document(report: &Report, ok: bool) -> Value {
    let workspaces: Vec<_> = report
        .workspaces
        .iter()
        .map(|(name, kind, flows)| json!({ "name": name, "kind": kind.as_str(), "flows": flows }))
        .collect();
    let diagnostics: Vec<_> = report.diagnostics.iter().map(Diagnostic::to_json).collect();
    json!({ "ok": ok, "workspaces": workspaces, "diagnostics": diagnostics })
}

fn show(report: &Report, ok: bool) -> std::io::Result<()> {
    let found: Vec<Fault> = report.diagnostics.iter().map(Fault::from).collect();
    if !found.is_empty() {
        terminal::data(&faults::render(&found))?;
    }
    if !ok {
        return Ok(());
    }
    let columns = [Column::Whole("WORKSPACE"), Column::Whole("KIND"), Column::Number("FLOWS")];
    let row = |(name, kind, flows): &(_, signalbox_core::catalog::Kind, usize)| {
        vec![ToString::to_string(name), kind.as_str().to_owned(), flows.to_string()]
    };
    let rows: Vec<Vec<String>> = report.workspaces.iter().map(row).collect();
    table::print(&columns, &rows, "nothing to check: the root manifest names no workspace")?;
    terminal::say("no fault");
    Ok(())
}
