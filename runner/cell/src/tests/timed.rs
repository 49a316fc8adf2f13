//! Time that steps may take.

use std::time::Duration;

use signalbox_core::Value;
use signalbox_core::catalog::{Action, Plan, Step};
use signalbox_core::codes::Code;
use signalbox_core::journal::Outcome;
use signalbox_core::retry::Retry;
use signalbox_core::run::{Reason, State};
use signalbox_core::value::encode;

use super::Runner;
use super::plans::{each, needing, plan, step};
use super::runner::{Answer, Record};
use crate::protocol::Request;

/// Longer than any test takes.
const HOUR: Duration = Duration::from_hours(1);
const SLOW: &str = "http::get(\"http://slow\")";

fn within(timeout: Duration, step: Step) -> Step {
    Step { timeout: Some(timeout), ..step }
}

fn tried(attempts: u32, step: Step) -> Step {
    Step { retry: Some(Retry { attempts, jitter: false, ..Retry::default() }), ..step }
}

fn forgiving(step: Step) -> Step {
    Step { continue_on_error: true, ..step }
}

fn group(id: &str, steps: &[Step]) -> Step {
    Step::new(id, Action::Steps { steps: steps.to_vec() }, 9)
}

/// A plan of steps that are over time in every place where that can be.
pub(super) fn timed() -> Plan {
    let second = format!("if state::add(\"n\", 1) < 2 {{ {SLOW} }} 2");
    let inner = within(HOUR, forgiving(step("inner", SLOW)));
    let items = format!("sleep(1); if item == 2 {{ {SLOW} }} sleep(item); item");
    let end = "[steps.a, steps.b.last.error.code, steps.c.error.code, steps.d.error.code]";
    plan(&[
        within(HOUR, tried(3, step("a", &second))),
        needing(&[], group("b", &[inner, step("last", "sleep(1); #{ last: steps.inner }")])),
        needing(&[], within(HOUR, forgiving(each("[1, 2, 3]", 2, step("c", &items))))),
        needing(&[], within(HOUR, forgiving(group("d", &[tried(2, step("e", SLOW))])))),
        needing(&["a", "b", "c", "d"], step("z", end)),
    ])
}

fn late(steps: &[Step]) -> Record {
    Runner::new().late(&plan(steps), &[])
}

#[test]
fn a_loop_is_over_time() {
    let spin = "try { loop { } } catch { } loop { }";
    let (reason, error) = late(&[within(Duration::from_millis(1), step("a", spin))]).error();
    assert_eq!((reason, error.code, error.line), (Reason::TimedOut, Code::StepTimedOut, Some(9)));
    assert_eq!(error.message, "step `a` took longer than its `timeout` of 1ms");
}

#[test]
fn a_step_goes_on_after_one_that_was_over_time() {
    let spin = within(Duration::from_millis(1), forgiving(step("a", "loop { }")));
    let record = late(&[spin, step("b", "[steps.a.error.code, steps.a.error.retryable]")]);
    assert_eq!(record.json(), "[\"SB0512\",true]");
    assert_eq!(record.steps[0].state, State::Failed);
}

#[test]
fn a_request_is_cut_off_and_the_step_is_tried_again() {
    let code = format!("if state::add(\"n\", 1) < 3 {{ try {{ {SLOW} }} catch {{ }} }} 7");
    let record = late(&[within(HOUR, tried(3, step("a", &code)))]);
    assert_eq!(record.json(), "7");
    let tries: Vec<_> = record.steps.iter().map(|step| (step.state, step.attempt)).collect();
    assert_eq!(tries, [(State::Failed, 1), (State::Failed, 2), (State::Succeeded, 3)]);
}

#[test]
fn a_step_without_a_timeout_is_not_hurried() {
    assert!(matches!(late(&[step("a", SLOW)]).end, Some(crate::protocol::End::Result(_))));
}

#[test]
fn the_time_of_a_repeated_step_is_that_of_all_its_rounds() {
    let items = format!("if item == 3 {{ {SLOW} }} item");
    for parallel in [1, 3] {
        let all = within(HOUR, tried(5, each("[1, 2, 3]", parallel, step("a", &items))));
        let record = late(&[all]);
        assert_eq!(record.error().1.code, Code::StepTimedOut);
        let requests = record.requests.iter().filter(|request| is_get(request)).count();
        assert_eq!(requests, 1, "an item is not tried again when its step is over time");
    }
}

fn is_get(request: &Request) -> bool {
    matches!(request, Request::Http(_))
}

#[test]
fn branches_of_a_step_that_is_over_time_are_awaited() {
    let items = format!("if item == 3 {{ {SLOW} }} sleep(60); state::add(\"after\", 1)");
    let all = within(HOUR, forgiving(each("[1, 2, 3, 4]", 3, step("a", &items))));
    let record = late(&[all, step("b", "[steps.a.error.code, state::get(\"after\")]")]);
    assert_eq!(record.json(), "[\"SB0512\",null]");
    assert_eq!(record.most, 3);
}

/// Evaluates a step up to its pause, then goes on with so much active time used.
fn resumed(began: i64, used: i64) -> Record {
    let mut runner = Runner::new();
    let paused = plan(&[within(HOUR, step("a", "sleep(60); state::add(\"n\", 1)"))]);
    let program = runner.load(&paused);
    runner.active_us = began;
    let run = runner.start(program, "{}", &[]);
    let mut before = runner.follow(run, &mut |_, _| Answer::Unwind);
    let slept = before.answered(&Outcome::Done(encode(&Value::Null)));
    before.journal.push(slept);
    runner.active_us = used;
    runner.replay(&paused, &before.journal)
}

#[test]
fn a_suspended_step_goes_on_with_the_time_that_is_left() {
    let hour = i64::try_from(HOUR.as_micros()).unwrap();
    assert_eq!(resumed(0, hour / 2).json(), "1");
    assert_eq!(resumed(0, 2 * hour).error().1.code, Code::StepTimedOut);
    assert_eq!(resumed(2 * hour, 2 * hour).json(), "1", "the time before it does not count");
    assert_eq!(resumed(2 * hour, 0).json(), "1", "after a death it has the whole time again");
}
