//! What the demo says: one line for everything that happens, with the run it happened in.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clap::builder::styling::Style;
use signalbox_core::RunId;
use signalbox_core::clock::Timestamp;
use signalbox_engine::{NextSlot, Outcome};
use signalbox_store::contract::{CallView, DeploymentOutcome, RunView};

use super::DEFAULT_LISTEN;
use super::chain::{BEGINNING, Ended, Link, PLATFORM, SCAN, SERVICE};
use super::session::HOOK_KEY;
use super::stand_ins::{Message, StandIns};
use crate::faults::{self, Fault};
use crate::fields::short;
use crate::moment::{measured, relative};
use crate::table::visible;
use crate::terminal::{style, style_of, styled};

/// What to try, each with its commands. `SIGNALBOX`, `FOLDER`, `SERVER`, `LISTEN` and `KEY` are
/// filled in.
const TO_TRY: [(&str, &[&str]); 4] = [
    (
        "Two alerts for every scan instead of one, live as soon as it is committed",
        &[
            "sed -i 's/default: 1, desc/default: 2, desc/' \
             FOLDER/subprojects/financial-tracker/windmill/atom-workflows/atom-nightly-scan.yaml",
            "git -C FOLDER commit -qam 'atom-nightly-scan: two alerts'",
        ],
    ),
    (
        "A typing error: refused with file, line and column; the last good revision runs on",
        &[
            "sed -i 's/^schedules:/scedules:/' FOLDER/windmill/flows/monitoring/market-hours.yaml",
            "git -C FOLDER commit -qam 'market-hours: a typing error'",
            "git -C FOLDER revert --no-edit HEAD",
        ],
    ),
    (
        "A call from one domain into another: refused by the broker and kept on record",
        &[
            "SIGNALBOX run homeops-media/experiments/forbidden-call --wait SERVER",
            "SIGNALBOX calls SERVER",
        ],
    ),
    (
        "A report of the broker that an order is filled: a webhook, signed with the key of the demo",
        &[
            "BODY='{\"event\":\"fill\",\"order\":{\"symbol\":\"ACME\"}}'",
            "SIGN=$(printf %s \"$BODY\" | openssl dgst -sha256 -hmac KEY -r | cut -d' ' -f1)",
            "curl --json \"$BODY\" -H \"X-Signature: $SIGN\" http://LISTEN/hooks/homeops-financial/fills",
        ],
    ),
];

/// One line: what kind of thing happened, what, and in which run.
fn line(sign: Style, mark: &str, word: &str, what: &str, run: Option<&RunId>) -> String {
    let run = run.map(|run| styled(style::FAINT, &format!("  {run}"))).unwrap_or_default();
    format!("  {} {word:<10} {what}{run}", styled(sign, mark))
}

fn good(word: &str, what: &str, run: Option<&RunId>) -> String {
    line(style::GOOD, "✓", word, what, run)
}

fn bad(word: &str, what: &str, run: Option<&RunId>) -> String {
    line(style::BAD, "✗", word, what, run)
}

/// Where everything is, before anything happens.
pub(super) fn opening(folder: &Path, stand_ins: &StandIns) -> String {
    format!(
        "{}\n\n  repository   {}\n  stand-ins    market data and trading {}, Slack {},\n               \
         media library {}, Docker {}\n",
        styled(style::STRONG, "Signalbox demo: a commit becomes three live workspaces"),
        folder.display(),
        stand_ins.market,
        stand_ins.slack,
        stand_ins.library,
        stand_ins.docker,
    )
}

/// The first revision is live.
pub(super) fn live(revision: &str, workspaces: &[String], milliseconds: f64) -> String {
    let what = format!(
        "revision {}: {} in {}",
        short(revision),
        workspaces.join(", "),
        measured(milliseconds)
    );
    good("live", &what, None)
}

/// A link of the chain.
pub(super) fn link(link: &Link) -> String {
    match link {
        Link::Fired { run, slot } => {
            let what = format!("{PLATFORM}/{BEGINNING} by its schedule, slot {}", clock(*slot));
            good("fired", &what, Some(run))
        }
        Link::Started { run, rule } => {
            let what = format!("{SCAN}, let through by {}", rule.as_str());
            good("started", &what, Some(run))
        }
        Link::Read { requests } => {
            let noun = if *requests == 1 { "request" } else { "requests" };
            good("read", &format!("bars from the market data API, {requests} {noun}"), None)
        }
        Link::Asked { run, rule } => {
            let what = format!("{SERVICE} of {PLATFORM}, let through by {}", rule.as_str());
            good("asked", &what, Some(run))
        }
        Link::Delivered(message) => {
            good("delivered", &format!("to Slack, {}", posted(message)), None)
        }
        Link::Returned(answer) => good("returned", &format!("{answer} to the scan"), None),
        Link::Scanned(ended) => succeeded(SCAN, ended),
        Link::Closed(ended) => succeeded(&format!("{PLATFORM}/{BEGINNING}"), ended),
    }
}

fn succeeded(flow: &str, ended: &Ended) -> String {
    let Ended { run, result, milliseconds } = ended;
    good("succeeded", &format!("{flow} with {result} in {}", measured(*milliseconds)), Some(run))
}

fn posted(message: &Message) -> String {
    let text = styled(style::STRONG, &visible(&message.text));
    format!("{}: {text}", visible(&message.channel))
}

/// The chain does not hold.
pub(super) fn broken(why: &str) -> String {
    bad("broken", why, None)
}

/// A message that reached Slack, after the chain.
pub(super) fn message(message: &Message) -> String {
    line(style::BUSY, "·", "slack", &posted(message), None)
}

/// A call that the broker refused.
pub(super) fn refused(call: &CallView) -> String {
    let record = &call.record;
    let what = format!(
        "{} may not call {}: {}",
        record.caller,
        visible(&record.target),
        record.rule.as_str()
    );
    bad("refused", &what, record.caller_run.as_ref())
}

/// A run that ended, after the chain.
pub(super) fn ended(run: &RunView) -> String {
    let summary = &run.summary;
    let state = summary.state.as_str();
    let time = summary.ended_at.map(|ended| {
        let milliseconds = ended.since(summary.queued_at).as_secs_f64() * 1_000.0;
        format!(" in {}", measured(milliseconds))
    });
    let error = summary.error.as_ref();
    let error = error.map(|error| format!(": {} {}", error.code, visible(&error.message)));
    let (time, error) = (time.unwrap_or_default(), error.unwrap_or_default());
    let what = format!("{}/{}{time}{error}", summary.workspace, summary.flow);
    line(style_of(state), "·", state, &what, Some(&summary.id))
}

/// A workspace's new outcome, with every fault when it was refused. `None` when nothing changed.
pub(super) fn deployment(outcome: &Outcome) -> Option<String> {
    let name = outcome.outcome.as_str();
    let commit = short(outcome.commit.as_str());
    let mut parts = vec![format!("{} at revision {commit}", outcome.workspace)];
    for (verb, flows) in
        [("added", &outcome.added), ("changed", &outcome.changed), ("removed", &outcome.removed)]
    {
        if !flows.is_empty() {
            let flows: Vec<&str> = flows.iter().map(AsRef::as_ref).collect();
            parts.push(format!("{verb} {}", flows.join(", ")));
        }
    }
    if let Some(milliseconds) = outcome.hint_to_live_ms {
        parts.push(format!("live in {}", measured(milliseconds)));
    }
    let what = parts.join(", ");
    match outcome.outcome {
        DeploymentOutcome::Unchanged => None,
        DeploymentOutcome::Deployed | DeploymentOutcome::RolledBack => {
            Some(good(name, &what, None))
        }
        DeploymentOutcome::Rejected | DeploymentOutcome::Superseded | DeploymentOutcome::Held => {
            let faults: Vec<Fault> = outcome.diagnostics.iter().map(Fault::from).collect();
            Some(format!("{}\n\n{}\n", bad(name, &what, None), faults::render(&faults)))
        }
    }
}

/// A workspace whose last revision was refused is wanted as it is live.
pub(super) fn recovered(outcome: &Outcome) -> String {
    let commit = short(outcome.commit.as_str());
    good("live", &format!("{} is good again at revision {commit}", outcome.workspace), None)
}

/// What fires next.
pub(super) fn next(slots: &[NextSlot], now: Timestamp) -> String {
    let mut lines = vec![heading("Next")];
    for slot in slots {
        let at = relative(slot.at, now);
        lines.push(format!("  {}  {at:<8} {}\n", clock(slot.at), slot.flow));
    }
    lines.concat()
}

/// Where to look and what to try.
pub(super) fn to_try(program: &str, listen: SocketAddr, folder: &Path) -> String {
    let folder = quoted(&folder.display().to_string());
    let program = quoted(program);
    let server = if listen == SocketAddr::from(DEFAULT_LISTEN) {
        String::new()
    } else {
        format!(" --server http://{listen}")
    };
    let mut lines = vec![heading("Look")];
    for path in ["/", "/schedules", "/api/v1/runs", "/api/v1/calls"] {
        lines.push(format!("  http://{listen}{path}\n"));
    }
    lines.push(heading("Try"));
    for (what, commands) in TO_TRY {
        lines.push(format!("  {what}\n"));
        for command in commands {
            let command = command
                .replace("SIGNALBOX", &program)
                .replace("FOLDER", &folder)
                .replace(" SERVER", &server)
                .replace("LISTEN", &listen.to_string())
                .replace("KEY", HOOK_KEY);
            lines.push(format!("    {}\n", styled(style::BUSY, &command)));
        }
    }
    lines.concat()
}

/// The chain held.
pub(super) fn complete(since_start: Duration) -> String {
    let after = measured(since_start.as_secs_f64() * 1_000.0);
    let what = format!("every link held, {after} after the start");
    format!("\n{}", styled(style::GOOD, &what))
}

/// The demo goes on.
pub(super) fn going_on() -> String {
    format!("{}  Ctrl-C ends it.\n", heading("From now on"))
}

fn heading(text: &str) -> String {
    format!("\n{}\n", styled(style::STRONG, text))
}

fn clock(moment: Timestamp) -> String {
    moment.to_jiff().map_or_else(String::new, |moment| moment.strftime("%H:%M:%S UTC").to_string())
}

/// A word as the shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("/tmp/demo-1.x"), "/tmp/demo-1.x");
        assert_eq!(quoted("/tmp/a b"), "'/tmp/a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn what_to_try_changes_something_in_the_example() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/homeops");
        let read = |file: &str| std::fs::read_to_string(example.join(file)).unwrap();
        let scan = "subprojects/financial-tracker/windmill/atom-workflows/atom-nightly-scan.yaml";
        assert!(read(scan).contains("default: 1, desc"));
        assert!(read("windmill/flows/monitoring/market-hours.yaml").contains("\nschedules:"));
        let text = to_try("signalbox", "127.0.0.1:9".parse().unwrap(), Path::new("/tmp/x"));
        for named in ["scan.yaml", "--server http://127.0.0.1:9", "forbidden-call"] {
            assert!(text.contains(named), "{named}");
        }
        let text = to_try("signalbox", "127.0.0.1:8742".parse().unwrap(), Path::new("/tmp/x"));
        assert!(!text.contains("--server"));
    }
}
