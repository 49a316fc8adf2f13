//! `signalbox show`

use serde_json::Value;
use signalbox_core::RunId;
use signalbox_core::clock::Clock as _;

use crate::client::{Client, Connect, Request, block_on};
use crate::exit::Exit;
use crate::fields::{list, number, or_dash, short, text};
use crate::moment::{self, SystemClock};
use crate::table::{self, Column, visible};
use crate::terminal::{self, style, style_of, styled};

/// Longest line of a value that is shown to people; `--json` shows all of it.
const MAX_VALUE: usize = 400;

/// Show one run: its steps, its journal, its result or error
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox show 019a3b1c-0000-7000-8000-000000000001
  signalbox show RUN --json | jq .result")]
pub(crate) struct Args {
    /// The run's id
    #[arg(value_name = "RUN")]
    run: RunId,
    /// Print JSON: the run, its journal under `journal`
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    block_on(async {
        let client = Client::open(&args.connect)?;
        let path = format!("/runs/{}", args.run);
        let mut run = client.send(Request::get(&path)).await?;
        let journal = client.list(&format!("{path}/journal"), &[], usize::MAX).await?;
        if args.json {
            run["journal"] = Value::Array(journal);
            terminal::json(&run)?;
        } else {
            terminal::data(&whole(&run, &journal, terminal::width()))?;
        }
        Ok(Exit::Done)
    })
}

/// What a run came to: state, flow, times, then its result or its error.
pub(crate) fn summary(run: &Value) -> String {
    let mut out = vec![headline(run)];
    out.extend(ending(run));
    out.join("\n")
}

fn headline(run: &Value) -> String {
    let state = or_dash(run, "/state");
    let reason = match (state.as_str(), text(run, "/reason")) {
        (_, "") => String::new(),
        ("suspended", reason) => format!(" {reason}{}", until(run)),
        (_, reason) => format!(" ({reason})"),
    };
    let took = number(run, "/duration_ms")
        .map_or_else(String::new, |time| format!(" in {}", moment::measured(time)));
    format!(
        "{} {}/{} {}{reason}{took}",
        styled(style::STRONG, &or_dash(run, "/id")),
        visible(text(run, "/workspace")),
        visible(text(run, "/flow")),
        styled(style_of(&state), &state),
    )
}

/// Until when a suspended run waits at most, with a blank before it.
pub(crate) fn until(run: &Value) -> String {
    let until = moment::parse(text(run, "/until")).map(moment::absolute);
    until.map(|until| format!(" {until}")).unwrap_or_default()
}

fn ending(run: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(error) = run.get("error").filter(|error| !error.is_null()) {
        lines.push(format!("error     {}", error_line(error)));
    }
    if let Some(result) = run.get("result").filter(|result| !result.is_null()) {
        lines.push(format!("result    {}", value_line(result)));
    }
    lines
}

/// `SB0501 division by zero (scripts/a.rhai:3:7)`
fn error_line(error: &Value) -> String {
    let mut line = format!("{} {}", text(error, "/code"), visible(text(error, "/message")));
    let file = text(error, "/file");
    if !file.is_empty() {
        let part =
            |field| number(error, field).map_or_else(String::new, |number| format!(":{number}"));
        line = format!("{line} ({}{}{})", visible(file), part("/line"), part("/column"));
    }
    styled(style::BAD, line.trim())
}

fn value_line(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}… (`--json` shows all)", &text[..end]),
        None => text,
    }
}

fn whole(run: &Value, journal: &[Value], width: Option<u16>) -> String {
    let mut out = vec![headline(run)];
    out.push(format!("trigger   {}", trigger(run)));
    let revision = short(text(run, "/revision"));
    out.push(format!("revision  {revision} ({})", or_dash(run, "/deployment")));
    let queued = moment::parse(text(run, "/queued_at")).map(moment::absolute).unwrap_or_default();
    let ago = moment::relative_text(text(run, "/queued_at"), SystemClock.now());
    out.push(format!("queued    {queued} ({ago})"));
    out.push(format!("attempt   {}", number(run, "/attempt").unwrap_or(1.0)));
    for (name, field) in [("deadline", "/deadline"), ("dealt with", "/dealt_at")] {
        if let Some(at) = moment::parse(text(run, field)) {
            out.push(format!("{name:<9} {}", moment::absolute(at)));
        }
    }
    if !text(run, "/successor").is_empty() {
        out.push(format!("continued by {}", text(run, "/successor")));
    }
    if !text(run, "/isolation").is_empty() {
        out.push(format!("isolation {}", text(run, "/isolation")));
    }
    out.push(format!(
        "inputs    {}",
        run.get("inputs").map_or_else(|| "{}".to_owned(), value_line)
    ));
    out.extend(ending(run));
    if !text(run, "/why/text").is_empty() {
        out.push(format!("why       {}", visible(text(run, "/why/text"))));
    }
    let waits: Vec<_> = list(run, "/waits_for").iter().filter_map(Value::as_str).collect();
    if !waits.is_empty() {
        out.push(format!("waits for {}", waits.join(", ")));
    }
    out.extend(steps(run, width));
    out.extend(effects(journal, width));
    out.join("\n")
}

fn trigger(run: &Value) -> String {
    let at = |pointer| text(run, pointer);
    match at("/trigger/kind") {
        "schedule" => format!("schedule {} at {}", at("/trigger/schedule"), at("/trigger/slot")),
        "call" => format!(
            "call from {}/{}, run {}",
            at("/caller/workspace"),
            at("/caller/flow"),
            at("/caller/run")
        ),
        "handler" => format!(
            "{} of {}/{}, run {}",
            at("/trigger/event").replace('_', " "),
            at("/trigger/flow/workspace"),
            at("/trigger/flow/flow"),
            at("/trigger/of")
        ),
        "webhook" => format!("webhook {}", at("/trigger/webhook")),
        "flow" => format!("flow {}, run {}", at("/caller/flow"), at("/caller/run")),
        "retry" => format!("retry of {}", at("/trigger/of")),
        "continue" => format!("continues {}", at("/trigger/of")),
        other => other.to_owned(),
    }
}

fn steps(run: &Value, width: Option<u16>) -> Option<String> {
    let columns = [
        Column::Whole("STEP"),
        Column::Word("STATE"),
        Column::Number("ATTEMPT"),
        Column::Number("TOOK"),
        Column::Text("ERROR"),
    ];
    let row = |step: &Value| {
        vec![
            or_dash(step, "/id"),
            or_dash(step, "/state"),
            number(step, "/attempt").unwrap_or(1.0).to_string(),
            number(step, "/duration_ms").map_or_else(|| "-".to_owned(), moment::measured),
            text(step, "/error").to_owned(),
        ]
    };
    section(&columns, &list(run, "/steps").iter().map(row).collect::<Vec<_>>(), width)
}

fn effects(journal: &[Value], width: Option<u16>) -> Option<String> {
    let columns = [
        Column::Whole("EFFECT"),
        Column::Text("STEP"),
        Column::Word("OUTCOME"),
        Column::Text("VALUE"),
    ];
    let row = |entry: &Value| {
        let error = entry.get("error").filter(|error| !error.is_null());
        let value = match (error, entry.get("value")) {
            (Some(error), _) => format!("{} {}", text(error, "/code"), text(error, "/message")),
            (None, Some(value)) if !value.is_null() => value_line(value),
            (None, _) => String::new(),
        };
        vec![or_dash(entry, "/kind"), or_dash(entry, "/scope"), or_dash(entry, "/state"), value]
    };
    section(&columns, &journal.iter().map(row).collect::<Vec<_>>(), width)
}

fn section(columns: &[Column], rows: &[Vec<String>], width: Option<u16>) -> Option<String> {
    (!rows.is_empty()).then(|| format!("\n{}", table::render(columns, rows, width)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn failed_run() -> Value {
        json!({
            "id": "019a3b1c-0000-7000-8000-000000000001", "workspace": "homeops-financial",
            "flow": "atom-nightly-scan", "deployment": "d7", "revision": "0123456789abcdef",
            "trigger": { "kind": "call" }, "state": "failed", "reason": "script_error",
            "caller": { "workspace": "homeops-platform", "flow": "monitoring/market-hours", "run": "r0" },
            "attempt": 1, "isolation": "L0", "inputs": { "symbols": ["A", "B"] },
            "error": { "code": "SB0501", "message": "division by zero", "file": "scripts/a.rhai",
                       "line": 3, "column": 7 },
            "duration_ms": 12.5, "queued_at": "not a time", "result": null,
            "steps": [{ "id": "scan", "state": "failed", "attempt": 2, "duration_ms": 3.25,
                        "error": "division by zero" }],
        })
    }

    #[test]
    fn a_run_is_shown_with_its_steps_and_its_journal() {
        let journal = [
            json!({ "kind": "http::get", "scope": "scan#0", "state": "done", "value": { "status": 200 } }),
            json!({ "kind": "broker::request", "scope": "", "state": "failed", "value": null,
                    "error": { "code": "SB0301", "message": "unknown service" } }),
        ];
        let shown = whole(&failed_run(), &journal, Some(80));
        insta::assert_snapshot!(anstream::adapter::strip_str(&shown).to_string());
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let value = json!("ü".repeat(1_000));
        assert!(value_line(&value).ends_with("… (`--json` shows all)"));
    }
}
