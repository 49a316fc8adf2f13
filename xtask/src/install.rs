//! What a step needs of the system, installed where that is allowed and named where it is not.

use std::process::Command;

use anyhow::bail;

use crate::process;

/// Sees to it that a program is there. `package` is what has it on Debian.
pub(crate) fn need(program: &str, package: &str) -> anyhow::Result<()> {
    let is_there = || {
        let mut command = Command::new(program);
        command.arg("--version");
        process::works(command)
    };
    if is_there() {
        return Ok(());
    }
    let install =
        [["apt-get", "update", "--quiet"].as_slice(), &["apt-get", "install", "--yes", package]];
    if is_root() {
        for words in install {
            process::status(Command::new(words[0]).args(&words[1..]))?;
        }
    }
    if is_there() {
        return Ok(());
    }
    bail!("`{program}` is needed; install it with `sudo apt-get install --yes {package}`")
}

/// `/proc/self` belongs to whoever runs this program.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
