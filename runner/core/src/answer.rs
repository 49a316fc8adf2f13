//! What whoever waits for a run gets at its end.

use crate::codes::Code;
use crate::journal::{Failure, Outcome};
use crate::run::{Ending, Reason};

/// The answer to a run that waits for one that ends like this.
pub fn answer_of(ending: &Ending) -> Outcome {
    let failure = match ending {
        Ending::Succeeded(result) => return Outcome::Done(result.clone()),
        Ending::Failed(reason, error) => {
            let message = format!("the called run failed: {} {}", error.code, error.message);
            let failure = Failure::permanent(Code::CallFailed, message);
            // What went wrong in a script may go right the next time; a bound stays a bound.
            Failure { retryable: *reason == Reason::ScriptError, ..failure }
        }
        Ending::Cancelled | Ending::Skipped(_) => {
            Failure::permanent(Code::Cancelled, "the called run was cancelled")
        }
    };
    Outcome::Failed(failure)
}
