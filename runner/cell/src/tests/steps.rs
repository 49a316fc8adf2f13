//! Steps of plans and of scripts.

use signalbox_core::Value;
use signalbox_core::catalog::{Action, Plan, Step};
use signalbox_core::codes::Code;
use signalbox_core::run::State;

use super::{Runner, plan_of, run};
use crate::protocol::Request;

#[test]
fn steps_see_earlier_results_and_are_noted() {
    let mut plan = plan_of(&[("a", "inputs.n * 2"), ("b", "steps.a + 1"), ("c", "9")]);
    plan.steps[2].when = Some("steps.b > 100".to_owned());
    plan.output = Some(Value::map([
        ("whole", Value::from("${steps.b}")),
        ("text", Value::from("b is ${steps.b}, c is ${steps.c}")),
    ]));
    let record = Runner::new().evaluate(&plan);
    assert_eq!(record.json(), r#"{"text":"b is 7, c is ","whole":7}"#);
    let steps: Vec<_> = record.steps.iter().map(|step| (step.id.as_str(), step.state)).collect();
    assert_eq!(steps, [("a", State::Succeeded), ("b", State::Succeeded), ("c", State::Skipped)]);
    let again = Runner::new().replay(&plan, &record.journal);
    assert_eq!(again.value(), record.value());
    assert!(again.steps.is_empty() && again.journal.is_empty());
}

#[test]
fn a_script_gets_its_inputs_and_a_call_goes_through_the_broker() {
    let mut runner = Runner::new();
    runner.add("lib/m.rhai", "fn twice(x) { x * 2 }");
    runner.add(
        "s/go.rhai",
        "import \"lib/m\" as m;\nfn main(inputs) { inputs.v += 1; m::twice(inputs.v) }",
    );
    let step = |id: &str, action| Step::new(id, action, 3);
    let script = Action::Script {
        path: "s/go.rhai".to_owned(),
        inputs: Some(Value::map([("v", Value::from("${inputs.n}"))])),
    };
    let call = Action::Call {
        target: "alerts.send@1".to_owned(),
        inputs: Value::map([("text", Value::from("it is ${steps.work}"))]),
    };
    let plan = Plan { steps: vec![step("work", script), step("tell", call)], ..Plan::default() };
    let record = runner.evaluate(&plan);
    assert_eq!(record.json(), r#"{"text":"it is 8"}"#);
    assert!(
        matches!(&record.requests[0], Request::Call { target, wait: true, .. } if target == "alerts.send@1")
    );
    assert_eq!(record.journal.iter().filter(|entry| entry.kind == "step").count(), 2);
}

#[test]
fn a_step_that_fails_can_be_caught_and_says_the_same_on_replay() {
    let plan = run(r#"
        let caught = [];
        for i in 0..2 {
            try { step("s", || { state::add("n", 1); [1][5 + i] }) } catch (e) { caught.push(e) }
        }
        caught
    "#);
    let first = Runner::new().evaluate(&plan);
    assert!(first.json().contains("SB0501: "), "{}", first.json());
    let ids: Vec<_> = first.steps.iter().map(|step| (step.id.as_str(), step.state)).collect();
    assert_eq!(ids, [("s", State::Failed), ("s#1", State::Failed)]);
    let again = Runner::new().replay(&plan, &first.journal);
    assert_eq!(again.value(), first.value());
    assert!(again.requests.is_empty() && again.steps.is_empty());
}

#[test]
fn an_uncaught_error_of_a_script_step_keeps_its_place() {
    let (_, error) =
        Runner::new().evaluate(&run("let a = 1;\nstep(\"s\", ||\n  [1][5]\n)")).error();
    assert_eq!((error.code, error.line), (Code::ScriptError, Some(12)));
}

#[test]
fn a_condition_that_is_not_true_or_false_is_an_error() {
    let mut plan = plan_of(&[("a", "1"), ("b", "2")]);
    plan.steps[1].when = Some("steps.a".to_owned());
    assert!(Runner::new().evaluate(&plan).error().1.message.contains("`when`"));
}

#[test]
fn a_results_bound_is_one_mebibyte() {
    let code = "let s = \"\"; s.pad(SIZE, 'x'); s";
    let mut runner = Runner::new();
    runner.evaluate(&run(&code.replace("SIZE", "1000000"))).value();
    let (_, error) = runner.evaluate(&run(&code.replace("SIZE", "1048577"))).error();
    assert_eq!(error.code, Code::LimitExceeded);
}
