//! What plans do beyond steps in order.

use signalbox_core::Value;
use signalbox_core::catalog::{Action, Case, Plan, Repeat, Step};
use signalbox_core::codes::Code;
use signalbox_core::journal::{Entry, Outcome};
use signalbox_core::run::{Reason, State};

use super::Runner;
use super::runner::Record;
use crate::protocol::Request;

pub(super) fn step(id: &str, code: &str) -> Step {
    Step::new(id, Action::Run { code: code.to_owned(), line: 10 }, 9)
}

pub(super) fn plan(steps: &[Step]) -> Plan {
    Plan { steps: steps.to_vec(), ..Plan::default() }
}

pub(super) fn needing(needs: &[&str], step: Step) -> Step {
    Step { needs: Some(needs.iter().map(|id| (*id).to_owned()).collect()), ..step }
}

pub(super) fn each(items: &str, parallel: u32, step: Step) -> Step {
    Step { repeat: Some(Repeat::Foreach { items: items.to_owned(), parallel }), ..step }
}

fn rounds(condition: &str, max: u32, step: Step) -> Step {
    Step { repeat: Some(Repeat::While { condition: condition.to_owned(), max }), ..step }
}

fn group(id: &str, steps: &[Step]) -> Step {
    Step::new(id, Action::Steps { steps: steps.to_vec() }, 9)
}

fn stopping(stop_if: &str, step: Step) -> Step {
    Step { stop_if: Some(stop_if.to_owned()), ..step }
}

fn forgiving(step: Step) -> Step {
    Step { continue_on_error: true, ..step }
}

fn late(steps: &[Step]) -> Record {
    Runner::new().late(&plan(steps), &[])
}

#[test]
fn steps_whose_needs_are_met_run_side_by_side() {
    let record = late(&[
        step("a", "state::add(\"a\", 1)"),
        needing(&[], step("b", "state::add(\"b\", 2)")),
        needing(&["a", "b"], step("c", "sleep(1); steps.a + steps.b")),
        step("d", "steps.c + 1"),
    ]);
    assert_eq!((record.json().as_str(), record.most), ("4", 2));
    let ids: Vec<_> = record.steps.iter().map(|step| step.id.as_str()).collect();
    assert!(ids.ends_with(&["c", "d"]), "{ids:?}");
}

#[test]
fn a_step_without_needs_waits_for_the_one_before_it() {
    let record = late(&[
        step("a", "sleep(1); state::add(\"n\", 1)"),
        step("b", "state::add(\"n\", 1)"),
        needing(&[], step("c", "sleep(2); state::get(\"n\")")),
        step("d", "[steps.a, steps.b, steps.c, state::get(\"n\")]"),
    ]);
    // `d` needs `c` alone, so it sees nothing of `a` and `b`.
    let Value::List(seen) = record.value() else { panic!() };
    assert_eq!(seen[..2], [Value::Null, Value::Null]);
}

#[test]
fn needs_that_say_what_the_order_says_cost_no_branches() {
    let record = late(&[step("a", "sleep(1); 1"), needing(&["a"], step("b", "sleep(2); steps.a"))]);
    assert_eq!((record.json().as_str(), record.waits), ("1", 0));
}

#[test]
fn an_error_lets_what_does_not_need_it_go_on_and_fails_the_flow() {
    let record = late(&[
        step("slow", "sleep(1); state::add(\"slow\", 1)"),
        needing(&[], step("bad", "state::get(\"x\"); throw \"no\"")),
        step("never", "state::add(\"never\", 1)"),
        needing(&["slow"], step("after", "state::add(\"after\", 1)")),
    ]);
    assert_eq!(record.error().1.message, "no");
    let mut ids: Vec<_> = record.steps.iter().map(|step| (step.id.as_str(), step.state)).collect();
    ids.sort_unstable_by_key(|(id, _)| *id);
    assert_eq!(
        ids,
        [("after", State::Succeeded), ("bad", State::Failed), ("slow", State::Succeeded)]
    );
}

#[test]
fn the_first_of_several_errors_in_the_order_of_the_file_ends_the_flow() {
    let record = late(&[
        step("a", "sleep(1); throw \"first\""),
        needing(&[], step("b", "throw \"second\"")),
    ]);
    assert_eq!(record.error().1.message, "first");
}

#[test]
fn items_are_done_in_order_or_side_by_side() {
    for (parallel, most) in [(1, 1), (3, 3), (8, 5)] {
        let record = late(&[
            step("list", "[10, 20, 30, 40, 50]"),
            each("steps.list", parallel, step("work", "[index, item + state::add(\"n\", 0)]")),
        ]);
        assert_eq!(record.json(), "[[0,10],[1,20],[2,30],[3,40],[4,50]]");
        assert_eq!(record.most, most, "{parallel}");
        let mut ids: Vec<_> = record.steps.iter().map(|step| step.id.clone()).collect();
        ids.sort_unstable();
        let items = (0..5).map(|item| format!("work/[{item}]"));
        let expected = ["list".to_owned(), "work".to_owned()].into_iter().chain(items);
        assert_eq!(ids, expected.collect::<Vec<_>>());
    }
}

#[test]
fn an_item_that_fails_ends_the_items_in_order_but_not_those_side_by_side() {
    let work = "state::add(\"n\", 1); if item == 2 { throw \"two\" } item";
    for (parallel, begun) in [(1, 2), (2, 4)] {
        let record = late(&[step("a", "1"), each("[1, 2, 3, 4]", parallel, step("w", work))]);
        assert_eq!(record.error().1.message, "two");
        assert_eq!(record.requests.len(), begun, "{parallel}");
    }
}

#[test]
fn items_that_succeeded_are_kept_in_a_later_attempt() {
    let work = "let n = state::add(`n${item}`, 1); if item == 2 && n == 1 { throw \"two\" } n";
    let plan = plan(&[each("[1, 2, 3]", 3, step("w", work))]);
    let mut runner = Runner::new();
    let first = runner.late(&plan, &[]);
    runner.attempt = 2;
    assert_eq!(runner.late(&plan, &first.journal).json(), "[1,2,1]");
}

#[test]
fn items_of_steps_that_run_side_by_side_are_forgiven_one_by_one() {
    let work = "state::get(\"x\"); if item == 2 { throw \"two\" } item";
    let record = late(&[
        step("a", "sleep(1); [1, 2, 3]"),
        needing(&[], step("b", "sleep(2); 5")),
        needing(&["a"], forgiving(each("steps.a", 2, step("w", work)))),
        needing(
            &["w", "b"],
            step("end", "steps.w.map(|r| if type_of(r) == \"map\" { r.error.message } else { r })"),
        ),
    ]);
    assert_eq!(record.json(), r#"[1,"two",3]"#);
    let failed: Vec<_> = record.steps.iter().filter(|step| step.state == State::Failed).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!((failed[0].id.as_str(), failed[0].error.as_deref()), ("w/[1]", Some("two")));
}

#[test]
fn what_is_no_list_cannot_be_gone_through() {
    let (_, error) = late(&[step("a", "1"), each("7", 1, step("w", "item"))]).error();
    assert!(error.message.contains("`foreach`"), "{}", error.message);
    let record = late(&[step("a", "1"), forgiving(each("7", 2, step("w", "item")))]);
    assert!(record.json().contains("`foreach`"));
    assert_eq!(late(&[each("[]", 4, step("w", "item"))]).json(), "[]");
    let (_, error) = late(&[step("a", "#{ x: 1 }"), each("steps.a", 2, step("w", "item"))]).error();
    assert!(error.message.contains("of type object"), "{}", error.message);
}

/// Each item costs as much as it would alone: what costs more with every other one does not end.
#[test]
fn many_items_side_by_side_are_done_and_too_many_end_the_run() {
    let list = |many: u32| step("list", &format!("let a = []; a.pad({many}, true); a"));
    let work = |parallel| each("steps.list", parallel, step("w", "state::add(\"n\", 1)"));
    let record = late(&[list(2_000), work(8), step("end", "[steps.w.len(), state::get(\"n\")]")]);
    assert_eq!(record.json(), "[2000,2000]");
    for parallel in [1, 8] {
        let record = late(&[list(50_000), work(parallel)]);
        let (reason, error) = record.error();
        assert_eq!((reason, error.code), (Reason::LimitExceeded, Code::LimitExceeded));
        assert!(error.message.contains("10000 effects"), "{}", error.message);
        assert!(record.requests.len() <= 10_000);
    }
}

#[test]
fn a_step_that_is_forgiven_gives_its_error_and_is_not_done_again() {
    let plan = plan(&[
        forgiving(step("a", "state::add(\"n\", 1); http::get(\"http://refused\")")),
        step("b", "[steps.a.error.code, steps.a.error.message]"),
    ]);
    let record = Runner::new().late(&plan, &[]);
    assert_eq!(record.json(), r#"["SB0506","not granted"]"#);
    assert_eq!(record.steps[0].state, State::Failed);
    let again = Runner::new().late(&plan, &record.journal);
    assert_eq!(again.json(), record.json());
    assert!(again.requests.is_empty() && again.steps.is_empty());
}

#[test]
fn a_bound_is_not_forgiven() {
    let mut runner = Runner::new();
    runner.operations = 5_000;
    for code in ["loop {}", "fn f(n) { f(n + 1) } f(0)"] {
        let plan = plan(&[forgiving(step("a", code)), step("b", "1")]);
        assert_eq!(runner.late(&plan, &[]).error().0, Reason::LimitExceeded);
    }
}

#[test]
fn a_switch_takes_the_first_case_that_holds() {
    let case = |when: &str, id: &str| Case {
        when: when.to_owned(),
        steps: vec![
            step(id, "state::add(\"n\", 1)"),
            step(&format!("{id}-2"), &format!("\"{id}\"")),
        ],
    };
    for (n, expected) in [(1, "low"), (3, "mid"), (9, "none")] {
        let cases = vec![case("steps.n < 2", "low"), case("steps.n < 5", "mid")];
        let otherwise = vec![step("none", "\"none\"")];
        let switch = Step::new("s", Action::Switch { cases, otherwise }, 9);
        let record =
            late(&[step("n", &n.to_string()), switch, step("end", "[steps.s, steps.low]")]);
        assert_eq!(record.json(), format!(r#"["{expected}",null]"#));
    }
    let nothing = Action::Switch { cases: vec![case("false", "x")], otherwise: Vec::new() };
    assert_eq!(late(&[Step::new("s", nothing, 9), step("e", "steps.s")]).json(), "null");
}

#[test]
fn a_loop_ends_when_its_condition_does_not_hold() {
    let count = rounds("index < 3", 10, step("w", "state::add(\"n\", 1) + (last ?? 0)"));
    let record = late(&[count, step("end", "[steps.w, state::get(\"n\")]")]);
    assert_eq!(record.json(), "[6,3]");
    let until = rounds("last == () || last < 3", 10, step("w", "state::add(\"n\", 1)"));
    assert_eq!(late(&[until]).json(), "3");
}

#[test]
fn a_loop_that_does_not_end_fails_at_its_bound() {
    let record = late(&[step("a", "1"), rounds("true", 4, step("w", "state::add(\"n\", 1)"))]);
    let (reason, error) = record.error();
    assert_eq!((reason, error.code), (Reason::LimitExceeded, Code::LimitExceeded));
    assert!(error.message.contains("4 rounds"), "{}", error.message);
    assert_eq!(record.requests.len(), 4);
}

#[test]
fn an_early_stop_ends_the_flow_well_with_that_result() {
    let mut plan =
        plan(&[stopping("steps.a == 3", step("a", "inputs.n")), step("b", "state::add(\"n\", 1)")]);
    plan.output = Some(Value::from("${steps.b}"));
    let record = Runner::new().late(&plan, &[]);
    assert_eq!(record.json(), "3");
    assert!(record.requests.is_empty());
}

#[test]
fn an_early_stop_inside_a_loop_ends_the_loop_also_after_a_restart() {
    let body = [
        stopping("steps.poll == 3", step("poll", "state::add(\"n\", 1)")),
        step("more", "state::add(\"m\", 1); \"more\""),
    ];
    let steps = [
        rounds("true", 9, group("rounds", &body)),
        step("end", "[steps.rounds, state::get(\"m\"), state::get(\"n\")]"),
    ];
    let record = late(&steps);
    assert_eq!(record.json(), "[3,2,3]");
    for cut in 0..record.journal.len() {
        let mut runner = Runner::new();
        perform_again(&mut runner, &record.journal[..cut], &record);
        assert_eq!(runner.late(&plan(&steps), &record.journal[..cut]).json(), record.json());
    }
}

#[test]
fn an_early_stop_inside_an_item_or_a_group_ends_its_steps_alone() {
    let body = [stopping("steps.first == 2", step("first", "item")), step("second", "item * 10")];
    let record = late(&[each("[1, 2, 3]", 2, group("g", &body))]);
    assert_eq!(record.json(), "[10,2,30]");
    let inner = [stopping("true", step("x", "1")), step("y", "2")];
    assert_eq!(late(&[group("g", &inner), step("end", "steps.g + 100")]).json(), "101");
}

#[test]
fn an_early_stop_inside_a_flows_only_step_leaves_its_output() {
    let inner = [stopping("true", step("x", "1")), step("y", "2")];
    let mut plan = plan(&[group("g", &inner)]);
    assert_eq!(Runner::new().late(&plan, &[]).json(), "1");
    plan.output = Some(Value::from("${steps.g + 100}"));
    assert_eq!(Runner::new().late(&plan, &[]).json(), "101");
}

#[test]
fn another_flow_and_a_pause_are_steps() {
    let flow = Action::Flow {
        flow: "other".to_owned(),
        inputs: Value::map([("v", Value::from("${inputs.n}"))]),
    };
    let sleep = Action::Sleep { duration: Value::from("${steps.f.v}m") };
    let record = late(&[
        Step::new("f", flow, 9),
        Step::new("s", sleep, 9),
        Step::new("t", Action::Sleep { duration: Value::from("2d") }, 9),
    ]);
    assert_eq!(record.json(), "null");
    assert!(
        matches!(&record.requests[0], Request::Flow { flow, wait: true, .. } if flow == "other")
    );
    assert_eq!(record.requests[1], Request::Sleep { micros: 180_000_000 });
    assert_eq!(record.requests[2], Request::Sleep { micros: 172_800_000_000 });
    let bad = Action::Sleep { duration: Value::from("${\"soon\"}") };
    assert_eq!(late(&[Step::new("s", bad, 9)]).error().1.code, Code::BadValue);
}

#[test]
fn a_flows_own_retry_asks_its_condition() {
    for (condition, retryable) in [
        ("error.message == \"no\"", true),
        ("error.code == \"SB0506\"", false),
        ("error.nothing.at.all", false),
    ] {
        let mut plan = plan(&[step("a", "throw \"no\"")]);
        plan.retry_if = Some(condition.to_owned());
        let record = Runner::new().late(&plan, &[]);
        let Some(crate::protocol::End::Error(_, error, failure)) = &record.end else { panic!() };
        assert_eq!((error.message.as_str(), failure.retryable), ("no", retryable));
    }
}

#[test]
fn a_pause_is_of_a_year_at_most() {
    let sleep = |code: &str| late(&[step("a", code)]);
    assert_eq!(
        sleep("sleep(\"366d\")").requests,
        [Request::Sleep { micros: 366 * 86_400 * 1_000_000 }]
    );
    for bad in ["\"366d 1s\"", "9223372036854775807", "-1", "1.0e300", "\"4294967295d\"", "\"1w\""]
    {
        let record = sleep(&format!("sleep({bad})"));
        assert_eq!(record.error().1.code, Code::BadValue, "{bad}");
        assert!(record.requests.is_empty(), "{bad}");
    }
}

/// Puts what the runner had done into its memory.
pub(super) fn perform_again(runner: &mut Runner, journal: &[Entry], record: &Record) {
    for entry in journal {
        let known = record.asked.iter().position(|key| *key == entry.key);
        if let (Some(at), Outcome::Done(_)) = (known, &entry.outcome) {
            runner.perform(&record.requests[at]);
        }
    }
}

/// Plans with everything in them.
fn zoo() -> Vec<Plan> {
    let work = "log::info(`on ${item}`); let r = random(0, 9); \
                let s = step(\"s\", || state::add(\"n\", 1)); sleep(1); [item, s > 0, r == r]";
    let body = [
        stopping("steps.poll >= 3", step("poll", "state::add(\"p\", 1)")),
        Step::new("nap", Action::Sleep { duration: Value::from("5s") }, 9),
    ];
    vec![
        plan(&[
            step("a", "[1, 2, 3]"),
            each("steps.a", 2, step("w", work)),
            step("z", "steps.w.len()"),
        ]),
        plan(&[
            step("a", "sleep(1); state::add(\"a\", 1)"),
            needing(&[], each("[1, 2]", 8, step("w", work))),
            needing(&["a"], forgiving(step("bad", "state::add(\"b\", 1); throw \"no\""))),
            needing(&["w", "bad"], step("z", "[steps.bad.error.message, steps.w.len(), steps.a]")),
        ]),
        plan(&[
            rounds("true", 9, group("rounds", &body)),
            step("z", "[steps.rounds, state::get(\"p\")]"),
        ]),
        plan(&[step(
            "a",
            "let x = parallel([|| { sleep(1); parallel([|| state::add(\"a\", 1), || { now(); sleep(2); 7 }]) }, \
             || { let e = 0; try { http::get(\"http://refused\") } catch (m) { e = m } e }, \
             || step(\"k\", || { sleep(3); state::add(\"a\", 0) >= 0 })]); log::info(\"done\"); x",
        )]),
        super::retries::retried(),
        super::timed::timed(),
    ]
}

#[test]
fn a_replay_from_every_prefix_comes_to_the_same_end_and_asks_for_nothing_twice() {
    for (number, plan) in zoo().iter().enumerate() {
        for late in [false, true] {
            let evaluate = |runner: &mut Runner, journal: &[Entry]| {
                if late { runner.late(plan, journal) } else { runner.replay(plan, journal) }
            };
            let first = evaluate(&mut Runner::new(), &[]);
            let expected = first.json();
            for cut in 0..=first.journal.len() {
                let done = &first.journal[..cut];
                let mut runner = Runner::new();
                perform_again(&mut runner, done, &first);
                let again = evaluate(&mut runner, done);
                assert_eq!(again.json(), expected, "plan {number} cut at {cut}");
                let known = |entry: &&Entry| again.asked.contains(&entry.key);
                assert_eq!(done.iter().find(known), None, "plan {number} cut at {cut}");
                let kept = |entry: &&Entry| again.journal.iter().any(|new| new.key == entry.key);
                assert_eq!(done.iter().find(kept), None, "plan {number} cut at {cut}");
            }
        }
    }
}
