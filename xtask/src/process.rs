//! The child processes of the automation: cargo and git.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// The cargo that runs this program, or the one on the path.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Whether a program can be started and likes the arguments.
pub(crate) fn works(mut command: Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a command that shares this program's output; gives its exit code on.
pub(crate) fn status(command: &mut Command) -> anyhow::Result<u8> {
    let status = command.status().with_context(|| format!("start {command:?}"))?;
    // A child that a signal ended has no code; shells show such an end as a code over 128.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(130))
}

/// The same, as what `main` returns.
pub(crate) fn exit_code(command: &mut Command) -> anyhow::Result<ExitCode> {
    status(command).map(ExitCode::from)
}

/// Runs a command and takes what it prints.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

/// What `cargo metadata --no-deps` says of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_root: PathBuf,
    pub(crate) target_directory: PathBuf,
}

/// A package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A dependency as declared.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `dev` or `build`; an ordinary one has none.
    pub(crate) kind: Option<String>,
}

/// Asks cargo for the workspace that this program belongs to.
pub(crate) fn metadata() -> anyhow::Result<Metadata> {
    let mut command = cargo();
    command.args(["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&output(&mut command)?).context("read what cargo metadata prints")
}
