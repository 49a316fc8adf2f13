//! `signalbox logs`

use serde_json::Value;
use signalbox_core::RunId;

use crate::client::{Client, Connect, Request, block_on};
use crate::exit::{Exit, Failure};
use crate::fields::text;
use crate::table::visible;
use crate::terminal::{self, style, styled};

/// Print the log lines of a run
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox logs 019a3b1c-0000-7000-8000-000000000001
  signalbox logs RUN --follow           until the run has ended
  signalbox logs RUN --follow --json    one JSON document per line")]
pub(crate) struct Args {
    /// The run's id
    #[arg(value_name = "RUN")]
    run: RunId,
    /// Go on with new lines until the run has ended
    #[arg(short, long)]
    follow: bool,
    /// Print JSON: a list, or one document per line with --follow
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    block_on(async {
        let client = Client::open(&args.connect)?;
        let path = format!("/runs/{}/logs", args.run);
        if args.follow {
            return follow(&client, &path, args.json).await;
        }
        let lines = client.list(&path, &[], usize::MAX).await?;
        if args.json {
            terminal::json(&Value::Array(lines))?;
        } else if lines.is_empty() {
            terminal::say("the run wrote no log line");
        } else {
            let lines: Vec<_> = lines.iter().map(line).collect();
            terminal::data(&lines.join("\n"))?;
        }
        Ok(Exit::Done)
    })
}

async fn follow(client: &Client, path: &str, json: bool) -> anyhow::Result<Exit> {
    let mut events = client.follow(Request::get(path).with("follow", &true)).await?;
    while let Some(event) = events.next().await? {
        match event.name.as_str() {
            "log" => {
                let Ok(entry) = serde_json::from_str::<Value>(&event.data) else { continue };
                if json { terminal::json_line(&entry)? } else { terminal::data(&line(&entry))? }
            }
            "end" => return Ok(Exit::Done),
            _ => {}
        }
    }
    let failure = Failure::environment("the runner ended the stream before the run had ended");
    Err(failure.help("follow again when it is back: the run goes on").into())
}

/// `12:00:00.123 warn  deliver: slow answer`
fn line(entry: &Value) -> String {
    let at = text(entry, "/at");
    // The time of RFC 3339, to the millisecond; the day is in `--json`.
    let time = at.get(11..23).unwrap_or(at);
    let level = text(entry, "/level");
    let style = match level {
        "error" => style::BAD,
        "warn" => style::WARN,
        _ => style::FAINT,
    };
    let step = match text(entry, "/step") {
        "" => String::new(),
        step => format!("{}: ", visible(step)),
    };
    let level = styled(style, &format!("{level:<5}"));
    let message = visible(text(entry, "/message"));
    format!("{} {level} {step}{message}", styled(style::FAINT, time))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_log_line_has_time_level_step_and_text() {
        let entry = json!({
            "at": "2026-01-01T12:00:00.123456Z", "level": "warn", "step": "deliver",
            "message": "slow\u{1b}[2J answer",
        });
        let shown = anstream::adapter::strip_str(&line(&entry)).to_string();
        assert_eq!(shown, "12:00:00.123 warn  deliver: slow\u{fffd}[2J answer");
    }
}
