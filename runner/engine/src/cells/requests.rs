//! What a cell says, taken in: nothing of it is believed.

use std::sync::Arc;
use std::time::Instant;

use signalbox_cell::protocol::{Effect, End, FromCell, Request, ToCell};
use signalbox_core::catalog::ConnectorKind;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Chunk, Entry, Failure, Key, Level, LogLine, Outcome};
use signalbox_core::run::{Ending, Reason, RunError};
use signalbox_core::{RunId, Value, value};
use signalbox_store::contract::{Internal, InternalEffect, StateChange, Write};

use super::active::{Pending, Phase, Stop};
use super::driver::Driver;
use crate::border::{MAX_VALUE, check_state_name, check_value};
use crate::broker::{Asked, Broker};
use crate::effects::{self, Context};
use crate::link::{Command, Ticket};
use crate::recorder::{Job, Then};
use crate::runs::new_id;

impl Driver {
    /// Takes one frame in.
    ///
    /// # Errors
    /// What is wrong with a frame that no cell sends at this point: the cell must go.
    pub(super) async fn take_frame(&mut self, frame: FromCell) -> Result<(), String> {
        match frame {
            // A level that is claimed later is no level that was reached.
            FromCell::Ready { .. } if self.isolation.is_some() => {
                Err("it says twice that it is ready".to_owned())
            }
            _ if self.isolation.is_none() && !matches!(frame, FromCell::Ready { .. }) => {
                Err("it speaks before it is ready".to_owned())
            }
            FromCell::Ready { isolation } => {
                self.isolation = Some(isolation.min(3));
                self.shared.set_isolation(isolation.min(3));
                Ok(())
            }
            FromCell::Began { run } => {
                self.head(run)?.seen = true;
                Ok(())
            }
            FromCell::Effect(effect) => self.effect(*effect).await,
            FromCell::Waiting { .. } => Err("it has no branches".to_owned()),
            FromCell::Flush { run, chunk } => {
                let head = self.head(run)?;
                head.seen = true;
                if let Phase::Stopping { .. } = head.phase {
                    return Ok(());
                }
                let within = head.buffer(chunk);
                self.flush(run).await;
                if !within {
                    self.stop(run, Stop::JournalFull);
                }
                Ok(())
            }
            FromCell::Ended { run, chunk, end } => self.ended(run, chunk, end).await,
            FromCell::Unwound { run } => {
                let Phase::Stopping { why, .. } = self.head(run)?.phase else {
                    return Err("a run was stopped that nobody stopped".to_owned());
                };
                self.stopped(run, why).await;
                Ok(())
            }
            FromCell::Returned { runs } => {
                // The first in line may be among them: it was not begun when the one before ended.
                let begun = |run: &u32| self.runs.get(run).is_some_and(|active| active.seen);
                if runs.iter().any(begun) {
                    return Err("it gives a run back that it had begun".to_owned());
                }
                self.returned(runs).await;
                Ok(())
            }
            FromCell::Facts(_) | FromCell::Checked => {
                Err("a check was answered that nobody asked for".to_owned())
            }
        }
    }

    /// The run that the cell evaluates, if it is the one that the cell speaks of.
    fn head(&mut self, run: u32) -> Result<&mut super::active::Active, String> {
        if self.order.front() != Some(&run) {
            return Err("it speaks for a run that it does not evaluate".to_owned());
        }
        self.runs.get_mut(&run).ok_or_else(|| "it speaks for an unknown run".to_owned())
    }

    async fn ended(&mut self, run: u32, chunk: Chunk, end: End) -> Result<(), String> {
        if !self.runs.contains_key(&run) && self.order.front() != Some(&run) {
            // It was cancelled before it began; the cell did not know.
            return Ok(());
        }
        let head = self.head(run)?;
        match head.phase {
            // Stopping is sticky: what the script made of it does not count.
            Phase::Stopping { why, .. } if why != Stop::Suspend => {
                self.stopped(run, why).await;
                return Ok(());
            }
            Phase::InEffect(_) => return Err("a run ended inside of an effect".to_owned()),
            Phase::Stopping { .. } | Phase::Evaluating | Phase::Sent => {}
        }
        match end {
            End::Incompatible(message) => self.park(run, message).await,
            End::NotWanted => self.end(run, chunk, Ending::Skipped(Reason::NotWanted)).await,
            End::ContinueAs(_) => return Err("it cannot be continued".to_owned()),
            End::Error(reason, error, _) => {
                self.end(run, chunk, Ending::Failed(reason, bounded(error))).await;
            }
            End::Result(result) => {
                let ending = match check_value(&result, MAX_VALUE, "its result") {
                    Ok(()) => Ending::Succeeded(result),
                    Err(failure) => Ending::Failed(
                        Reason::ScriptError,
                        RunError::plain(failure.code, failure.message),
                    ),
                };
                self.end(run, chunk, ending).await;
            }
        }
        Ok(())
    }

    async fn park(&mut self, run: u32, message: String) {
        let Some(active) = self.forget(run) else { return };
        let write = Write::Park {
            run: active.id().clone(),
            epoch: active.epoch(),
            message: signalbox_core::journal::cut(message, 4096),
            reason: Reason::Incompatible,
        };
        let of = Arc::clone(&active.of);
        let then = Then::State(signalbox_core::run::State::Suspended);
        self.record(Job { of, write, then }).await;
    }

    // --- effects ---

    async fn effect(&mut self, effect: Effect) -> Result<(), String> {
        let Effect { run, chunk, key, fingerprint, request, .. } = effect;
        self.effects = self.effects.wrapping_add(1);
        let ticket = Ticket { run, effect: self.effects };
        let head = self.head(run)?;
        head.seen = true;
        match head.phase {
            // It was asked to stop; it will see that before it sees an outcome.
            Phase::Stopping { .. } => return Ok(()),
            Phase::InEffect(_) => {
                return Err("an effect was asked for inside of another".to_owned());
            }
            Phase::Sent | Phase::Evaluating => {}
        }
        let asked = head.asked.remove(&key);
        let within = head.buffer(chunk);
        head.phase = Phase::InEffect(Pending {
            ticket,
            key,
            kind: request.kind(),
            fingerprint,
            waiting: None,
            until: None,
            request: None,
        });
        match (asked, &request) {
            _ if !within => self.stop(run, Stop::JournalFull),
            // A call that was made before lacks its answer only.
            (Some(at), Request::Call { target, wait: true, .. }) => {
                let live = self.shared.live.load_full();
                let timeout = Broker::timeout_of(&live, target);
                self.wait(ticket, timeout.map(|timeout| at.plus(timeout)));
            }
            _ => self.perform(ticket, request).await,
        }
        Ok(())
    }

    async fn perform(&mut self, ticket: Ticket, request: Request) {
        match request {
            Request::StateGet { .. }
            | Request::StateList { .. }
            | Request::Secret { .. }
            | Request::Hmac { .. } => {
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
            Request::Flow { .. }
            | Request::FlowWait { .. }
            | Request::Sleep { .. }
            | Request::SleepUntil { .. } => {
                let failure = Failure::permanent(Code::Internal, "not there yet");
                self.outcome(ticket, Outcome::Failed(failure), false).await;
            }
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
                if !self.append(ticket.run, Then::Durable(ticket)).await {
                    self.durable(ticket);
                }
            }
        }
    }

    /// What was recorded before an outside effect is durable: now it may start.
    pub(super) fn durable(&mut self, ticket: Ticket) {
        let pending = self.runs.get_mut(&ticket.run).and_then(|run| run.pending(ticket));
        if let Some(request) = pending.and_then(|pending| pending.request.take()) {
            self.perform_outside(ticket, *request);
        }
    }

    /// Performs an effect beside the driver; its outcome comes back as a command.
    fn perform_outside(&mut self, ticket: Ticket, request: Request) {
        let Some(active) = self.runs.get_mut(&ticket.run) else { return };
        let Some(key) = active.pending(ticket).map(|pending| pending.key.clone()) else { return };
        let context = Context {
            shared: Arc::clone(&self.shared),
            pinned: Arc::clone(&active.assignment.pinned),
            run: active.id().clone(),
            key,
        };
        let commands = self.commands.clone();
        let task = tokio::spawn(async move {
            let outcome = effects::perform(&context, request).await;
            drop(commands.send(Command::Outcome { ticket, outcome, recorded: false }).await);
        });
        active.performing = Some(task.abort_handle());
    }

    /// Performs an effect inside the transaction that records it.
    async fn internal(&mut self, ticket: Ticket, effect: InternalEffect) {
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
                self.internal(ticket, InternalEffect::State { workspace, name, change }).await;
            }
            Err(failure) => self.outcome(ticket, Outcome::Failed(failure), false).await,
        }
    }

    async fn call(&mut self, ticket: Ticket, target: String, inputs: Vec<u8>, wait: bool) {
        let Some(active) = self.runs.get(&ticket.run) else { return };
        let caller = &active.assignment.claim.run;
        let now = self.shared.clock.now();
        let id = match new_id(now) {
            Ok(id) => id,
            Err(error) => {
                let failure = Failure::transient(Code::Internal, error.to_string());
                return self.outcome(ticket, Outcome::Failed(failure), false).await;
            }
        };
        let asked = Asked { target, inputs: &inputs, wait };
        let live = self.shared.live.load_full();
        match self.shared.broker.decide(&live, (id, now), caller, asked) {
            Ok((call, until)) => {
                let pending = self.runs.get_mut(&ticket.run).and_then(|run| run.pending(ticket));
                if let Some(pending) = pending {
                    pending.until = until;
                }
                self.internal(ticket, InternalEffect::Call(Box::new(call))).await;
            }
            Err(denied) => {
                let (record, failure) = *denied;
                self.internal(ticket, InternalEffect::Refused(Box::new(record), failure)).await;
            }
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
        let until = pending.until;
        if !recorded {
            let outside = matches!(pending.kind, "http" | "connector");
            let entry = Entry {
                key: pending.key.clone(),
                kind: pending.kind.to_owned(),
                fingerprint: pending.fingerprint,
                outcome: outcome.clone(),
                at,
            };
            active.performing = None;
            active.buffer(Chunk { entries: vec![entry], ..Chunk::default() });
            // What the world was told is recorded before the script goes on; what was only read
            // may wait for the next commit.
            let then = Then::Outcome(ticket, Some(outcome.clone()));
            if outside && self.append(ticket.run, then).await {
                return;
            }
        }
        if outcome == Outcome::Pending {
            self.wait(ticket, until);
        } else {
            self.answer_cell(ticket.run, outcome);
        }
    }

    /// The run waits for the run that it called, until then at most.
    fn wait(&mut self, ticket: Ticket, until: Option<Timestamp>) {
        let Some(active) = self.runs.get_mut(&ticket.run) else { return };
        let run = active.id().clone();
        let Some(pending) = active.pending(ticket) else { return };
        pending.waiting = Some(Instant::now());
        pending.until = until;
        if let Some(until) = until {
            self.shared.waits.add(until, run, pending.key.clone());
        }
    }

    fn answer_cell(&mut self, run: u32, outcome: Outcome) {
        if let Some(active) = self.runs.get_mut(&run) {
            let phase = std::mem::replace(&mut active.phase, Phase::Evaluating);
            if let Phase::InEffect(Pending { key, .. }) = phase {
                self.push(&ToCell::Outcome { run, key, outcome });
            }
        }
    }

    /// The answer of a call came while its caller is still in the cell.
    pub(super) fn answer(&mut self, run: &RunId, key: &Key, outcome: Outcome) {
        let waiting = self.runs.iter().find(|(_, active)| {
            active.id() == run
                && matches!(&active.phase, Phase::InEffect(pending) if pending.key == *key)
        });
        if let Some((number, _)) = waiting {
            let number = *number;
            self.answer_cell(number, outcome);
        }
    }
}

/// An error as a cell sends it, brought within its bounds.
fn bounded(mut error: RunError) -> RunError {
    error.message = signalbox_core::secret::hide_markers(&error.message);
    error.message = signalbox_core::journal::cut(error.message, 4096);
    error.file = error.file.map(|file| signalbox_core::journal::cut(file, 512));
    if error.code == Code::Internal {
        error.code = Code::ScriptError;
    }
    error
}
