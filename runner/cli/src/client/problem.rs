//! Refusals of the server, as people read them.

use reqwest::StatusCode;
use serde_json::Value;
use signalbox_core::codes::Code;

use crate::exit::{Exit, Failure};
use crate::faults::Fault;
use crate::fields::{list, text};
use crate::table::visible;

/// The failure that a problem document (`application/problem+json`) tells.
pub(super) fn failure(status: StatusCode, problem: &Value) -> Failure {
    let code: Option<Code> = text(problem, "/code").parse().ok();
    let said = match text(problem, "/detail") {
        "" => text(problem, "/title"),
        detail => detail,
    };
    let mut said = visible(said);
    for fault in list(problem, "/faults") {
        let (input, message) = (text(fault, "/input"), text(fault, "/message"));
        // One fault alone is told by the detail already.
        if said.contains(message) {
            continue;
        }
        said.push_str(&visible(&match input {
            "" => format!("\n  {message}"),
            input => format!("\n  {input}: {message}"),
        }));
    }
    let mut failure = Failure::new(exit(status), said);
    failure.code = code;
    failure.faults = Fault::list(list(problem, "/diagnostics"));
    match code {
        Some(Code::Unauthorized) => {
            failure.help("name the token's file with `--token-file`, or set SIGNALBOX_TOKEN")
        }
        Some(Code::QueueFull) => failure.help("try again when some of the queued runs have ended"),
        _ => failure,
    }
}

fn exit(status: StatusCode) -> Exit {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Configuration,
        status if status.is_server_error() => Exit::Environment,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_exit_code_says_who_can_mend_it() {
        let exit_of = |status: u16| {
            let problem = json!({ "code": "SB0603", "title": "no such thing", "detail": "" });
            failure(StatusCode::from_u16(status).unwrap(), &problem).exit
        };
        assert_eq!(exit_of(401), Exit::Configuration);
        assert_eq!(exit_of(404), Exit::Failed);
        assert_eq!(exit_of(503), Exit::Environment);
    }

    #[test]
    fn a_problem_keeps_its_code_its_detail_and_its_faults() {
        let problem = json!({
            "code": "SB0602", "title": "inputs that the flow refuses", "detail": "one input is wrong",
            "faults": [{ "input": "n", "message": "is missing" }],
            "diagnostics": [{ "code": "SB0122", "severity": "error", "message": "a default" }],
        });
        let failure = failure(StatusCode::UNPROCESSABLE_ENTITY, &problem);
        assert_eq!(failure.message, "one input is wrong\n  n: is missing");
        assert_eq!(failure.code, Some(Code::InvalidInputs));
        assert_eq!(failure.faults.len(), 1);
    }
}
