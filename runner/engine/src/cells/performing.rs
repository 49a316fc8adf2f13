//! Effects that a run asks for: performed, recorded, and their outcomes handed to its cell.

use std::sync::Arc;
use std::time::Duration;

use signalbox_cell::protocol::{Effect, Request, ToCell, Within};
use signalbox_core::catalog::ConnectorKind;
use signalbox_core::clock::Timestamp;
use signalbox_core::journal::{Chunk, Entry, Failure, Key, Level, LogLine, Outcome};
use signalbox_core::{RunId, Value, value};
use signalbox_store::contract::{Internal, InternalEffect, StateChange, Write};
use tokio::time::Instant;

use super::active::{MAX_PENDING, Pending, Phase, Stop};
use super::driver::Driver;
use crate::border::{MAX_VALUE, check_state_name, check_value};
use crate::effects::{self, Context};
use crate::link::{Command, Ticket};
use crate::recorder::{Job, Then};

impl Driver {
    /// Takes on an effect that a run asks for.
    ///
    /// # Errors
    /// What no honest cell asks for: the cell must go.
    pub(super) async fn effect(&mut self, effect: Effect) -> Result<(), String> {
        let Effect { run, chunk, key, fingerprint, waits, seen, within, request } = effect;
        self.effects = self.effects.wrapping_add(1);
        let ticket = Ticket { run, effect: self.effects };
        if self.wire.unheard() > MAX_PENDING {
            return Err("it asks for more than it listens to".to_owned());
        }
        let head = self.head(run)?;
        head.seen = true;
        match head.phase {
            // It was asked to stop; it will see that before it sees an outcome.
            Phase::Stopping { .. } => return Ok(()),
            Phase::Sent | Phase::Evaluating => head.phase = Phase::Evaluating,
        }
        let pending = Pending::new(ticket, key, request.kind(), fingerprint);
        let asked = head.begin(Pending { within, ..pending })?;
        if waits {
            head.waits(seen);
        }
        if !head.take_in(chunk)? {
            self.stop(run, Stop::JournalFull);
        } else if asked && request.is_wait() {
            // It is recorded, and lacks its answer only.
            self.wait(ticket);
        } else {
            self.perform(ticket, request).await;
        }
        Ok(())
    }

    async fn perform(&mut self, ticket: Ticket, request: Request) {
        match request {
            Request::StateGet { .. }
            | Request::StateList { .. }
            | Request::Secret { .. }
            | Request::Hmac { .. }
            | Request::WorkspaceMetrics { .. }
            | Request::FlowMetrics { .. } => {
                self.perform_outside(ticket, request);
            }
            Request::StateSet { name, value } => {
                let checked = check_value(&value, MAX_VALUE, "the value");
                self.change(ticket, name, checked.map(|()| StateChange::Set(value))).await;
            }
            Request::StateAdd { name, by } => {
                self.change(ticket, name, Ok(StateChange::Add(by))).await;
            }
            Request::StateSwap { name, expected, value } => {
                let checked = check_value(&value, MAX_VALUE, "the value");
                let change = checked.map(|()| StateChange::Swap { expected, value });
                self.change(ticket, name, change).await;
            }
            Request::StateDelete { name } => {
                self.change(ticket, name, Ok(StateChange::Delete)).await;
            }
            Request::Flow { flow, inputs, wait } => {
                self.start_flow(ticket, &flow, &inputs, wait).await;
            }
            Request::FlowWait { run } => self.internal(ticket, InternalEffect::Wait { run }).await,
            Request::Sleep { micros } => self.sleep(ticket, micros).await,
            Request::SleepUntil { at } => self.sleep_until(ticket, Timestamp(at)).await,
            Request::Call { target, inputs, wait } => self.call(ticket, target, inputs, wait).await,
            Request::Connector { name, arguments, .. } if self.is_log(ticket.run, &name) => {
                self.log(ticket, &name, &arguments).await;
            }
            Request::Http(_) | Request::Connector { .. } => {
                // What came before must be durable before the world hears of the run.
                self.recall();
                let pending = self.runs.get_mut(&ticket.run).and_then(|run| run.pending(ticket));
                if let Some(pending) = pending {
                    pending.request = Some(Box::new(request));
                }
                let barrier = self.runs.get_mut(&ticket.run).and_then(|run| run.barrier(ticket));
                match barrier {
                    Some(chunk) => self.append(ticket.run, chunk, Then::Durable(ticket)).await,
                    None => self.durable(ticket),
                }
            }
        }
    }

    /// What was recorded before an outside effect is durable: now it may start.
    pub(super) fn durable(&mut self, ticket: Ticket) {
        let Some(active) = self.runs.get_mut(&ticket.run) else { return };
        let Some(pending) = active.pending(ticket) else { return };
        let (behind, request) = (pending.behind, pending.request.take());
        active.is_durable(behind);
        if let Some(request) = request {
            self.perform_outside(ticket, *request);
        }
    }

    /// Performs an effect beside the driver; its outcome comes back as a command.
    fn perform_outside(&mut self, ticket: Ticket, request: Request) {
        let Some(active) = self.runs.get_mut(&ticket.run) else { return };
        let Some(pending) = active.pending(ticket) else { return };
        let (key, within) = (pending.key.clone(), pending.within.take());
        let context = Context {
            shared: Arc::clone(&self.shared),
            pinned: Arc::clone(&active.assignment.pinned),
            run: active.id().clone(),
            key,
        };
        let commands = self.commands.clone();
        let task = tokio::spawn(async move {
            let outcome = limited(effects::perform(&context, request), within).await;
            drop(commands.send(Command::Outcome { ticket, outcome, recorded: false }).await);
        });
        if let Some(pending) = active.pending(ticket) {
            pending.performing = Some(task.abort_handle());
        }
    }

    /// Performs an effect inside the transaction that records it.
    pub(super) async fn internal(&mut self, ticket: Ticket, effect: InternalEffect) {
        let now = self.shared.clock.now();
        let Some(active) = self.runs.get_mut(&ticket.run) else { return };
        let Some(pending) = active.pending(ticket) else { return };
        let internal = Internal {
            key: pending.key.clone(),
            kind: pending.kind.to_owned(),
            fingerprint: pending.fingerprint,
            at: now,
            effect,
        };
        let Some((number, chunk)) = active.take(true) else { return };
        if let Some(pending) = active.pending(ticket) {
            pending.behind = number;
        }
        let write = Write::Append {
            run: active.id().clone(),
            epoch: active.epoch(),
            number,
            started_at: active.started_at(now),
            chunk,
            internal: Some(Box::new(internal)),
        };
        let of = Arc::clone(&active.of);
        self.record(Job { of, write, then: Then::Outcome(ticket, None) }).await;
    }

    async fn change(&mut self, ticket: Ticket, name: String, change: Result<StateChange, Failure>) {
        let Some(active) = self.runs.get(&ticket.run) else { return };
        let workspace = active.of.workspace.clone();
        match check_state_name(&name).and(change) {
            Ok(change) => {
                let bytes = match &change {
                    StateChange::Set(value) | StateChange::Swap { value, .. } => value.len(),
                    StateChange::Add(_) | StateChange::Delete => 0,
                };
                let active = self.runs.get_mut(&ticket.run);
                if active.is_some_and(|active| !active.count(bytes)) {
                    return self.stop(ticket.run, Stop::JournalFull);
                }
                self.internal(ticket, InternalEffect::State { workspace, name, change }).await;
            }
            Err(failure) => self.outcome(ticket, Outcome::Failed(failure), false).await,
        }
    }

    fn is_log(&self, run: u32, name: &str) -> bool {
        let active = self.runs.get(&run);
        let connector =
            active.and_then(|active| active.assignment.pinned.spec.connectors.get(name));
        connector.is_some_and(|connector| connector.kind == ConnectorKind::Log)
    }

    /// The `log` connector: a line in the run's own log.
    async fn log(&mut self, ticket: Ticket, name: &str, arguments: &[u8]) {
        let at = self.shared.clock.now();
        let outcome = match effects::log_line(arguments) {
            Ok(text) => {
                let message = format!("[{name}] {text}");
                let line = LogLine { at, level: Level::Info, step: String::new(), message };
                if let Some(active) = self.runs.get_mut(&ticket.run) {
                    active.buffer(Chunk { logs: vec![line], ..Chunk::default() });
                }
                Outcome::Done(value::encode(&Value::Null))
            }
            Err(failure) => Outcome::Failed(failure),
        };
        self.outcome(ticket, outcome, false).await;
    }

    /// Hands an outcome to the cell, once the journal has it.
    pub(super) async fn outcome(&mut self, ticket: Ticket, outcome: Outcome, recorded: bool) {
        let at = self.shared.clock.now();
        let Some(active) = self.runs.get_mut(&ticket.run) else { return };
        let Some(pending) = active.pending(ticket) else { return };
        if recorded {
            let behind = pending.behind;
            active.is_durable(behind);
        } else {
            let outside = matches!(pending.kind, "http" | "connector");
            let entry = Entry {
                key: pending.key.clone(),
                kind: pending.kind.to_owned(),
                fingerprint: pending.fingerprint,
                outcome: outcome.clone(),
                at,
            };
            pending.performing = None;
            active.buffer(Chunk { entries: vec![entry], ..Chunk::default() });
            // What the world was told is recorded before the script goes on; what was only read
            // may wait for the next commit.
            if outside && let Some(chunk) = active.take(false) {
                if let Some(pending) = active.pending(ticket) {
                    pending.behind = chunk.0;
                }
                let then = Then::Outcome(ticket, Some(outcome));
                return self.append(ticket.run, chunk, then).await;
            }
        }
        if outcome == Outcome::Pending {
            self.wait(ticket);
        } else {
            self.answer_cell(ticket, outcome);
        }
    }

    /// The store answers the effect: when another run has ended, or when a moment has come.
    fn wait(&mut self, ticket: Ticket) {
        let pending = self.runs.get_mut(&ticket.run).and_then(|run| run.pending(ticket));
        if let Some(pending) = pending {
            pending.waiting = Some(Instant::now());
        }
    }

    fn answer_cell(&mut self, ticket: Ticket, outcome: Outcome) {
        let Some(active) = self.runs.get_mut(&ticket.run) else { return };
        if let Some(Pending { key, .. }) = active.finish(ticket) {
            self.push(&ToCell::Outcome { run: ticket.run, key, outcome });
        }
    }

    /// The answer of a wait came while its run is still in the cell.
    pub(super) fn answer(&mut self, run: &RunId, key: &Key, outcome: Outcome) {
        let active = self.runs.values().find(|active| active.id() == run);
        if let Some(ticket) = active.and_then(|active| active.ticket_of(key)) {
            self.answer_cell(ticket, outcome);
        }
    }
}

/// The outcome of an effect, or its failure when it takes longer than it may.
async fn limited(performing: impl Future<Output = Outcome>, within: Option<Within>) -> Outcome {
    let Some(within) = within else { return performing.await };
    let length = Duration::from_micros(within.micros);
    let outcome = tokio::time::timeout(length, performing).await;
    outcome.unwrap_or_else(|_| Outcome::Failed(within.failure()))
}
