//! Stopping, giving back, and many runs in line.

use signalbox_core::codes::Code;
use signalbox_core::run::Reason;

use super::runner::Answer;
use super::{Runner, run};
use crate::protocol::{FromCell, ToCell};

#[test]
fn a_run_is_unwound_in_a_tight_loop_whatever_it_catches() {
    let mut runner = Runner::new();
    runner.operations = u64::MAX;
    for code in [
        "loop { try { loop {} } catch { } }",
        "let a = [2, 1]; loop { a.dedup(|x, y| { for i in 0..999 {} false }) }",
    ] {
        let program = runner.load(&run(code));
        let run = runner.start(program, "{}", &[]);
        assert_eq!(runner.receive(), FromCell::Began { run });
        runner.send(&ToCell::Unwind { run });
        assert_eq!(runner.receive(), FromCell::Unwound { run });
    }
}

#[test]
fn a_run_that_waits_for_an_effect_is_unwound_and_cannot_swallow_it() {
    let mut runner = Runner::new();
    let program = runner.load(&run("try { broker::request(\"x\") } catch { } log::info(\"x\"); 7"));
    let number = runner.start(program, "{}", &[]);
    let record = runner.follow(number, &mut |_, _| Answer::Unwind);
    assert!(record.end.is_none() && record.logs.is_empty());
    assert_eq!(runner.evaluate(&run("1")).json(), "1");
}

#[test]
fn a_recall_returns_what_has_not_begun() {
    let mut runner = Runner::new();
    runner.operations = u64::MAX;
    let slow = runner.load(&run("loop {}"));
    let quick = runner.load(&run("1"));
    let first = runner.start(slow, "{}", &[]);
    let waiting = [runner.start(quick, "{}", &[]), runner.start(quick, "{}", &[])];
    assert_eq!(runner.receive(), FromCell::Began { run: first });
    runner.send(&ToCell::Unwind { run: waiting[0] });
    assert_eq!(runner.receive(), FromCell::Unwound { run: waiting[0] });
    runner.send(&ToCell::Recall);
    assert_eq!(runner.receive(), FromCell::Returned { runs: vec![waiting[1]] });
    runner.send(&ToCell::Unwind { run: first });
    assert_eq!(runner.receive(), FromCell::Unwound { run: first });
    runner.send(&ToCell::Recall);
    assert_eq!(runner.receive(), FromCell::Returned { runs: vec![] });
}

#[test]
fn cheap_entries_of_a_long_run_become_durable_before_its_end() {
    let mut runner = Runner::new();
    runner.operations = u64::MAX;
    let program = runner.load(&run("log::info(\"a\"); loop {}"));
    let run = runner.start(program, "{}", &[]);
    assert_eq!(runner.receive(), FromCell::Began { run });
    let FromCell::Flush { chunk, .. } = runner.receive() else { panic!() };
    assert_eq!((chunk.logs.len(), chunk.entries.len()), (1, 1));
    runner.send(&ToCell::Unwind { run });
    assert_eq!(runner.receive(), FromCell::Unwound { run });
}

#[test]
fn runs_in_line_are_evaluated_in_order() {
    let mut runner = Runner::new();
    let program = runner.load(&run("inputs.n * 2"));
    let runs: Vec<_> =
        (0..2000).map(|n| runner.start(program, &format!("{{\"n\": {n}}}"), &[])).collect();
    for (n, run) in (0_i64..).zip(runs) {
        let FromCell::Ended { run: of, end, .. } = runner.receive() else { panic!() };
        assert_eq!(of, run);
        let expected = signalbox_core::value::encode(&signalbox_core::Value::Int(n * 2));
        assert_eq!(end, crate::protocol::End::Result(expected));
    }
}

#[test]
fn a_run_without_its_program_fails_and_the_cell_lives() {
    let mut runner = Runner::new();
    let number = runner.start(77, "{}", &[]);
    let record = runner.follow(number, &mut |_, _| Answer::Unwind);
    assert_eq!(record.error().1.code, Code::Internal);
    assert_eq!(runner.evaluate(&run("1")).json(), "1");
}

#[test]
fn a_run_whose_function_panics_fails_and_the_cell_goes_on() {
    let mut runner = Runner::with(|engine| {
        engine.register_fn("burst", || -> i64 { panic!("a defect") });
    });
    for code in ["burst()", "try { burst() } catch { 1 }", "step(\"s\", || burst())"] {
        let (reason, error) = runner.evaluate(&run(code)).error();
        assert_eq!((reason, error.code), (Reason::ScriptError, Code::ScriptError), "{code}");
        assert!(error.message.contains("panicked"), "{}", error.message);
        assert_eq!(runner.evaluate(&run("state::add(\"a\", 1); step(\"s\", || 2)")).json(), "2");
    }
}
