//! What no cell says that is one: found before anything of it is kept.

use signalbox_core::journal::{Chunk, Key, LogLine, Outcome};
use signalbox_core::run::{Reason, StepRecord};

/// What a cell records of itself. Everything else in a journal is the runner's own word.
const OWN: [&str; 7] = ["begun", "log", "now", "random", "skipped", "step", "uuid"];
/// Longest path of a scope, in bytes: four times that of the steps in it.
const MAX_SCOPE: usize = 4 << 10;
/// Longest message of a failure, with room for its code and a mark where it was cut.
const MAX_MESSAGE: usize = 5 << 10;
/// Longest log line: no log has more. Its mark comes on top.
pub(super) const MAX_LOG: usize = (1 << 20) + 4096;

/// Looks at where an effect stands.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_key(key: &Key) -> Result<(), String> {
    if key.scope.len() > MAX_SCOPE {
        return Err(format!("a path of more than {MAX_SCOPE} bytes"));
    }
    Ok(())
}

/// Looks at what a cell wants to have recorded.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_chunk(chunk: &Chunk) -> Result<(), String> {
    for entry in &chunk.entries {
        check_key(&entry.key)?;
        if !OWN.contains(&entry.kind.as_str()) {
            return Err("it records an effect that is not a cell's to record".to_owned());
        }
        match &entry.outcome {
            Outcome::Pending => return Err("it records what has no outcome".to_owned()),
            Outcome::Failed(failure) if failure.message.len() > MAX_MESSAGE => {
                return Err(format!("a failure of more than {MAX_MESSAGE} bytes"));
            }
            Outcome::Done(_) | Outcome::Failed(_) => {}
        }
    }
    let lines = chunk.entries.iter().filter(|entry| entry.kind == "log").count();
    if chunk.logs.len() > lines {
        return Err("log lines that it does not record".to_owned());
    }
    let long = |line: &LogLine| line.step.len() > MAX_SCOPE;
    let broken = |step: &StepRecord| {
        step.id.len() > MAX_SCOPE || step.error.as_ref().is_some_and(|e| e.len() > MAX_MESSAGE)
    };
    if chunk.logs.iter().any(long) || chunk.steps.iter().any(broken) {
        return Err("a step that no flow has".to_owned());
    }
    Ok(())
}

/// Looks at why a cell says that its run failed: the other reasons are the runner's to give.
///
/// # Errors
/// It is one of those.
pub(super) fn check_reason(reason: Reason) -> Result<(), String> {
    match reason {
        Reason::ScriptError | Reason::LimitExceeded | Reason::Denied | Reason::TimedOut => Ok(()),
        other => Err(format!("a run that ended because of `{}`", other.as_str())),
    }
}
