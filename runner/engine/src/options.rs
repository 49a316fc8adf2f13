//! What an engine is started with, and how its operations fail.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signalbox_core::clock::Clock;
use signalbox_core::codes::Code;
use signalbox_core::inputs::Fault;
use signalbox_core::isolation::Level;
use signalbox_store::Store;

/// What an engine is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where definitions come from.
    pub source: Arc<signalbox_sync::Source>,
    /// Name of the source in deployments: the repository's path or URL.
    pub source_name: String,
    /// A root manifest on the host that stands in for the repository's own.
    pub manifest: Option<PathBuf>,
    /// The data directory; the key that seals secrets is in it.
    pub data: PathBuf,
    /// What the runner remembers.
    pub store: Arc<dyn Store>,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// The program that is started as a cell, with its first arguments: the runner's own binary
    /// and its hidden subcommand.
    pub cell: (PathBuf, Vec<String>),
    /// The isolation level below which no script is evaluated.
    pub isolation: Level,
    /// How often a source that cannot be watched is looked at.
    pub poll: Duration,
    /// How long an orderly stop waits for runs that are being evaluated.
    pub grace: Duration,
    /// Ports on this machine that no effect may reach, whatever is granted: the runner's own.
    pub own_ports: Vec<u16>,
}

/// An operation of the engine that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is refused; the caller can change that.
    #[error("{}", .0.message)]
    Refused(Refused),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] signalbox_store::Error),
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] signalbox_sync::Error),
    /// The engine is stopping.
    #[error("answer: the runner is stopping")]
    Stopping,
    /// Something of the host failed: a process, a file, a timer.
    #[error("{what}")]
    Host {
        /// What was tried.
        what: String,
        /// How it failed.
        #[source]
        source: std::io::Error,
    },
}

/// A request that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its error code.
    pub code: Code,
    /// Why, for people.
    pub message: String,
    /// Faults of single inputs, when they are why.
    pub faults: Vec<Fault>,
}

impl Error {
    /// A refusal with a code and a reason.
    pub fn refused(code: Code, message: impl Into<String>) -> Self {
        Self::Refused(Refused { code, message: message.into(), faults: Vec::new() })
    }

    /// Whether trying again cannot help.
    pub(crate) fn is_permanent(&self) -> bool {
        use signalbox_store::Error as Store;
        matches!(self, Self::Store(Store::NotFound(_) | Store::Corrupt(_)))
    }

    /// The code to show for it.
    pub fn code(&self) -> Code {
        match self {
            Self::Refused(refused) => refused.code,
            Self::Store(signalbox_store::Error::NotFound(_)) => Code::NotFound,
            Self::Store(_) => Code::StoreFailed,
            Self::Source(_) => Code::SourceUnreachable,
            Self::Stopping => Code::ShuttingDown,
            Self::Host { .. } => Code::Internal,
        }
    }
}
