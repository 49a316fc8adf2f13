//! Replay.

use signalbox_core::journal::Outcome;

use super::{Runner, plan_of, run};
use crate::protocol::{End, Request};

const BUSY: &str = r#"
    let a = now(); let b = random(); let c = random(1, 1000000); let d = uuid();
    log::info(`at ${a}`);
    let e = state::add("n", 1);
    let f = step("s", || [now(), 0.1, #{ k: state::add("n", 1) }]);
    let g = http::get("https://x.test").status;
    log::warn("done");
    [a, b, c, d, e, f, g]
"#;

#[test]
fn a_replay_gives_the_same_and_does_nothing_twice() {
    let mut runner = Runner::new();
    let first = runner.evaluate(&run(BUSY));
    assert_eq!(first.logs.len(), 2);
    let again = Runner::new().replay(&run(BUSY), &first.journal);
    assert_eq!(again.value(), first.value());
    assert!(again.journal.is_empty() && again.logs.is_empty() && again.requests.is_empty());
    assert!(again.steps.is_empty());
}

#[test]
fn a_replay_goes_on_where_the_journal_ends() {
    let mut runner = Runner::new();
    let first = runner.evaluate(&run(BUSY));
    for end in 0..first.journal.len() {
        let again = Runner::new().replay(&run(BUSY), &first.journal[..end]);
        assert_eq!(again.journal.len(), first.journal.len() - end, "cut at {end}");
        let keys = |entries: &[signalbox_core::journal::Entry]| -> Vec<_> {
            entries.iter().map(|entry| entry.key.clone()).collect()
        };
        assert_eq!(keys(&again.journal), keys(&first.journal[end..]));
    }
}

#[test]
fn another_request_than_the_recorded_one_is_incompatible_and_cannot_be_caught() {
    let mut runner = Runner::new();
    let first = runner.evaluate(&run(r#"state::add("a", 1)"#));
    for other in [r#"state::add("b", 1)"#, "now()", r#"try { state::add("a", 2) } catch { 7 } 7"#] {
        let again = Runner::new().replay(&run(other), &first.journal);
        assert!(matches!(again.end, Some(End::Incompatible(_))), "{other}: {:?}", again.end);
        assert!(again.requests.is_empty());
    }
}

#[test]
fn a_recorded_failure_is_thrown_again() {
    let plan = run(r#"let m = ""; try { http::get("http://refused") } catch (e) { m = e } m"#);
    let first = Runner::new().evaluate(&plan);
    let again = Runner::new().replay(&plan, &first.journal);
    assert_eq!(again.value(), first.value());
    assert!(again.requests.is_empty());
}

#[test]
fn a_pending_call_is_asked_for_again_and_any_other_pending_effect_is_unknown() {
    let plan = run(r#"broker::request("x@1", #{ a: 1 })"#);
    let mut first = Runner::new().evaluate(&plan);
    first.journal[0].outcome = Outcome::Pending;
    let again = Runner::new().replay(&plan, &first.journal);
    assert!(matches!(again.requests[0], Request::Call { wait: true, .. }));
    assert_eq!(again.json(), r#"{"a":1}"#);
    let plan = run(r#"http::get("https://x.test")"#);
    let mut first = Runner::new().evaluate(&plan);
    first.journal[0].outcome = Outcome::Pending;
    let again = Runner::new().replay(&plan, &first.journal);
    assert!(again.requests.is_empty());
    assert!(again.error().1.message.contains("unknown"));
}

#[test]
fn steps_that_succeeded_are_kept_in_a_later_attempt_and_others_begin_afresh() {
    let plan = plan_of(&[
        ("good", r#"state::add("good", 1)"#),
        (
            "bad",
            r#"let n = state::add("bad", 1); step("inner", || state::add("inner", 1)); if n < 2 { throw "no" } n"#,
        ),
    ]);
    let mut runner = Runner::new();
    let first = runner.evaluate(&plan);
    assert_eq!(first.error().1.message, "no");
    runner.attempt = 2;
    let second = runner.replay(&plan, &first.journal);
    assert_eq!(second.json(), "2");
    assert_eq!(runner.state["good"].as_int(), Some(1));
    assert_eq!(
        runner.state["inner"].as_int(),
        Some(1),
        "a success inside of a failed step is kept"
    );
    assert_eq!(runner.state["bad"].as_int(), Some(2));
    assert!(second.journal.iter().all(|entry| entry.key.attempt == 2));
}

#[test]
fn closures_have_the_same_names_on_every_engine() {
    let code = "let f = |x| x + inputs.n; let g = || 2; `${f} ${g}`";
    assert_eq!(
        Runner::new().evaluate(&run(code)).value(),
        Runner::new().evaluate(&run(code)).value()
    );
}
