//! Internal effects: performed inside the transaction that records them.

use rusqlite::{OptionalExtension as _, params};
use signalbox_core::broker::Rule;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Failure, Key, Outcome};
use signalbox_core::run::{NewRun, State, Trigger};
use signalbox_core::value::{decode, encode};
use signalbox_core::{RunId, Value, WorkspaceName};

use super::aftermath;
use super::columns::{self, id_bytes, state_number};
use super::settle;
use super::turns::{self, Placed};
use super::tx::Tx;
use super::waits::{self, For};
use crate::contract::{
    CallDecision, CallRecord, Error, InternalEffect, NewCall, NewFlow, StateChange,
};

/// Largest value of the state in canonical bytes: DESIGN §6.7, as a run's inputs.
const MAX_STATE_VALUE: usize = signalbox_core::bounds::VALUE;
/// Longest name of a value of the state, in bytes.
const MAX_STATE_NAME: usize = 200;

/// Performs an effect of the run `caller` at `key`. A failure of the effect is an outcome; only
/// one of the store is an error.
pub(super) fn perform(
    tx: &mut Tx<'_>,
    caller: i64,
    key: &Key,
    effect: InternalEffect,
) -> Result<Outcome, Error> {
    match effect {
        InternalEffect::State { workspace, name, change } => {
            let changed = change_state(tx, &workspace, &name, change)?;
            Ok(match changed {
                Ok(value) => Outcome::Done(encode(&value)),
                Err(message) => Outcome::Failed(Failure::permanent(Code::EffectFailed, message)),
            })
        }
        InternalEffect::Call(call) => start_call(tx, caller, key, *call),
        InternalEffect::Flow(flow) => start_flow(tx, caller, key, *flow),
        InternalEffect::Wait { run } => wait(tx, caller, key, &run),
        InternalEffect::Sleep { until } => {
            waits::add(tx, caller, key, For::Moment(until))?;
            Ok(Outcome::Pending)
        }
        InternalEffect::Refused(record, failure, handlers) => {
            record_call(tx, caller, key, &record, None)?;
            for handler in handlers {
                aftermath::enqueue(tx, handler)?;
            }
            Ok(Outcome::Failed(failure))
        }
    }
}

/// What a change of the state gives, or why it cannot be made.
type Changed = Result<Value, String>;

fn change_state(
    tx: &mut Tx<'_>,
    workspace: &WorkspaceName,
    name: &str,
    change: StateChange,
) -> Result<Changed, Error> {
    if name.is_empty() || name.len() > MAX_STATE_NAME {
        return Ok(Err(format!("a state's name has 1 to {MAX_STATE_NAME} bytes")));
    }
    let workspace = tx.workspace(workspace)?;
    let before = read_state(tx, workspace, name)?;
    match change {
        StateChange::Set(value) => set_state(tx, workspace, name, &value, Value::Null),
        StateChange::Add(number) => {
            let present = match before.as_deref().map(decode).transpose() {
                Ok(None) => 0,
                Ok(Some(Value::Int(present))) => present,
                Ok(Some(other)) => {
                    return Ok(Err(format!("`{name}` is no integer but of kind {}", other.kind())));
                }
                Err(error) => return Err(Error::Corrupt(format!("state `{name}`: {error}"))),
            };
            match present.checked_add(number) {
                Some(sum) => {
                    set_state(tx, workspace, name, &encode(&Value::Int(sum)), Value::Int(sum))
                }
                None => Ok(Err(format!("{present} + {number} is beyond the integers"))),
            }
        }
        StateChange::Swap { expected, value } => {
            if before == expected {
                set_state(tx, workspace, name, &value, Value::Bool(true))
            } else {
                Ok(Ok(Value::Bool(false)))
            }
        }
        StateChange::Delete => {
            tx.connection
                .prepare_cached("DELETE FROM state WHERE workspace = ? AND name = ?")?
                .execute(params![workspace, name])?;
            Ok(Ok(Value::Bool(before.is_some())))
        }
    }
}

fn read_state(tx: &Tx<'_>, workspace: i64, name: &str) -> Result<Option<Vec<u8>>, Error> {
    Ok(tx
        .connection
        .prepare_cached("SELECT value FROM state WHERE workspace = ? AND name = ?")?
        .query_row(params![workspace, name], |row| row.get(0))
        .optional()?)
}

fn set_state(
    tx: &Tx<'_>,
    workspace: i64,
    name: &str,
    value: &[u8],
    then: Value,
) -> Result<Changed, Error> {
    if value.len() > MAX_STATE_VALUE {
        return Ok(Err(format!("`{name}` would have {} bytes of at most 1 MiB", value.len())));
    }
    if let Err(error) = decode(value) {
        return Ok(Err(error.to_string()));
    }
    tx.connection
        .prepare_cached(
            "INSERT INTO state (workspace, name, value) VALUES (?, ?, ?)
             ON CONFLICT DO UPDATE SET value = excluded.value",
        )?
        .execute(params![workspace, name, value])?;
    Ok(Ok(then))
}

/// Starts the run of a call, and records the decision.
pub(super) fn start_call(
    tx: &mut Tx<'_>,
    caller: i64,
    key: &Key,
    call: NewCall,
) -> Result<Outcome, Error> {
    let NewCall { run, queue_bound, mut record, wait, until } = call;
    if tx.waiting_in(&run.workspace) >= queue_bound as usize {
        record.decision = CallDecision::Refused;
        record.rule = Rule::QueueFull;
        record_call(tx, caller, key, &record, None)?;
        return Ok(full(&run.workspace, queue_bound));
    }
    record_call(tx, caller, key, &record, Some((&run.id, wait)))?;
    start(tx, caller, run, wait.then_some((key, until)))
}

fn start_flow(tx: &mut Tx<'_>, caller: i64, key: &Key, flow: NewFlow) -> Result<Outcome, Error> {
    let NewFlow { run, queue_bound, wait } = flow;
    if tx.waiting_in(&run.workspace) >= queue_bound as usize {
        return Ok(full(&run.workspace, queue_bound));
    }
    start(tx, caller, run, wait.then_some((key, None)))
}

fn full(workspace: &WorkspaceName, bound: u32) -> Outcome {
    let message = format!("the queue of {workspace} holds {bound} runs already");
    Outcome::Failed(Failure::transient(Code::QueueFull, message))
}

/// Queues a run that another one starts, and waits for if it gives a key.
fn start(
    tx: &mut Tx<'_>,
    caller: i64,
    run: NewRun,
    wait: Option<(&Key, Option<Timestamp>)>,
) -> Result<Outcome, Error> {
    let (id, at) = (run.id.clone(), run.queued_at);
    Ok(match (turns::place(tx, run, None)?, wait) {
        (Placed::Skipped(holder), _) => {
            settle_call(tx, &id, at)?;
            let message =
                format!("run {id} was skipped: run {holder} has its key (`when_full: skip`)");
            Outcome::Failed(Failure::transient(Code::CallFailed, message))
        }
        (Placed::Queued(seq), Some((key, until))) => {
            waits::add(tx, caller, key, For::Run(seq, until))?;
            Outcome::Pending
        }
        (Placed::Queued(_), None) => Outcome::Done(encode(&Value::from(id.as_str()))),
    })
}

/// The called run was skipped at once.
fn settle_call(tx: &Tx<'_>, run: &RunId, at: Timestamp) -> Result<(), Error> {
    tx.connection
        .prepare_cached("UPDATE calls SET state = ?, ended_at = ? WHERE run = ?")?
        .execute(params![state_number(State::Skipped), at.0, id_bytes(run)?])?;
    Ok(())
}

/// Waits for a run that the caller started, or for whichever continues it.
fn wait(tx: &mut Tx<'_>, caller: i64, key: &Key, run: &RunId) -> Result<Outcome, Error> {
    let Some(callee) = started_by(tx, caller, run)? else {
        let message = format!("run {run} was not started by this run with `flow::start`");
        return Ok(Outcome::Failed(Failure::permanent(Code::NotFound, message)));
    };
    let last = last_of(tx, callee)?;
    if let Some(answer) = settle::answer_of(tx, last)? {
        return Ok(answer);
    }
    waits::add(tx, caller, key, For::Run(last, None))?;
    Ok(Outcome::Pending)
}

fn started_by(tx: &Tx<'_>, caller: i64, run: &RunId) -> Result<Option<i64>, Error> {
    let found: Option<(i64, String, [u8; 16])> = tx
        .connection
        .prepare_cached(
            "SELECT seq, trigger, (SELECT id FROM runs WHERE seq = ?) FROM runs WHERE id = ?",
        )?
        .query_row(params![caller, id_bytes(run)?], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((seq, trigger, caller)) = found else { return Ok(None) };
    let caller = columns::run_id(caller)?;
    let is_own = match columns::from_json(&trigger)? {
        Trigger::Flow { run, .. } => run == caller,
        Trigger::Schedule { .. }
        | Trigger::Call { .. }
        | Trigger::Handler { .. }
        | Trigger::Alarm { .. }
        | Trigger::Webhook { .. }
        | Trigger::Api
        | Trigger::Retry { .. }
        | Trigger::Continue { .. } => false,
    };
    Ok(is_own.then_some(seq))
}

/// The last of a run's successors; the run itself when it has none.
fn last_of(tx: &Tx<'_>, run: i64) -> Result<i64, Error> {
    let mut statement = tx.connection.prepare_cached(
        "SELECT next.seq FROM runs AS r JOIN runs AS next ON next.id = r.successor
         WHERE r.seq = ?",
    )?;
    let mut last = run;
    while let Some(next) = statement.query_row([last], |row| row.get(0)).optional()? {
        last = next;
    }
    Ok(last)
}

/// Records a decision, with the run it started and whether the caller waits for that.
pub(super) fn record_call(
    tx: &mut Tx<'_>,
    caller: i64,
    key: &Key,
    record: &CallRecord,
    started: Option<(&RunId, bool)>,
) -> Result<(), Error> {
    let (workspace, flow) = tx.flow(&record.caller.workspace, &record.caller.flow)?;
    let callee = match &record.callee {
        Some((workspace, flow)) => Some(tx.flow(workspace, flow)?),
        None => None,
    };
    let caller_run = record.caller_run.as_ref().map(id_bytes).transpose()?;
    // Not null in the schema: no bytes stand for no run.
    let caller_run = caller_run.as_ref().map_or(&[][..], |bytes| &bytes[..]);
    let mut statement = tx.connection.prepare_cached(
        "INSERT INTO calls (at, allowed, rule, caller_workspace, caller_flow, caller, caller_run,
                            target, callee_workspace, callee_flow, service, version, inputs, run,
                            waits, scope, attempt, ordinal)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    statement.execute(params![
        record.at.0,
        record.decision == CallDecision::Allowed,
        record.rule.as_str(),
        workspace,
        flow,
        caller,
        caller_run,
        record.target,
        callee.map(|(workspace, _)| workspace),
        callee.map(|(_, flow)| flow),
        record.service.as_ref().map(|(name, _)| name),
        record.service.as_ref().map(|(_, version)| version),
        record.inputs.0,
        started.map(|(run, _)| id_bytes(run)).transpose()?,
        started.is_some_and(|(_, wait)| wait),
        key.scope,
        key.attempt,
        key.ordinal,
    ])?;
    Ok(())
}
