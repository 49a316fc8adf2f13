//! `signalbox rerun`

use serde_json::{Map, Value, json};
use signalbox_core::RunId;

use super::dead::Dead;
use super::run::{gather, parse_pair};
use crate::client::{Client, Connect, Request, block_on};
use crate::exit::{Exit, Failure};
use crate::fields::text;
use crate::terminal;

/// Start an ended run again: whole or from a step, with the same or with other inputs
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox rerun RUN                     at the revision that it ran at
  signalbox rerun RUN --newest            at the revision that is live now
  signalbox rerun RUN --from deliver      keeps the results of the steps before `deliver`
  signalbox rerun RUN --input severity=high
  signalbox rerun --dead -w homeops-platform -f monitoring/alert-dispatcher

Prints the id of the new run. Of the steps before the one of --from, those that have no result in the
run are executed again. A failed run that is started again is no dead letter any more.")]
pub(crate) struct Args {
    /// The run's id
    #[arg(value_name = "RUN", required_unless_present = "dead")]
    run: Option<RunId>,
    /// Begin with this step
    #[arg(long, value_name = "STEP", conflicts_with = "dead")]
    from: Option<String>,
    /// At the live revision instead of its own
    #[arg(long)]
    newest: bool,
    /// One input to set beside those of the run; may be given several times
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = parse_pair, conflicts_with = "dead")]
    input: Vec<(String, Value)>,
    /// All inputs as a JSON object, instead of the run's: the text itself, @FILE, or - for stdin
    #[arg(long, value_name = "JSON", conflicts_with = "dead")]
    inputs: Option<String>,
    #[command(flatten)]
    dead: Dead,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let body = body(args)?;
    block_on(async {
        let client = Client::open(&args.connect)?;
        let answers = if let Some(run) = &args.run {
            vec![client.send(Request::post(&path(run.as_str()), body)).await?]
        } else {
            let request = |run: &str| (path(run), body.clone());
            args.dead.each(&client, ("re-run", "re-ran"), request).await?
        };
        match (args.json, args.dead.all) {
            (true, true) => terminal::json(&Value::Array(answers))?,
            (true, false) => answers.iter().try_for_each(terminal::json)?,
            (false, true) => {}
            (false, false) => {
                answers.iter().try_for_each(|answer| terminal::data(text(answer, "/id")))?;
            }
        }
        Ok(Exit::Done)
    })
}

fn path(run: &str) -> String {
    format!("/runs/{run}/rerun")
}

fn body(args: &Args) -> Result<Value, Failure> {
    let mut body = json!({ "newest": args.newest });
    if let Some(from) = &args.from {
        body["from"] = from.as_str().into();
    }
    if args.inputs.is_some() {
        body["inputs"] = gather(args.inputs.as_deref(), &[])?;
    }
    if !args.input.is_empty() {
        body["changes"] = Value::Object(args.input.iter().cloned().collect::<Map<_, _>>());
    }
    Ok(body)
}
