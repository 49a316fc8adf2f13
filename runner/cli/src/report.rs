//! How a command that failed is told to whoever started it.

use std::io;

use signalbox_core::codes::Code;

use crate::exit::{Exit, Failure};
use crate::terminal::{say, style, styled};
use crate::{exit, faults};

/// Says why a command failed. Answers how the process ends.
pub(crate) fn report(error: &anyhow::Error) -> Exit {
    if is_broken_pipe(error) {
        // `signalbox runs | head`: the reader has what it wanted.
        return Exit::Done;
    }
    let Some(failure) = error.downcast_ref::<Failure>() else {
        say(&headline(None, &exit::chain(error.as_ref())));
        return Exit::Environment;
    };
    say(&render(failure));
    failure.exit
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(broken))
}

fn render(failure: &Failure) -> String {
    let mut out = String::new();
    if !failure.faults.is_empty() {
        out.push_str(&faults::render(&failure.faults));
        out.push_str("\n\n");
    }
    out.push_str(&headline(failure.code, &failure.message));
    let more = failure.code.filter(|_| failure.faults.is_empty());
    let more = more.map(|code| format!("`signalbox explain {code}` says more"));
    for line in failure.help.iter().chain(&more) {
        out = format!("{out}\n  {} {line}", styled(style::FAINT, "="));
    }
    out
}

fn headline(code: Option<Code>, message: &str) -> String {
    let label = code.map_or_else(|| "error".to_owned(), |code| format!("error[{code}]"));
    format!("{}: {message}", styled(style::BAD, &label))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(failure: &Failure) -> String {
        anstream::adapter::strip_str(&render(failure)).to_string()
    }

    #[test]
    fn a_failure_says_what_and_what_to_do() {
        let failure = Failure::environment("another process uses /var/lib/signalbox")
            .code(Code::DataInUse)
            .help("stop it, or name another directory with `--data`");
        assert_eq!(
            plain(&failure),
            "error[SB0702]: another process uses /var/lib/signalbox\n  \
             = stop it, or name another directory with `--data`\n  \
             = `signalbox explain SB0702` says more"
        );
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let gone = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(report(&anyhow::Error::new(gone).context("write")), Exit::Done);
    }
}
