//! Measures: builds the binary and the benchmark in release and runs the latter.

use std::process::ExitCode;

use crate::{process, suite};

pub(crate) fn run(json: bool, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let metadata = process::metadata()?;
    let root = metadata.workspace_root.as_path();
    let mut build = process::cargo();
    build.current_dir(root).args(["build", "--release", "--package", "signalbox"]);
    let built = process::status(&mut build)?;
    if built != 0 {
        return Ok(built.into());
    }
    let mut bench = process::cargo();
    bench.current_dir(root).args([
        "run",
        "--release",
        "--quiet",
        "--package",
        "signalbox-bench",
        "--",
    ]);
    bench.args(json.then_some("--json")).args(arguments);
    bench.env(suite::BINARY, metadata.target_directory.join("release").join("signalbox"));
    process::exit_code(&mut bench)
}
