//! The runner's own log, on stderr.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How lines are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// One JSON document per line
    Json,
}

/// What is logged unless `SIGNALBOX_LOG` says otherwise.
const DEFAULT: &str = "warn,signalbox=info";

/// Sends the log of this process to stderr.
pub(super) fn install(format: Format) {
    let wanted = std::env::var("SIGNALBOX_LOG").unwrap_or_default();
    let filter = if wanted.is_empty() { DEFAULT } else { &wanted };
    let filter = EnvFilter::builder().parse_lossy(filter);
    let color = match anstream::ColorChoice::global() {
        anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => true,
        anstream::ColorChoice::Never => false,
        anstream::ColorChoice::Auto => {
            std::io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
        }
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A terminal that was closed must not take the runner with it.
        .log_internal_errors(false)
        .with_ansi(color);
    // It fails only when there is one already: then that one is used.
    match format {
        Format::Text => builder.with_target(false).try_init().unwrap_or_default(),
        Format::Json => builder.json().try_init().unwrap_or_default(),
    }
}
