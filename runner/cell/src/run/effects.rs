//! Effects: looked up in the journal first, executed only when they are not there.

use signalbox_core::Digest;
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Entry, Failure, Key, Outcome};
use signalbox_core::value::{decode, encode};

use super::replay::Recorded;
use super::{MAX_ENTRIES, MAX_JOURNAL, Run, Stop};
use crate::context::{self, State};
use crate::protocol::{Effect, FromCell, Request, malformed_value};
use crate::script::error::HostResult;

/// Largest request of an effect: DESIGN §6.7.
const MAX_REQUEST: usize = 4 << 20;

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

/// `None`: the run must stop.
fn ask_here(state: &mut State, request: Request) -> Option<Outcome> {
    let run = state.run()?;
    let kind = request.kind();
    let Ok(bytes) = postcard::to_allocvec(&request) else {
        return Some(Outcome::Failed(malformed_value()));
    };
    if bytes.len() > MAX_REQUEST {
        let message =
            format!("a request of {} bytes is over the bound of {MAX_REQUEST}", bytes.len());
        return Some(Outcome::Failed(Failure::permanent(Code::LimitExceeded, message)));
    }
    let fingerprint = Digest::of_parts([kind.as_bytes(), &bytes]);
    let key = run.next_key()?;
    let waits = matches!(request, Request::Call { wait: true, .. });
    match run.recorded(&key, kind, fingerprint)? {
        // A call is asked for again under its key: the runner answers when the callee has ended.
        Some(Outcome::Pending) if waits => {}
        Some(outcome) => return Some(outcome),
        None => {}
    }
    let chunk = run.take_chunk();
    let number = run.start.run;
    if !std::mem::replace(&mut run.announced, true) {
        state.link.push(&FromCell::Began { run: number });
    }
    let effect = Effect { run: number, chunk, key, fingerprint, request };
    state.link.push(&FromCell::Effect(Box::new(effect)));
    let Some(outcome) = state.link.wait_outcome() else {
        state.run()?.set_stop(Stop::Unwind);
        return None;
    };
    state.run()?.count(&outcome)?;
    Some(outcome)
}

impl Run {
    /// The key of the next effect. `None`: the run must stop.
    pub(super) fn next_key(&mut self) -> Option<Key> {
        if self.stop.is_some() {
            return None;
        }
        if let Some(place) = self.pure.last() {
            let message = format!(
                "an effect inside {place}: how often and in which order that runs is not defined"
            );
            self.set_stop(Stop::Forbidden(message));
            return None;
        }
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            self.set_stop(Stop::Limit(format!("more than {MAX_ENTRIES} effects in one run")));
            return None;
        }
        let attempt = self.start.about.attempt;
        let scope = self.scopes.last_mut()?;
        let ordinal = scope.ordinal;
        scope.ordinal += 1;
        Some(Key { scope: scope.path.clone(), attempt, ordinal })
    }

    /// What the journal has under a key. The outer `None`: the run must stop.
    #[expect(clippy::option_option, reason = "the outer one is the `?` of every caller")]
    pub(super) fn recorded(
        &mut self,
        key: &Key,
        kind: &str,
        fingerprint: Digest,
    ) -> Option<Option<Outcome>> {
        match self.replay.look_up(key, kind, fingerprint) {
            Recorded::Absent => Some(None),
            Recorded::Here(outcome, at) => {
                for scope in &mut self.scopes {
                    scope.started_at = scope.started_at.min(at);
                }
                self.count(&outcome)?;
                Some(Some(outcome))
            }
            Recorded::Other(message) => {
                self.set_stop(Stop::Incompatible(message));
                None
            }
        }
    }

    /// Counts an outcome towards the bound of the journal. `None`: the run must stop.
    pub(super) fn count(&mut self, outcome: &Outcome) -> Option<()> {
        self.bytes += match outcome {
            Outcome::Pending => 0,
            Outcome::Done(bytes) => bytes.len(),
            Outcome::Failed(failure) => failure.message.len(),
        };
        if self.bytes > MAX_JOURNAL {
            self.set_stop(Stop::Limit(format!("a journal of more than {MAX_JOURNAL} bytes")));
            return None;
        }
        Some(())
    }

    /// Has an outcome recorded that came about in the cell.
    pub(super) fn record(&mut self, key: Key, kind: &str, fingerprint: Digest, outcome: Outcome) {
        let bytes = match &outcome {
            Outcome::Done(bytes) => bytes.len(),
            Outcome::Pending | Outcome::Failed(_) => 0,
        };
        // Going over the bound is noticed at the next effect, whoever caused it.
        self.count(&outcome);
        self.wait_for_record(bytes + key.scope.len() + 64);
        let at = crate::clock::now();
        self.chunk.entries.push(Entry { key, kind: kind.to_owned(), fingerprint, outcome, at });
    }
}
