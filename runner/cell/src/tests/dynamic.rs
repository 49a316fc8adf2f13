//! `dynamic` of a schedule: whether a run is wanted at all.

use signalbox_core::run::Reason;
use signalbox_core::schedule::Dynamic;

use super::runner::{Answer, Record};
use super::{Runner, run};
use crate::protocol::{End, Request};

fn decide(runner: &mut Runner, code: &str, journal: &[signalbox_core::journal::Entry]) -> Record {
    runner.dynamic = Some(Dynamic { code: code.to_owned(), line: 4 });
    let program = runner.load(&run("state::add(\"ran\", 1)"));
    let run = runner.start(program, r#"{"n": 3}"#, journal);
    runner.follow(run, &mut |runner, request| Answer::Outcome(runner.perform(request)))
}

#[test]
fn a_run_that_is_not_wanted_evaluates_nothing_of_its_flow() {
    let mut runner = Runner::new();
    let record = decide(&mut runner, "inputs.n > 3", &[]);
    assert_eq!((record.end, record.requests.len()), (Some(End::NotWanted), 0));
    let wanted = decide(&mut runner, "inputs.n == 3 && slot == run::slot()", &[]);
    assert_eq!(wanted.json(), "1");
}

#[test]
fn its_effects_are_the_runs_and_are_replayed() {
    let mut runner = Runner::new();
    let record = decide(&mut runner, "state::get(\"ran\") != 7", &[]);
    let asked: Vec<_> = record.requests.iter().map(Request::kind).collect();
    assert_eq!(asked, ["state::get", "state::add"]);
    let again = decide(&mut Runner::new(), "state::get(\"ran\") != 7", &record.journal);
    assert_eq!((again.requests.len(), again.json()), (0, record.json()));
}

#[test]
fn what_is_no_truth_value_or_fails_is_an_error_at_its_line() {
    for (code, said) in [("inputs.n", "`dynamic` must be true or false"), ("1 / 0 == 1", "zero")] {
        let (reason, error) = decide(&mut Runner::new(), code, &[]).error();
        assert_eq!((reason, error.line), (Reason::ScriptError, Some(4)), "{error:?}");
        assert!(error.message.contains(said), "{error:?}");
    }
}
