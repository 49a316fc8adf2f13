//! Tries of steps.

use std::time::Duration;

use signalbox_core::Value;
use signalbox_core::catalog::{Action, Plan, Step};
use signalbox_core::codes::Code;
use signalbox_core::journal::{Failure, Outcome};
use signalbox_core::retry::Retry;
use signalbox_core::run::State;
use signalbox_core::value::{decode, encode};

use super::Runner;
use super::plans::{each, needing, plan, step};
use super::runner::{Answer, Record};
use crate::protocol::{End, Request};

fn tried(attempts: u32, step: Step) -> Step {
    let retry = Retry { attempts, jitter: false, ..Retry::default() };
    Step { retry: Some(retry), ..step }
}

/// A plan of steps that fail, and are tried again, in every place where that can be.
pub(super) fn retried() -> Plan {
    let flaky = |name: &str, times: u32| {
        format!(
            "step(\"inner\", || state::add(\"{name} inner\", 1)); log::info(\"try\"); \
             let n = state::add(\"{name}\", 1); if n < {times} {{ throw \"try again\" }} n"
        )
    };
    let mut jittered = tried(5, step("a", &flaky("a", 3)));
    jittered.retry = Some(Retry {
        attempts: 5,
        budget: Some(Duration::from_hours(1)),
        retry_if: Some("error.message == \"try again\"".to_owned()),
        ..Retry::default()
    });
    let items = "let n = state::add(`i${item}`, 1); sleep(1); if n < item { throw \"again\" } n";
    plan(&[
        jittered,
        needing(&[], tried(3, step("b", &flaky("b", 2)))),
        needing(&[], tried(4, each("[1, 3, 2]", 2, step("c", items)))),
        needing(&["a", "b", "c"], step("z", "[steps.a, steps.b, steps.c]")),
    ])
}

fn late(steps: &[Step]) -> Record {
    Runner::new().late(&plan(steps), &[])
}

fn pauses(record: &Record) -> Vec<i64> {
    let pause = |request: &Request| match request {
        Request::Sleep { micros } => Some(micros / 1_000_000),
        _ => None,
    };
    record.requests.iter().filter_map(pause).collect()
}

#[test]
fn a_step_is_tried_until_it_ends_well() {
    let code = "let n = state::add(\"n\", 1); if n < 3 { throw \"no\" } n";
    let record = late(&[tried(5, step("a", code)), step("b", "steps.a * 10")]);
    assert_eq!(record.json(), "30");
    assert_eq!(pauses(&record), [1, 2]);
    let notes: Vec<_> =
        record.steps.iter().map(|step| (step.id.as_str(), step.state, step.attempt)).collect();
    assert_eq!(
        notes,
        [
            ("a", State::Failed, 1),
            ("a", State::Failed, 2),
            ("a", State::Succeeded, 3),
            ("b", State::Succeeded, 1)
        ]
    );
}

#[test]
fn the_last_error_counts_with_its_place() {
    let code = "let n = state::add(\"n\", 1);\nthrow `no ${n}`";
    let (_, error) = late(&[tried(3, step("a", code))]).error();
    assert_eq!((error.message.as_str(), error.line), ("no 3", Some(11)));
}

#[test]
fn what_cannot_be_mended_is_tried_once() {
    let record = late(&[tried(5, step("a", "http::get(\"http://refused\")"))]);
    assert_eq!(record.error().1.code, Code::Denied);
    assert_eq!(record.requests.len(), 1);
}

#[test]
fn a_step_that_throws_inside_of_a_retried_one_is_tried_with_it() {
    let code = "step(\"inner\", || { if state::add(\"n\", 1) < 2 { throw \"no\" } 1 })";
    assert_eq!(late(&[tried(2, step("a", code))]).json(), "1");
}

#[test]
fn the_condition_of_a_retry_sees_the_error() {
    let code = "let n = state::add(\"n\", 1); throw `no ${n}`";
    let mut tried = tried(9, step("a", code));
    tried.retry.as_mut().unwrap().retry_if = Some("error.message != \"no 2\"".to_owned());
    let record = late(&[tried]);
    assert_eq!(record.error().1.message, "no 2");
}

#[test]
fn inner_steps_that_succeeded_are_kept_and_other_effects_are_new() {
    let code = "let a = step(\"once\", || state::add(\"once\", 1)); let b = state::add(\"each\", 1); \
                if b < 3 { throw \"no\" } [a, b]";
    let record = late(&[tried(3, step("a", code))]);
    assert_eq!(record.json(), "[1,3]");
    let scopes: Vec<_> = record.asked.iter().map(|key| key.scope.as_str()).collect();
    assert_eq!(scopes, ["a#0/once#0", "a#0", "a#0/!", "a#0@2", "a#0/!", "a#0@3"]);
    let places: Vec<_> = record.asked.iter().map(|key| (key.place(), key.ordinal)).collect();
    assert_eq!(places[1], places[3]);
}

#[test]
fn items_have_tries_of_their_own() {
    let code = "let n = state::add(`n${item}`, 1); if n < item { throw \"no\" } n";
    let record = late(&[tried(3, each("[1, 2, 3]", 3, step("w", code)))]);
    assert_eq!(record.json(), "[1,2,3]");
    assert_eq!(pauses(&record).len(), 3);
}

#[test]
fn a_step_that_was_suspended_is_tried_again_after_it() {
    let code = "sleep(100); let n = state::add(\"n\", 1); if n < 2 { throw \"no\" } n";
    let plan = plan(&[tried(3, step("a", code))]);
    let mut runner = Runner::new();
    let mut journal = Vec::new();
    // Every wait is unwound and answered in between, as when a run is suspended.
    let record = loop {
        let program = runner.load(&plan);
        let run = runner.start(program, "{}", &journal);
        let mut waiting = None;
        let record = runner.follow(run, &mut |runner, request| match request {
            Request::Sleep { .. } => {
                waiting = Some(request.clone());
                Answer::Unwind
            }
            other => Answer::Outcome(runner.perform(other)),
        });
        journal.extend(record.journal.clone());
        if record.end.is_some() {
            break record;
        }
        journal.push(record.answered(&Outcome::Done(encode(&Value::Null))));
    };
    assert_eq!(record.json(), "2");
    assert_eq!(runner.state["n"].as_int(), Some(2));
    let sleeps = journal.iter().filter(|entry| entry.kind == "sleep").count();
    assert_eq!(sleeps, 3);
}

#[test]
fn a_stop_during_a_pause_ends_the_run() {
    let mut runner = Runner::new();
    let program = runner.load(&plan(&[tried(3, step("a", "throw \"no\"")), step("b", "1")]));
    let run = runner.start(program, "{}", &[]);
    let record = runner.follow(run, &mut |_, _| Answer::Unwind);
    assert!(record.end.is_none());
    assert_eq!(record.steps.len(), 1);
}

#[test]
fn one_waits_to_be_tried_again_while_others_go_on() {
    let flaky = "if state::add(\"n\", 1) < 2 { throw \"no\" } now()";
    let record = late(&[
        tried(3, step("a", flaky)),
        needing(&[], step("b", "for i in 0..5 { state::add(\"b\", 1); } 1")),
    ]);
    assert_eq!(record.json(), "1");
    assert_eq!(record.most, 2);
}

#[test]
fn a_pause_that_the_other_side_asks_for_is_kept_to() {
    let response = |status: i64, after: &str| {
        Value::map([
            ("status", Value::Int(status)),
            ("headers", Value::map([("retry-after", Value::from(after))])),
            ("body", Value::Null),
        ])
    };
    let code = "let r = http::get(\"https://a.test\"); if !r.ok { throw `status ${r.status}` } 1";
    for (status, after, least, most) in [
        (429, "30", 30, 30),
        (503, "90", 90, 90),
        (500, "30", 1, 1),
        (429, "soon", 1, 1),
        (503, "Fri, 31 Dec 1999 23:59:59 GMT", 1, 1),
    ] {
        let mut runner = Runner::new();
        let program = runner.load(&plan(&[tried(3, step("a", code))]));
        let run = runner.start(program, "{}", &[]);
        let mut asked = 0;
        let record = runner.follow(run, &mut |runner, request| {
            let Request::Http(_) = request else { return Answer::Outcome(runner.perform(request)) };
            asked += 1;
            let answer = if asked == 1 { response(status, after) } else { response(200, "") };
            Answer::Outcome(Outcome::Done(encode(&answer)))
        });
        let pauses = pauses(&record);
        assert!(pauses.len() == 1 && (least..=most).contains(&pauses[0]), "{after}: {pauses:?}");
    }
}

#[test]
fn no_try_of_a_step_begins_after_its_budget() {
    let mut step = tried(5, step("a", "throw `no ${state::add(\"n\", 1)}`"));
    step.retry.iter_mut().for_each(|retry| retry.budget = Some(Duration::from_mins(10)));
    let plan = plan(&[step]);
    let record = Runner::new().late(&plan, &[]);
    assert_eq!((pauses(&record).len(), record.error().1.message.as_str()), (4, "no 5"));
    // As if the first try had begun an hour ago.
    let mut began = record.journal.into_iter().find(|entry| entry.kind == "now").unwrap();
    let Outcome::Done(bytes) = &began.outcome else { panic!("{began:?}") };
    let moment = decode(bytes).unwrap().as_int().unwrap();
    began.outcome = Outcome::Done(encode(&Value::Int(moment - 3_600_000_000)));
    let record = Runner::new().late(&plan, &[began]);
    assert_eq!((pauses(&record).len(), record.error().1.message.as_str()), (0, "no 1"));
}

#[test]
fn a_flow_is_left_alone_for_as_long_as_the_other_side_asks() {
    let ask = "let r = http::get(\"https://a.test\"); if !r.ok { throw `status ${r.status}` } 1";
    let alone = plan(&[step("a", ask)]);
    let beside = plan(&[step("x", "1"), step("a", ask), needing(&[], step("b", "sleep(1)"))]);
    let parallel = plan(&[step("a", &format!("parallel([|| {{ {ask} }}, || sleep(1)])"))]);
    for plan in [alone, beside, parallel] {
        for (status, asked) in [(429, Some(30_000)), (500, None)] {
            let mut runner = Runner::new();
            let program = runner.load(&plan);
            let run = runner.start(program, "{}", &[]);
            let record = runner.follow(run, &mut |runner, request| match request {
                Request::Http(_) => {
                    let headers = Value::map([("retry-after", Value::from("30"))]);
                    let response = Value::map([
                        ("status", Value::Int(status)),
                        ("headers", headers),
                        ("body", Value::Null),
                    ]);
                    Answer::Outcome(Outcome::Done(encode(&response)))
                }
                other => Answer::Outcome(runner.perform(other)),
            });
            let Some(End::Error(_, _, failure)) = record.end else { panic!("{:?}", record.end) };
            assert_eq!((failure.retryable, failure.after_ms), (true, asked));
        }
    }
}

#[test]
fn a_failure_that_names_its_pause_is_kept_to() {
    let mut runner = Runner::new();
    let call = Action::Call { target: "x@1".to_owned(), inputs: Value::map::<&str, 0>([]) };
    let program = runner.load(&plan(&[tried(2, Step::new("a", call, 9))]));
    let run = runner.start(program, "{}", &[]);
    let mut asked = 0;
    let record = runner.follow(run, &mut |runner, request| match request {
        Request::Call { .. } if asked == 0 => {
            asked += 1;
            let failure = Failure::transient(Code::RateLimited, "slow down");
            Answer::Outcome(Outcome::Failed(failure.after(Duration::from_secs(7))))
        }
        other => Answer::Outcome(runner.perform(other)),
    });
    assert_eq!(pauses(&record), [7]);
}

#[test]
fn a_retried_step_that_is_forgiven_is_tried_first() {
    let mut step = tried(2, step("a", "throw `no ${state::add(\"n\", 1)}`"));
    step.continue_on_error = true;
    assert!(late(&[step]).json().contains("no 2"));
}
