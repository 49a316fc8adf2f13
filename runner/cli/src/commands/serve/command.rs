//! The command.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::isolation::Level;
use signalbox_engine::{Handle, SyncReport};
use signalbox_sync::hints::HintKind;

use super::{logging, signals};
use crate::exit::{Exit, Failure};
use crate::faults::{self, Fault};
use crate::fields::short;
use crate::moment;
use crate::progress::Progress;
use crate::runner::{Data, Options, Runner};
use crate::terminal::{say, style, styled};

/// How long to be ready waits for the first look at the source.
const FIRST_LOOK: Duration = Duration::from_secs(10);

/// Run the automation of a repository
///
/// Makes it live, follows its commits, fires its schedules and answers requests.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox serve --repo .                                  the repository in this folder
  signalbox serve --repo /srv/git/homeops.git --branch main
  signalbox serve --repo . --listen 0.0.0.0:8742            needs a token: `signalbox token new`

Ctrl-C or SIGTERM stops it in order: runs that are evaluated may end, the others go on at the next
start. A second signal stops it at once; nothing that was accepted is lost.")]
pub(crate) struct Args {
    /// The repository: a folder or a file:// URL
    #[arg(long, value_name = "PATH_OR_URL", env = "SIGNALBOX_REPO", hide_env_values = true)]
    repo: String,
    /// The branch to follow [default: the one that the repository's HEAD names]
    #[arg(long, env = "SIGNALBOX_BRANCH", hide_env_values = true)]
    branch: Option<String>,
    /// Folder inside the repository that holds signalbox.yaml [default: the whole repository]
    #[arg(long, value_name = "SUBDIR", env = "SIGNALBOX_ROOT", hide_env_values = true)]
    root: Option<String>,
    /// A root manifest on this machine that stands in for the repository's own
    #[arg(long, value_name = "FILE", env = "SIGNALBOX_MANIFEST", hide_env_values = true)]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
    /// Address to listen on; anything beyond this machine needs a token
    #[arg(
        long,
        value_name = "ADDR",
        env = "SIGNALBOX_LISTEN",
        hide_env_values = true,
        default_value = "127.0.0.1:8742"
    )]
    listen: SocketAddr,
    /// How often to look at the source
    #[arg(
        long,
        value_name = "TIME",
        env = "SIGNALBOX_POLL",
        hide_env_values = true,
        default_value = "2s",
        value_parser = parse_poll
    )]
    poll: Duration,
    /// Do not start unless scripts can be walled in at this isolation level: L1, L2 or L3
    #[arg(
        long,
        value_name = "LEVEL",
        env = "SIGNALBOX_REQUIRE_ISOLATION",
        hide_env_values = true,
        default_value = "L1"
    )]
    require_isolation: Level,
    /// How the runner's own log on stderr is written
    #[arg(
        long,
        value_name = "FORMAT",
        env = "SIGNALBOX_LOG_FORMAT",
        hide_env_values = true,
        default_value = "text"
    )]
    log_format: logging::Format,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    logging::install(args.log_format);
    let options = Options {
        repo: args.repo.clone(),
        branch: args.branch.clone(),
        root: args.root.clone().unwrap_or_default(),
        manifest: args.manifest.clone(),
        data: args.data.directory()?,
        listen: args.listen,
        poll: args.poll,
        isolation: args.require_isolation,
    };
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.clamp(2, 4))
        .enable_all()
        .build()?;
    let ended = runtime.block_on(serve(options));
    // Whatever still runs after a second signal is left: the store is safe at every moment.
    runtime.shutdown_background();
    ended
}

async fn serve(options: Options) -> anyhow::Result<Exit> {
    let signals = signals::Signals::install()?;
    let (first, second) = signals.split();
    let repo = options.repo.clone();
    let data = options.data.display().to_string();
    let orderly = async {
        let runner = Runner::start(options).await?;
        let (handle, address) = (runner.handle(), runner.address());
        let greeting = tokio::spawn(async move {
            greet(&handle, &repo, &data).await;
            say(&format!("signalbox is ready at http://{address}"));
        });
        let ended = runner
            .run(async {
                first.await;
                say("stopping; a second signal stops at once");
            })
            .await;
        greeting.abort();
        ended
    };
    tokio::select! {
        ended = orderly => ended.map(|()| Exit::Done).map_err(Failure::into),
        () = second => Ok(Exit::Failed),
    }
}

/// Says what is served and what of it is live, after the first look at the source.
async fn greet(handle: &Handle, repo: &str, data: &str) {
    let looking = handle.clone();
    let progress = Progress::show(move |time| reading(looking.looked_at(), time));
    let look = handle.sync(HintKind::Start, Some(FIRST_LOOK)).await;
    drop(progress);
    say(&format!("{} {}", styled(style::STRONG, "signalbox"), env!("CARGO_PKG_VERSION")));
    let head = handle.live().head.clone();
    let head = head.map_or_else(|| "no commit yet".to_owned(), |head| short(head.as_str()));
    say(&format!("  repository  {repo} at {head}"));
    say(&format!("  data        {data}"));
    if let Some(level) = handle.isolation() {
        say(&format!("  isolation   L{level}"));
    }
    match look {
        Ok(Some(report)) => say(&summary(handle, &report)),
        Ok(None) => say("  the first look at the source is still under way"),
        Err(error) => say(&format!("  the source cannot be read: {error}")),
    }
}

/// How far the first look is.
fn reading((checked, of): (usize, usize), time: Duration) -> String {
    let seconds = time.as_secs();
    match of {
        0 => format!("reading the repository, {seconds} s"),
        _ => format!("reading and checking: {checked} of {of} workspaces, {seconds} s"),
    }
}

fn summary(handle: &Handle, report: &SyncReport) -> String {
    let live: Vec<_> = handle.live().info.keys().map(ToString::to_string).collect();
    let (good, bad): (Vec<_>, Vec<_>) =
        report.workspaces.iter().partition(|outcome| outcome.is_good());
    let mut out = match live.len() {
        0 => "  workspaces  none live".to_owned(),
        count => format!("  workspaces  {count} live: {}", live.join(", ")),
    };
    for outcome in bad {
        let word = styled(style::BAD, outcome.outcome.as_str());
        out = format!("{out}\n              {} {word}", outcome.workspace);
    }
    let all = report.root_faults.iter();
    let all = all.chain(report.workspaces.iter().flat_map(|outcome| &outcome.diagnostics));
    let found: Vec<Fault> =
        all.filter(|fault| Diagnostic::is_error(fault)).map(Fault::from).collect();
    if !found.is_empty() {
        out = format!("{out}\n\n{}\n", faults::render(&found));
    }
    drop(good);
    out
}

fn parse_poll(text: &str) -> Result<Duration, String> {
    let poll = moment::parse_duration(text)?;
    if poll < Duration::from_millis(100) {
        return Err("at least 100ms".to_owned());
    }
    Ok(poll)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_the_first_look_is_counts_workspaces_once_they_are_known() {
        let time = Duration::from_secs(3);
        assert_eq!(reading((0, 0), time), "reading the repository, 3 s");
        assert_eq!(reading((12, 40), time), "reading and checking: 12 of 40 workspaces, 3 s");
    }
}
