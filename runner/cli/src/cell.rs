//! The hidden subcommand that makes this process a cell.

use std::ffi::OsString;
use std::process::ExitCode;

use signalbox_cell::Options;

use crate::exit::Exit;

/// Its name.
pub(crate) const SUBCOMMAND: &str = "__cell";

/// Whether the process is to be a cell; then it is one to its end. `arguments` are those of the
/// process, its name first.
pub(crate) fn run(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    if arguments.nth(1)? != SUBCOMMAND {
        return None;
    }
    let arguments: Option<Vec<String>> =
        arguments.map(|argument| argument.into_string().ok()).collect();
    let Some(options) = arguments.as_deref().and_then(options) else {
        return Some(Exit::Usage.into());
    };
    Some(signalbox_cell::run(&options))
}

/// The arguments: `--memory BYTES --isolation LEVEL`.
fn options(arguments: &[String]) -> Option<Options> {
    match arguments {
        [memory, bytes, isolation, least] if memory == "--memory" && isolation == "--isolation" => {
            Some(Options { memory: bytes.parse().ok()?, least: least.parse().ok()? })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use signalbox_core::isolation::Level;

    use super::*;

    fn run_with(arguments: &[&str]) -> Option<ExitCode> {
        run(arguments.iter().map(OsString::from))
    }

    #[test]
    fn only_the_hidden_subcommand_is_a_cell_and_only_with_its_bounds() {
        assert!(run_with(&["signalbox"]).is_none());
        assert!(run_with(&["signalbox", "status", SUBCOMMAND]).is_none());
        let usage = Some(ExitCode::from(Exit::Usage));
        let weak = ["--memory", "1024", "--isolation", "L0"];
        for wrong in [&["--memory"][..], &["--memory", "much"], &["--other", "1"], &[], &weak] {
            let arguments = [&["signalbox", SUBCOMMAND], wrong].concat();
            assert_eq!(run_with(&arguments), usage, "{wrong:?}");
        }
        let right = ["--memory", "1024", "--isolation", "L2"].map(str::to_owned);
        assert_eq!(options(&right), Some(Options { memory: 1024, least: Level::L2 }));
    }
}
