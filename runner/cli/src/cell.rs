//! The hidden subcommand that makes this process a cell.

use std::ffi::OsString;
use std::process::ExitCode;

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
    let Some(memory) = arguments.as_deref().and_then(memory) else {
        return Some(Exit::Usage.into());
    };
    Some(signalbox_cell::run(&signalbox_cell::Options { memory }))
}

/// The one argument: `--memory BYTES`.
fn memory(arguments: &[String]) -> Option<u64> {
    match arguments {
        [name, bytes] if name == "--memory" => bytes.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_with(arguments: &[&str]) -> Option<ExitCode> {
        run(arguments.iter().map(OsString::from))
    }

    #[test]
    fn only_the_hidden_subcommand_is_a_cell_and_only_with_its_bound() {
        assert!(run_with(&["signalbox"]).is_none());
        assert!(run_with(&["signalbox", "status", SUBCOMMAND]).is_none());
        let usage = Some(ExitCode::from(Exit::Usage));
        for wrong in [&["--memory"][..], &["--memory", "much"], &["--other", "1"], &[]] {
            let arguments = [&["signalbox", SUBCOMMAND], wrong].concat();
            assert_eq!(run_with(&arguments), usage, "{wrong:?}");
        }
        assert_eq!(memory(&["--memory".to_owned(), "1024".to_owned()]), Some(1024));
    }
}
