//! The composition root: store, source, engine and server put together.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use signalbox_core::codes::Code;
use signalbox_core::isolation::Level;
use signalbox_engine::{Engine, Handle};
use signalbox_server::{Server, TokenDigest};
use signalbox_store::sqlite::{self, SqliteStore};
use signalbox_sync::{Location, Source};

use crate::cell;
use crate::exit::{Exit, Failure, chain};
use crate::memory;
use crate::moment::SystemClock;

/// The file in the data directory that holds the digest of the token.
pub(crate) const TOKEN_FILE: &str = "token.sha256";
/// How long an orderly stop waits for runs that are being evaluated.
const GRACE: Duration = Duration::from_secs(5);

/// Where a runner keeps what it remembers.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Data {
    /// Directory for everything the runner remembers [default: `signalbox` below
    /// `$XDG_STATE_HOME` or `~/.local/state`]
    #[arg(long, value_name = "DIR", env = "SIGNALBOX_DATA", hide_env_values = true)]
    pub(crate) data: Option<PathBuf>,
}

impl Data {
    /// The directory that is meant.
    pub(crate) fn directory(&self) -> Result<PathBuf, Failure> {
        if let Some(data) = &self.data {
            return Ok(data.clone());
        }
        let absolute = |name: &str| {
            std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
        };
        let state = absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
        let state = state.ok_or_else(|| {
            Failure::new(Exit::Configuration, "no home directory to keep the runner's data in")
                .help("name a directory with `--data`")
        })?;
        Ok(state.join("signalbox"))
    }
}

/// What a runner is started with.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// The repository: a path or a `file://` URL.
    pub(crate) repo: String,
    /// The branch to follow; that of the repository's HEAD when not given.
    pub(crate) branch: Option<String>,
    /// Folder inside the repository to look from; empty for all of it.
    pub(crate) root: String,
    /// A root manifest on the host that stands in for the repository's own.
    pub(crate) manifest: Option<PathBuf>,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// Where the server listens.
    pub(crate) listen: SocketAddr,
    /// How often the source is looked at.
    pub(crate) poll: Duration,
    /// The isolation level below which no script is evaluated.
    pub(crate) isolation: Level,
}

/// A running runner. Must be stopped with [`Runner::run`].
#[derive(Debug)]
pub(crate) struct Runner {
    engine: Engine,
    server: Server,
}

impl Runner {
    /// Opens everything and starts it. It answers requests once [`Runner::run`] is polled; the
    /// first look at the source may still be under way.
    pub(crate) async fn start(options: Options) -> Result<Self, Failure> {
        memory::keep()?;
        let location = Location::parse(&options.repo).map_err(|error| source_failure(&error))?;
        let source = Source::open(&location, options.branch.as_deref(), &options.root)
            .map_err(|error| source_failure(&error))?;
        let token = read_token_digest(&options.data)?;
        let clock = Arc::new(SystemClock);
        let store = SqliteStore::open(&options.data, sqlite::Options { clock: clock.clone() })
            .map_err(|error| store_failure(&error))?;
        let engine = Engine::start(signalbox_engine::Options {
            source: Arc::new(source),
            source_name: location.to_string(),
            manifest: options.manifest,
            data: options.data,
            store: Arc::new(store),
            clock,
            cell: cell_program(),
            poll: options.poll,
            isolation: options.isolation,
            grace: GRACE,
            // Runs may begin before the server does. A port that is chosen later is added then.
            own_ports: vec![options.listen.port()],
        });
        let engine = engine.await.map_err(|error| engine_failure(&error))?;
        let version = env!("CARGO_PKG_VERSION");
        let server = signalbox_server::Options { listen: options.listen, token, version };
        match Server::bind(server, engine.handle()) {
            Ok(server) => Ok(Self { engine, server }),
            Err(error) => {
                let failure = server_failure(&error);
                engine.stop().await.map_err(|error| engine_failure(&error))?;
                Err(failure)
            }
        }
    }

    /// The engine's handle.
    pub(crate) fn handle(&self) -> Handle {
        self.engine.handle()
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Answers requests until `shutdown` resolves, then stops in order.
    pub(crate) async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Failure> {
        let Self { engine, server } = self;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopping = async move {
            shutdown.await;
            drop(stop);
        };
        // Both at once: streams of events end when the engine stops, and the server waits for them.
        let engine_end = async {
            // The sender is dropped when the stop begins.
            drop(stopped.await);
            engine.stop().await.map_err(|error| engine_failure(&error))
        };
        let ((), ended) = tokio::join!(server.run(stopping), engine_end);
        ended
    }
}

/// The program that is started as a cell: this one, even when its file was replaced meanwhile.
pub(crate) fn cell_program() -> (PathBuf, Vec<String>) {
    let running = PathBuf::from("/proc/self/exe");
    let program = if running.exists() {
        running
    } else {
        std::env::current_exe().unwrap_or_else(|_| PathBuf::from("signalbox"))
    };
    (program, vec![cell::SUBCOMMAND.to_owned()])
}

/// The digest of the token that clients must show; `None` when there is no file. One that cannot be
/// read is an error, never the absence of a token.
pub(crate) fn read_token_digest(data: &Path) -> Result<Option<TokenDigest>, Failure> {
    let file = data.join(TOKEN_FILE);
    let broken = |why: String| {
        let message = format!("cannot read the token's digest in {}: {why}", file.display());
        Failure::new(Exit::Configuration, message).help("`signalbox token new` writes a new one")
    };
    match std::fs::read_to_string(&file) {
        Ok(text) => text.trim().parse().map(Some).map_err(|error| broken(format!("{error}"))),
        // A data directory that is none is told by the store, which looks next.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(broken(error.to_string())),
    }
}

/// A source that cannot be used: exit 3 when the configuration is wrong, 4 when the machine is.
pub(crate) fn source_failure(error: &signalbox_sync::Error) -> Failure {
    let exit = if error.is_temporary() { Exit::Environment } else { Exit::Configuration };
    Failure::new(exit, format!("failed to {}", chain(error))).code(error.code())
}

/// A data directory that cannot be used, or a database that fails.
pub(crate) fn store_failure(error: &signalbox_store::Error) -> Failure {
    use signalbox_store::Error;
    let failure = Failure::environment(format!("failed to {}", chain(error)));
    match error {
        Error::Newer { .. } => failure
            .code(Code::DataNewer)
            .help("use the newer version, or name another directory with `--data`"),
        Error::InUse(_) => failure
            .code(Code::DataInUse)
            .help("is another `signalbox serve` running? stop it, or name another `--data`"),
        Error::Unusable { .. } => {
            failure.code(Code::DataUnusable).help("name another directory with `--data`")
        }
        _ => failure.code(Code::StoreFailed),
    }
}

/// An engine that could not start or stop.
pub(crate) fn engine_failure(error: &signalbox_engine::Error) -> Failure {
    match error {
        signalbox_engine::Error::Store(error) => store_failure(error),
        signalbox_engine::Error::Source(error) => source_failure(error),
        signalbox_engine::Error::Refused(refused) if refused.code == Code::IsolationTooWeak => {
            Failure::environment(refused.message.clone()).code(refused.code).help(
                "`signalbox doctor` says more, and docs/operations/isolation.md what L3 needs",
            )
        }
        signalbox_engine::Error::Refused(refused) => {
            Failure::new(Exit::Configuration, refused.message.clone()).code(refused.code)
        }
        other => Failure::environment(format!("failed to {}", chain(other))).code(other.code()),
    }
}

fn server_failure(error: &signalbox_server::Error) -> Failure {
    let failure = Failure::environment(format!("failed to {}", chain(error)));
    match error {
        signalbox_server::Error::TokenNeeded(_) => Failure { exit: Exit::Configuration, ..failure }
            .help("make a token with `signalbox token new`, or listen on 127.0.0.1"),
        signalbox_server::Error::Listen { .. } => {
            failure.help("is the port taken? `--listen` names another address")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_errors_have_their_codes_and_are_the_environments_fault() {
        let dir = PathBuf::from("/data");
        let unusable =
            signalbox_store::Error::Unusable { path: dir.clone(), reason: "no locks".to_owned() };
        for (error, code) in [
            (signalbox_store::Error::Newer { found: 9, known: 1 }, Code::DataNewer),
            (signalbox_store::Error::InUse(dir), Code::DataInUse),
            (unusable, Code::DataUnusable),
        ] {
            let failure = store_failure(&error);
            assert_eq!((failure.exit, failure.code), (Exit::Environment, Some(code)));
            assert!(failure.help.is_some());
        }
    }

    #[test]
    fn the_cells_program_exists() {
        assert!(cell_program().0.exists());
    }
}
