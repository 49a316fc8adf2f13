//! The program's mouth: stdout is data, stderr is talk, colour only where somebody sees it.

use std::io::{self, IsTerminal as _, Write as _};

use clap::builder::styling::{AnsiColor, Style};
use serde_json::Value;

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Decides about colour for the rest of the process.
pub(crate) fn set_color(color: Color) {
    let choice = match color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// Prints one line, or several, of data.
pub(crate) fn data(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Prints one JSON document, for people who read JSON too.
pub(crate) fn json(document: &Value) -> io::Result<()> {
    data(&format!("{document:#}"))
}

/// Prints one JSON document on one line, as one of many.
pub(crate) fn json_line(document: &Value) -> io::Result<()> {
    data(&document.to_string())
}

/// Says something to whoever watches. That nobody can hear it is no reason to fail.
pub(crate) fn say(text: &str) {
    let mut err = anstream::stderr().lock();
    let spoken = err.write_all(text.as_bytes()).and_then(|()| err.write_all(b"\n"));
    spoken.and_then(|()| err.flush()).unwrap_or_default();
}

/// The width that tables may take: that of the terminal behind stdout, `None` when data goes to a
/// file or a pipe, where nothing is to be folded.
pub(crate) fn width() -> Option<u16> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    rustix::termios::tcgetwinsize(&out).ok().map(|size| size.ws_col).filter(|width| *width >= 40)
}

/// Whether somebody can be asked: stdin and stderr are a terminal.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// The styles, by what they mean.
pub(crate) mod style {
    use super::{AnsiColor, Style};

    pub(crate) const STRONG: Style = Style::new().bold();
    pub(crate) const FAINT: Style = Style::new().dimmed();
    pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
    pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
    pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().bold();
    pub(crate) const BUSY: Style = AnsiColor::Cyan.on_default();
}

/// Some text in a style.
pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// How a state, an outcome or a decision is shown.
pub(crate) fn style_of(word: &str) -> Style {
    match word {
        "succeeded" | "deployed" | "allowed" | "live" | "ok" => style::GOOD,
        "failed" | "rejected" | "refused" | "fail" | "error" | "behind" | "not live" => style::BAD,
        "held" | "superseded" | "cancelled" | "pinned" | "rolled_back" | "warn" => style::WARN,
        "running" | "queued" | "suspended" => style::BUSY,
        _ => Style::new(),
    }
}
