//! `health` of workspaces and `absence` of flows.

use std::time::Duration;

use signalbox_core::alarm::{self, Absence, Kind};
use signalbox_core::catalog::{Health, LiteralCall};
use signalbox_core::codes::Code;
use signalbox_core::handler::Handler;
use signalbox_core::health::{Percent, Thresholds};
use signalbox_core::ids::FlowName;
use signalbox_core::inputs::Schema;

use crate::faults::Faults;
use crate::fields::Fields;
use crate::groups::{Names, names};
use crate::handlers::Scope;
use crate::mark::Mark;
use crate::units;
use crate::yaml::Tree;

const THRESHOLDS: [&str; 4] = ["error_rate", "success_rate", "failed_runs", "average_duration"];
const HEALTH: [&str; 6] =
    ["error_rate", "success_rate", "failed_runs", "average_duration", "window", "notify"];
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
/// The window when a workspace says nothing.
const USUAL_WINDOW: Duration = Duration::from_hours(1);

/// `health` before its handlers are looked up.
#[derive(Debug, Clone)]
pub(crate) struct ParsedHealth {
    thresholds: Thresholds,
    notify: Names,
}

/// `absence` before its handlers are looked up.
#[derive(Debug, Clone)]
pub(crate) struct ParsedAbsence {
    after: Duration,
    /// `None`: whoever is told of failures.
    notify: Option<Names>,
    at: Mark,
}

/// Reads the `health` of a workspace.
pub(crate) fn health(fields: &Fields<'_>, faults: &mut Faults) -> Option<ParsedHealth> {
    let entry = fields.entry("health")?;
    let fields = Fields::open(&entry.node, "a `health`", &HEALTH, faults)?.named_at(entry.mark);
    if THRESHOLDS.iter().all(|name| fields.get(name).is_none()) {
        let message = "`health` says nothing of what is healthy";
        let help = "at least one of `error_rate`, `success_rate`, `failed_runs` and \
                    `average_duration`";
        faults.error_with_help(Code::MissingField, entry.mark, message, Some(help.to_owned()));
    }
    let average = Duration::from_millis(1)..=366 * DAY;
    let thresholds = Thresholds {
        error_rate: percent(&fields, "error_rate", faults),
        success_rate: percent(&fields, "success_rate", faults),
        failed_runs: fields
            .int("failed_runs", 0..=i64::from(u32::MAX), faults)
            .and_then(|most| u32::try_from(most).ok()),
        average_duration: fields.duration("average_duration", average, faults),
        window: fields.duration("window", MINUTE..=7 * DAY, faults).unwrap_or(USUAL_WINDOW),
    };
    let notify = fields.get("notify").map(|node| names(node, "notify", faults));
    Some(ParsedHealth { thresholds, notify: notify.unwrap_or_default() })
}

fn percent(fields: &Fields<'_>, name: &str, faults: &mut Faults) -> Option<Percent> {
    fields.unit(name, "a part of a hundred like `5%`", units::percent, faults)
}

/// Reads the `absence` of a flow: a duration, or a map with one.
pub(crate) fn absence(fields: &Fields<'_>, faults: &mut Faults) -> Option<ParsedAbsence> {
    let entry = fields.entry("absence")?;
    let (at, bounds) = (entry.mark, SECOND..=366 * DAY);
    if let Tree::Map(_) = entry.node.tree {
        let fields = Fields::open(&entry.node, "an `absence`", &["after", "notify"], faults)?;
        let fields = fields.named_at(at);
        fields.required("after", faults);
        let after = fields.duration("after", bounds, faults);
        let notify = fields.get("notify").map(|node| names(node, "notify", faults));
        return Some(ParsedAbsence { after: after?, notify, at });
    }
    let after = fields.duration("absence", bounds, faults)?;
    Some(ParsedAbsence { after, notify: None, at })
}

impl Scope<'_> {
    /// The health of the workspace, with its handlers.
    pub(crate) fn health(&self, parsed: &ParsedHealth, file: &str, faults: &mut Faults) -> Health {
        let (notify, calls) = self.alarmed(&parsed.notify, Kind::Health, (file, faults));
        Health { thresholds: parsed.thresholds.clone(), notify, calls }
    }

    /// The absence of a flow, with its handlers, and the services among them. Without its own they
    /// are those of its failures.
    pub(crate) fn absence(
        &self,
        name: &FlowName,
        parsed: &ParsedAbsence,
        failure: Option<&Handler>,
        (file, faults): (&str, &mut Faults),
    ) -> (Absence, Vec<LiteralCall>) {
        let after = parsed.after;
        let Some(names) = &parsed.notify else {
            let notify: Vec<_> = failure.into_iter().flat_map(Handler::each).cloned().collect();
            let mut calls = Vec::new();
            for handler in &notify {
                match handler {
                    Handler::Flow(flow) => {
                        self.takes(flow, Kind::Absence, ("on_failure", parsed.at), faults);
                    }
                    Handler::Service(target) => {
                        calls.push(call((target, Kind::Absence), file, parsed.at));
                    }
                    Handler::All(_) => {}
                }
            }
            return (Absence { after, notify }, calls);
        };
        if let Some((_, at)) = names.iter().find(|(other, _)| other == name.as_str()) {
            faults.error(Code::InvalidValue, *at, "a flow cannot tell of its own absence");
        }
        let (notify, calls) = self.alarmed(names, Kind::Absence, (file, faults));
        (Absence { after, notify }, calls)
    }

    fn alarmed(
        &self,
        names: &Names,
        kind: Kind,
        (file, faults): (&str, &mut Faults),
    ) -> (Vec<Handler>, Vec<LiteralCall>) {
        let mut handlers = Handler::All(Vec::new());
        for (name, at) in names {
            let Some(found) = self.look_up(name, true) else {
                self.unknown(name, "notify", *at, faults);
                continue;
            };
            for handler in found.each() {
                if let Handler::Flow(flow) = handler {
                    self.takes(flow, kind, ("notify", *at), faults);
                }
            }
            handlers = handlers.and(&found);
        }
        let at = |target: &String| names.iter().find(|(name, _)| name == target).or(names.first());
        let call = |handler: &Handler| match handler {
            Handler::Service(target) => Some(call((target, kind), file, at(target)?.1)),
            Handler::Flow(_) | Handler::All(_) => None,
        };
        let calls = handlers.each().filter_map(call).collect();
        (handlers.each().cloned().collect(), calls)
    }

    /// Reports a flow that does not take what it would be told of an alarm.
    fn takes(&self, flow: &FlowName, kind: Kind, (field, at): (&str, Mark), faults: &mut Faults) {
        let unfit = self.schemas.get(flow).and_then(|schema| unfit(schema, kind, flow.as_str()));
        let Some(mut message) = unfit else { return };
        if field == "on_failure" {
            message.push_str("; it handles failures, another one can be named as `notify`");
        }
        faults.error_with_help(Code::InputsDoNotFit, at, message, Some(facts(kind).to_owned()));
    }
}

/// What is wrong with the inputs of who is told of an alarm.
pub(crate) fn unfit(schema: &Schema, kind: Kind, name: &str) -> Option<String> {
    let unfit = alarm::faults(schema, kind);
    let why: Vec<_> = unfit.iter().map(|f| format!("`{}` {}", f.input, f.message)).collect();
    let (what, why) = (kind.as_str(), why.join("; "));
    (!unfit.is_empty())
        .then(|| format!("`{name}` does not take what it is told of `{what}`: {why}"))
}

/// What is told of an alarm.
pub(crate) fn facts(kind: Kind) -> &'static str {
    match kind {
        Kind::Health => {
            "it can take `event`, `alert_type`, `severity`, `message`, `workspace`, `since`, \
             `recovered`, `breaches` and `window`"
        }
        Kind::Absence => {
            "it can take `event`, `alert_type`, `severity`, `message`, `workspace`, `flow`, `since`, \
             `recovered`, `counted_from` and `window`"
        }
    }
}

/// A service that is told is a call that can be seen: the contract check looks at it.
fn call((target, kind): (&str, Kind), file: &str, at: Mark) -> LiteralCall {
    LiteralCall {
        target: target.to_owned(),
        inputs: None,
        file: file.to_owned(),
        line: at.line,
        column: at.column,
        handles: None,
        tells: Some(kind),
    }
}
