//! The chain that the demo shows, followed link by link in the store: the platform's schedule
//! starts a domain's flow, which asks a service of the platform, which reaches Slack.
//!
//! Nothing here is assumed: a link counts when the store has it on record and, where the outside
//! world is concerned, when the stand-in got it.

use std::sync::Arc;

use signalbox_core::broker::Rule;
use signalbox_core::clock::Timestamp;
use signalbox_core::journal::Outcome;
use signalbox_core::run::{State, Trigger};
use signalbox_core::value::{Value, decode};
use signalbox_core::{FlowName, RunId, WorkspaceName};
use signalbox_store::Store;
use signalbox_store::contract::{CallDecision, CallFilter, CallView, RunFilter, RunView};

use super::stand_ins::{Message, Seen};

/// Where the chain begins.
pub(super) const PLATFORM: &str = "homeops-platform";
/// The flow whose schedule begins it.
pub(super) const BEGINNING: &str = "monitoring/market-hours";
/// The domain's flow that it starts.
pub(super) const SCAN: &str = "homeops-financial/atom-nightly-scan";
/// The service that the scan asks.
pub(super) const SERVICE: &str = "alerts.send";

/// One link that held.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Link {
    /// The schedule fired.
    Fired { run: RunId, slot: Timestamp },
    /// The platform was let through to the domain's flow.
    Started { run: RunId, rule: Rule },
    /// The scan read bars from the market data API.
    Read { requests: usize },
    /// The scan was let through to the service.
    Asked { run: RunId, rule: Rule },
    /// The alert reached Slack.
    Delivered(Message),
    /// The service's result reached the scan.
    Returned(Value),
    /// The scan ended well.
    Scanned(Ended),
    /// The flow at the beginning ended well.
    Closed(Ended),
}

/// A run that ended well.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ended {
    pub(super) run: RunId,
    pub(super) result: Value,
    pub(super) milliseconds: f64,
}

/// Why the chain does not hold.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// A run did not end well.
    #[error("{flow} {state}: {why} ({run})", state = state.as_str())]
    Run { flow: String, run: RunId, state: State, why: String },
    /// A run ended well without doing what it is there for.
    #[error("{flow} ended without {what} ({run})")]
    Missing { flow: String, run: RunId, what: &'static str },
    /// The broker refused a call that is declared by both sides.
    #[error("the call of {target} was refused by the rule {rule} (by {run})", rule = rule.as_str())]
    Refused { target: String, rule: Rule, run: RunId },
    /// The service answered that nobody got the alert.
    #[error("the alert was delivered to nobody: {0}")]
    Undelivered(Value),
    /// The store cannot be read.
    #[error("failed to {0}")]
    Store(#[from] signalbox_store::Error),
}

/// The next link that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Fire,
    Start,
    Read,
    Ask,
    Deliver,
    Return,
    Scan,
    Close,
    Nothing,
}

/// The chain, as far as it has come.
#[derive(Debug)]
pub(super) struct Chain {
    store: Arc<dyn Store>,
    seen: Arc<Seen>,
    since: Timestamp,
    next: Next,
    /// The runs so far: at the beginning, of the scan, of the service.
    runs: Vec<RunId>,
}

impl Chain {
    /// The first chain whose beginning is accepted at or after `since`.
    pub(super) fn new(store: Arc<dyn Store>, seen: Arc<Seen>, since: Timestamp) -> Self {
        Self { store, seen, since, next: Next::Fire, runs: Vec::new() }
    }

    /// Whether every link held.
    pub(super) fn is_complete(&self) -> bool {
        self.next == Next::Nothing
    }

    /// What is waited for, for people.
    pub(super) fn waits_for(&self) -> &'static str {
        match self.next {
            Next::Fire => "the schedule of monitoring/market-hours to fire",
            Next::Start => "the platform to start the scan",
            Next::Read => "the scan to read bars",
            Next::Ask => "the scan to ask for an alert",
            Next::Deliver => "the alert to reach Slack",
            Next::Return => "the service's result to reach the scan",
            Next::Scan => "the scan to end",
            Next::Close => "monitoring/market-hours to end",
            Next::Nothing => "nothing",
        }
    }

    /// The next link, if it has happened.
    ///
    /// # Errors
    /// When it can no longer happen, or the store cannot be read.
    pub(super) async fn advance(&mut self) -> Result<Option<Link>, Broken> {
        let (link, next) = match self.next {
            Next::Fire => (self.fired().await?, Next::Start),
            Next::Start => (self.started().await?, Next::Read),
            Next::Read => (self.read().await?, Next::Ask),
            Next::Ask => (self.asked().await?, Next::Deliver),
            Next::Deliver => (self.delivered().await?, Next::Return),
            Next::Return => (self.returned().await?, Next::Scan),
            Next::Scan => (self.ended(1).await?.map(Link::Scanned), Next::Close),
            Next::Close => (self.ended(0).await?.map(Link::Closed), Next::Nothing),
            Next::Nothing => return Ok(None),
        };
        if link.is_some() {
            self.next = next;
        }
        Ok(link)
    }

    async fn fired(&mut self) -> Result<Option<Link>, Broken> {
        let (Ok(workspace), Ok(flow)) =
            (PLATFORM.parse::<WorkspaceName>(), BEGINNING.parse::<FlowName>())
        else {
            return Ok(None);
        };
        let filter = RunFilter {
            workspace: Some(workspace),
            flow: Some(flow),
            since: Some(self.since),
            limit: 1_000,
            ..RunFilter::default()
        };
        let page = self.store.runs(filter).await?;
        let first = page.items.into_iter().rev().find_map(|run| match run.trigger {
            Trigger::Schedule { slot, .. } => Some((run.id, slot)),
            Trigger::Call { .. }
            | Trigger::Handler { .. }
            | Trigger::Alarm { .. }
            | Trigger::Webhook { .. }
            | Trigger::Api
            | Trigger::Retry { .. }
            | Trigger::Flow { .. }
            | Trigger::Continue { .. } => None,
        });
        Ok(first.map(|(run, slot)| {
            self.runs.push(run.clone());
            Link::Fired { run, slot }
        }))
    }

    async fn started(&mut self) -> Result<Option<Link>, Broken> {
        let is_scan = |call: &CallView| {
            call.record.callee.as_ref().is_some_and(|(ws, flow)| SCAN == format!("{ws}/{flow}"))
        };
        let call = self.called_by(0, "starting the scan", is_scan).await?;
        Ok(call.map(|(run, rule)| Link::Started { run, rule }))
    }

    async fn read(&self) -> Result<Option<Link>, Broken> {
        // The run is read first: what it did is on record once it has ended.
        let scan = self.alive(1).await?;
        match (self.seen.bar_requests(), scan.summary.state) {
            (0, State::Succeeded) => Err(missing(&scan, "reading bars")),
            (0, _) => Ok(None),
            (requests, _) => Ok(Some(Link::Read { requests })),
        }
    }

    async fn asked(&mut self) -> Result<Option<Link>, Broken> {
        let is_alert = |call: &CallView| {
            call.record.service.as_ref().is_some_and(|(service, _)| service == SERVICE)
        };
        let call = self.called_by(1, "asking for an alert", is_alert).await?;
        Ok(call.map(|(run, rule)| Link::Asked { run, rule }))
    }

    async fn delivered(&self) -> Result<Option<Link>, Broken> {
        let dispatcher = self.alive(2).await?;
        let inputs = decode(&dispatcher.inputs).unwrap_or_default();
        let text = inputs.get("message").and_then(Value::as_str).unwrap_or_default();
        match self.seen.take_message_with(text) {
            Some(message) => Ok(Some(Link::Delivered(message))),
            None if dispatcher.summary.state == State::Succeeded => {
                Err(missing(&dispatcher, "reaching Slack"))
            }
            None => Ok(None),
        }
    }

    /// The answer as the caller's own journal has it.
    async fn returned(&self) -> Result<Option<Link>, Broken> {
        self.alive(2).await?;
        let scan = self.alive(1).await?;
        let journal = self.store.journal(&scan.summary.id).await?;
        let answer = journal.iter().find_map(|entry| match &entry.outcome {
            Outcome::Done(bytes) if entry.kind == "broker::request" => decode(bytes).ok(),
            Outcome::Done(_) | Outcome::Failed(_) | Outcome::Pending => None,
        });
        match answer {
            Some(answer) if answer.get("delivered").and_then(Value::as_int) >= Some(1) => {
                Ok(Some(Link::Returned(answer)))
            }
            Some(answer) => Err(Broken::Undelivered(answer)),
            None if scan.summary.state == State::Succeeded => {
                Err(missing(&scan, "an answer of the service"))
            }
            None => Ok(None),
        }
    }

    async fn ended(&self, at: usize) -> Result<Option<Ended>, Broken> {
        let view = self.alive(at).await?;
        let (State::Succeeded, Some(ended)) = (view.summary.state, view.summary.ended_at) else {
            return Ok(None);
        };
        let result = view.result.as_deref().and_then(|bytes| decode(bytes).ok());
        Ok(Some(Ended {
            run: view.summary.id,
            result: result.unwrap_or_default(),
            milliseconds: ended.since(view.summary.queued_at).as_secs_f64() * 1_000.0,
        }))
    }

    /// One of the runs so far, unless it ended badly.
    async fn alive(&self, at: usize) -> Result<RunView, Broken> {
        let view = self.store.run(&self.runs[at]).await?;
        let summary = &view.summary;
        if !summary.state.is_terminal() || summary.state == State::Succeeded {
            return Ok(view);
        }
        let why = summary.error.as_ref().map(|error| format!("{} {}", error.code, error.message));
        Err(Broken::Run {
            flow: format!("{}/{}", summary.workspace, summary.flow),
            run: summary.id.clone(),
            state: summary.state,
            why: why.unwrap_or_else(|| "no reason is on record".to_owned()),
        })
    }

    /// The first call of one of the runs so far that is the one wanted, which it then becomes.
    async fn called_by(
        &mut self,
        at: usize,
        what: &'static str,
        wanted: impl Fn(&CallView) -> bool,
    ) -> Result<Option<(RunId, Rule)>, Broken> {
        let caller = self.store.run(&self.runs[at]).await?;
        let filter = CallFilter { since: Some(self.since), limit: 1_000, ..CallFilter::default() };
        let page = self.store.calls(filter).await?;
        let mut calls = page
            .items
            .into_iter()
            .rev()
            .filter(|call| call.record.caller_run.as_ref() == Some(&self.runs[at]));
        if let Some(call) = calls.find(wanted) {
            return match (call.record.decision, call.run) {
                (CallDecision::Allowed, Some(run)) => {
                    self.runs.push(run.clone());
                    Ok(Some((run, call.record.rule)))
                }
                (CallDecision::Allowed | CallDecision::Refused, _) => Err(Broken::Refused {
                    target: call.record.target,
                    rule: call.record.rule,
                    run: self.runs[at].clone(),
                }),
            };
        }
        self.alive(at).await?;
        if caller.summary.state == State::Succeeded {
            return Err(missing(&caller, what));
        }
        Ok(None)
    }
}

fn missing(run: &RunView, what: &'static str) -> Broken {
    let flow = format!("{}/{}", run.summary.workspace, run.summary.flow);
    Broken::Missing { flow, run: run.summary.id.clone(), what }
}
