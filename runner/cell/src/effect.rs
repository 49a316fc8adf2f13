//! Effects as host functions have them: looked up in the journal first, executed only when they
//! are not there.

use signalbox_core::bounds::{Figure, REQUEST};
use signalbox_core::codes::Code;
use signalbox_core::journal::{Failure, Key, Level, Outcome};
use signalbox_core::secret::hide_markers;
use signalbox_core::value::{decode, encode};
use signalbox_core::{Digest, Value};

use crate::context::{self, State};
use crate::fault::HostResult;
use crate::protocol::{Effect, FromCell, Request, malformed_value};
use crate::run::{Run, Stop};

/// Asks the runner for an effect and waits for its outcome.
///
/// # Errors
/// What the effect failed with, for the script to catch; or that the run must stop.
pub(crate) fn ask(request: Request) -> HostResult<Value> {
    let outcome = context::effect(|state| ask_here(state, request))?;
    settle(outcome)
}

/// Performs an effect that needs nobody, and has it recorded later.
///
/// # Errors
/// That the run must stop.
pub(crate) fn cheap(
    kind: &'static str,
    request: &[u8],
    make: impl FnOnce(&mut Run) -> Value,
) -> HostResult<Value> {
    let outcome = context::effect(|state| {
        let run = state.run()?;
        let fingerprint = Digest::of_parts([kind.as_bytes(), request]);
        let key = run.next_key()?;
        if let Some(outcome) = run.recorded(&key, kind, fingerprint)? {
            return Some(outcome);
        }
        let value = make(run);
        let outcome = Outcome::Done(encode(&value));
        run.record(key, kind, fingerprint, outcome.clone());
        Some(outcome)
    })?;
    settle(outcome)
}

/// Writes a line, until the log of the run is full. Markers of secrets show the secret's name.
///
/// # Errors
/// That the run must stop.
pub(crate) fn log(level: Level, message: &str) -> HostResult<()> {
    context::work(message.len())?;
    let message = hide_markers(message);
    context::effect(|state| state.run()?.log(level, message))
}

fn settle(outcome: Outcome) -> HostResult<Value> {
    match outcome {
        Outcome::Done(bytes) => decode(&bytes).map_err(|_| context::throw(malformed_value())),
        Outcome::Failed(failure) => Err(context::throw(failure)),
        Outcome::Pending => Err(context::throw(Failure::permanent(
            Code::EffectFailed,
            "it was under way when the runner died, so its outcome is unknown; it is not repeated",
        ))),
    }
}

/// `None`: the run, the branch or the try must stop.
fn ask_here(state: &mut State, request: Request) -> Option<Outcome> {
    let waits = request.is_wait();
    let outcome = outcome_of(state, request)?;
    (waits || !state.run()?.is_late(&outcome)).then_some(outcome)
}

fn outcome_of(state: &mut State, request: Request) -> Option<Outcome> {
    let run = state.run()?;
    let kind = request.kind();
    let Ok(bytes) = postcard::to_allocvec(&request) else {
        return Some(Outcome::Failed(malformed_value()));
    };
    if bytes.len() > REQUEST {
        let (length, bound) = (bytes.len(), Figure::Bytes(REQUEST as u64));
        let message = format!("a request of {length} bytes is over the bound of {bound}");
        return Some(Outcome::Failed(Failure::permanent(Code::LimitExceeded, message)));
    }
    let fingerprint = Digest::of_parts([kind.as_bytes(), &bytes]);
    let key = run.next_key()?;
    let waits = request.is_wait();
    match run.recorded(&key, kind, fingerprint)? {
        // What is waited for is asked for again under its key: the runner answers when it is there.
        Some(Outcome::Pending) if waits => {}
        Some(outcome) => return Some(outcome),
        None => {}
    }
    if !run.is_apart() {
        return wait_in_place(state, key, fingerprint, request);
    }
    if run.is_asked(&key) {
        run.wait_for(key);
    } else if run.may_ask() {
        run.note_asked(key.clone(), kind, fingerprint);
        run.wait_for(key.clone());
        send(state, false, key, fingerprint, request);
    } else {
        run.starve();
    }
    None
}

/// Asks for an effect beside which nothing can go on.
fn wait_in_place(
    state: &mut State,
    key: Key,
    fingerprint: Digest,
    request: Request,
) -> Option<Outcome> {
    let asked = key.clone();
    if state.run()?.is_asked(&key) {
        // It was asked for when there was something beside it.
        state.say_waiting();
    } else {
        send(state, true, key, fingerprint, request);
    }
    let Some(outcome) = state.link.wait_outcome(&asked) else {
        state.run()?.set_stop(Stop::Unwind);
        return None;
    };
    let run = state.run()?;
    run.forget_asked(&asked);
    run.count(&outcome)?;
    Some(outcome)
}

fn send(state: &mut State, waits: bool, key: Key, fingerprint: Digest, request: Request) {
    let Some(run) = &mut state.run else { return };
    let (number, chunk) = (run.start.run, run.take_chunk());
    if !std::mem::replace(&mut run.announced, true) {
        state.link.push(&FromCell::Began { run: number });
    }
    let seen = state.link.seen();
    let within = if request.is_wait() { None } else { run.within() };
    let effect = Effect { run: number, chunk, key, fingerprint, waits, seen, within, request };
    state.link.push(&FromCell::Effect(Box::new(effect)));
}
