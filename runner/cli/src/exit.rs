//! How the program ends: the exit codes, and the one error that knows its code.

use std::fmt;
use std::process::ExitCode;

use signalbox_core::codes::Code;

use crate::faults::Fault;

/// What the exit code says. The numbers are part of the contract with scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// The run or check failed, or the server refused.
    Failed = 1,
    /// The command line cannot be read.
    Usage = 2,
    /// Files or settings are wrong.
    Configuration = 3,
    /// The machine, the network or the server does not do what is needed.
    Environment = 4,
    /// A fault of Signalbox itself.
    Bug = 70,
}

impl Exit {
    /// `Done` when all is well, else `Failed`.
    pub(crate) fn done_if(well: bool) -> Self {
        if well { Self::Done } else { Self::Failed }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command that could not do its work, with everything a person needs to go on.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// The error code, when it has a page.
    pub(crate) code: Option<Code>,
    /// What went wrong, in one sentence.
    pub(crate) message: String,
    /// One thing to do.
    pub(crate) help: Option<String>,
    /// Faults in files, or in single inputs, that are why.
    pub(crate) faults: Vec<Fault>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, code: None, message: message.into(), help: None, faults: Vec::new() }
    }

    /// The command line names something that cannot be.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The machine, the network or the server is at fault.
    pub(crate) fn environment(message: impl Into<String>) -> Self {
        Self::new(Exit::Environment, message)
    }

    /// Adds the error code.
    pub(crate) fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }

    /// Adds what to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The text of an error with everything under it, in one line: `open the store: disk I/O error`.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // `transparent` errors repeat what they wrap.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
