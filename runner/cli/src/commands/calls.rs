//! `signalbox calls`

use clap::ValueEnum;
use serde_json::Value;
use signalbox_core::WorkspaceName;
use signalbox_core::clock::Clock as _;

use crate::client::{Client, Connect, block_on};
use crate::exit::Exit;
use crate::fields::{number, or_dash, text};
use crate::moment::{self, SystemClock};
use crate::table::{self, Column};
use crate::terminal;

/// List what the broker decided, refusals included
///
/// Who called whom, by which rule it was let through or refused, and how long it took.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox calls                                newest decisions
  signalbox calls --decision refused             only what was refused
  signalbox calls -w homeops-financial --json    with this workspace on either side, as JSON")]
pub(crate) struct Args {
    /// Only calls with this workspace on either side
    #[arg(short, long, value_name = "WS", env = "SIGNALBOX_WORKSPACE", hide_env_values = true)]
    workspace: Option<WorkspaceName>,
    /// Only these decisions
    #[arg(long)]
    decision: Option<Decision>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Decision {
    Allowed,
    Refused,
}

impl Decision {
    fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    block_on(async {
        let filter = [
            ("workspace", args.workspace.as_ref().map(ToString::to_string)),
            ("decision", args.decision.map(|decision| decision.as_str().to_owned())),
        ];
        let calls = Client::open(&args.connect)?.list("/calls", &filter, args.limit).await?;
        if args.json {
            terminal::json(&Value::Array(calls))?;
            return Ok(Exit::Done);
        }
        let columns = [
            Column::Whole("WHEN"),
            Column::Word("DECISION"),
            Column::Path("CALLER"),
            Column::Path("TARGET"),
            Column::Text("RULE"),
            Column::Number("TOOK"),
        ];
        let rows: Vec<_> = calls.iter().map(row).collect();
        table::print(&columns, &rows, "no call was made yet")?;
        Ok(Exit::Done)
    })
}

fn row(call: &Value) -> Vec<String> {
    vec![
        moment::relative_text(text(call, "/at"), SystemClock.now()),
        or_dash(call, "/decision"),
        flow(call, "/caller"),
        target(call),
        or_dash(call, "/rule"),
        number(call, "/latency_ms").map_or_else(|| "-".to_owned(), moment::measured),
    ]
}

fn flow(call: &Value, side: &str) -> String {
    let part = |field: &str| text(call, &format!("{side}/{field}"));
    match (part("workspace"), part("flow")) {
        ("", "") => "-".to_owned(),
        ("", flow) => flow.to_owned(),
        (workspace, "") => workspace.to_owned(),
        (workspace, flow) => format!("{workspace}/{flow}"),
    }
}

/// A service is named as callers name it; anything else as the flow that it is.
fn target(call: &Value) -> String {
    match (text(call, "/target/service"), number(call, "/target/version")) {
        ("", _) => match flow(call, "/target").as_str() {
            "-" => or_dash(call, "/target/name"),
            flow => flow.to_owned(),
        },
        (service, Some(version)) => format!("{service}@{version}"),
        (service, None) => service.to_owned(),
    }
}
