//! The command.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signalbox_core::ids::FlowRef;

use super::inputs::{gather, parse_pair};
use crate::client::{Client, Connect, Request, block_on};
use crate::commands::show;
use crate::commands::sync::MAX_WAIT;
use crate::exit::{Exit, Failure};
use crate::fields::text;
use crate::terminal;

/// Without a limit of its own, `--wait` waits for so many seconds: as good as for ever.
const FOREVER: &str = "31536000";

/// Start a flow
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox run homeops-media/scan
  signalbox run homeops-platform/monitoring/alert-dispatcher \\
      --input severity=high --input 'message=disk is full' --wait
  signalbox run media/scan --inputs @inputs.json --json
  echo '{\"n\": 3}' | signalbox run media/scan --inputs -

Prints the id of the run. The value of an --input is read as JSON when it is JSON, and as text when
it is not; to give the text 3, write --input 'n=\"3\"'. With --wait, the exit code is 0 when the run
succeeded and 1 otherwise.")]
pub(crate) struct Args {
    /// The flow, in full
    #[arg(value_name = "WORKSPACE/FLOW")]
    flow: FlowRef,
    /// One input; may be given several times
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    input: Vec<(String, Value)>,
    /// All inputs as a JSON object: the text itself, @FILE, or - for stdin
    #[arg(long, value_name = "JSON")]
    inputs: Option<String>,
    /// Wait until the run has ended, at most so long
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = FOREVER,
    )]
    wait: Option<u64>,
    /// Start only one run, however often this is sent with the same key and inputs
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Print JSON: the run whole with --wait, its id otherwise
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let inputs = gather(args.inputs.as_deref(), &args.input)?;
    block_on(async {
        let client = Client::open(&args.connect)?;
        let answer = start(args, &client, inputs).await?;
        let Some(wait) = args.wait else {
            if args.json {
                terminal::json(&answer)?;
            } else {
                terminal::data(text(&answer, "/id"))?;
            }
            return Ok(Exit::Done);
        };
        let ended = wait_for(&client, answer, Duration::from_secs(wait)).await?;
        if args.json {
            terminal::json(&ended)?;
        } else {
            terminal::data(&show::summary(&ended))?;
        }
        Ok(Exit::done_if(text(&ended, "/state") == "succeeded"))
    })
}

async fn start(args: &Args, client: &Client, inputs: Value) -> Result<Value, Failure> {
    let FlowRef { workspace, flow } = &args.flow;
    let path = format!("/workspaces/{workspace}/flows/{flow}/runs");
    let mut body = json!({ "inputs": inputs });
    if let Some(key) = &args.idempotency_key {
        body["idempotency_key"] = key.as_str().into();
    }
    let wait = args.wait.map(|wait| wait.min(MAX_WAIT));
    let request = Request::post(&path, body).with_some("wait", wait.as_ref());
    client.send(request.waits(Duration::from_secs(wait.unwrap_or(0)))).await
}

/// Looks at a run until it has ended: often at first, later once a second.
async fn wait_for(client: &Client, mut run: Value, limit: Duration) -> Result<Value, Failure> {
    let begun = Instant::now();
    let id = text(&run, "/id").to_owned();
    let mut path = format!("/runs/{id}");
    let mut pause = Duration::from_millis(20);
    loop {
        if is_terminal(&run) {
            // A run that another one continues ends with that one.
            match text(&run, "/successor") {
                "" => return Ok(run),
                successor => path = format!("/runs/{successor}"),
            }
        }
        if begun.elapsed() >= limit {
            let failure = Failure::new(Exit::Failed, format!("run {id} has not ended in time"));
            return Err(failure.help(format!("it goes on: `signalbox show {id}`")));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
        run = client.send(Request::get(&path)).await?;
    }
}

fn is_terminal(run: &Value) -> bool {
    let state = text(run, "/state").parse::<signalbox_core::run::State>();
    state.is_ok_and(signalbox_core::run::State::is_terminal)
}
