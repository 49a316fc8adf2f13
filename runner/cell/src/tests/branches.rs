//! Branches: `parallel` in scripts.

use signalbox_core::codes::Code;
use signalbox_core::journal::{Failure, Outcome};
use signalbox_core::run::{Reason, State};

use super::runner::{Answer, Record};
use super::{Runner, run};
use crate::protocol::{End, Request};

fn late(code: &str) -> Record {
    Runner::new().late(&run(code), &[])
}

#[test]
fn branches_wait_side_by_side_and_results_are_in_order() {
    let record = late(
        "parallel([|| http::get(\"https://a.test/1\").json().url, || 2, || [state::add(\"n\", 1), \
         state::add(\"n\", 1)], || { sleep(60); 4 }])",
    );
    assert_eq!(record.json(), r#"["https://a.test/1",2,[1,2],4]"#);
    assert_eq!(record.most, 3);
}

#[test]
fn a_branch_does_nothing_twice() {
    let record = late(
        r#"parallel([0, 1, 2].map(|i| || {
            log::info(`${i} begins`);
            let a = [now(), random(), uuid()];
            let b = step("s", || [random(), state::add("n", 1)]);
            let c = state::get("n");
            log::info(`${i} ends`);
            [a, b, [now(), random()] == [now(), random()], i]
        })).map(|r| r[3])"#,
    );
    assert_eq!(record.json(), "[0,1,2]");
    assert_eq!(record.requests.len(), 6);
    let mut lines: Vec<_> = record.logs.iter().map(|line| line.message.as_str()).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["0 begins", "0 ends", "1 begins", "1 ends", "2 begins", "2 ends"]);
    let mut ids: Vec<_> = record.steps.iter().map(|step| step.id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["parallel/[0]/s", "parallel/[1]/s", "parallel/[2]/s"]);
    let mut keys: Vec<_> = record.journal.iter().map(|entry| &entry.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), record.journal.len());
}

#[test]
fn at_most_eight_effects_of_branches_are_under_way() {
    let record = late(
        r#"let a = []; for i in 0..20 { a.push(|| state::add("n", 1)); }
           let inner = a; let b = [];
           for i in 0..10 { b.push(|| parallel(inner).len()); }
           [parallel(a).len(), parallel(b)]"#,
    );
    assert_eq!(record.json(), "[20,[20,20,20,20,20,20,20,20,20,20]]");
    assert_eq!(record.most, 8);
    assert_eq!(record.requests.len(), 220);
}

#[test]
fn the_last_branch_waits_in_place() {
    let mut runner = Runner::new();
    let program = runner.load(&run("parallel([|| 1, || [state::get(\"a\"), state::get(\"b\")]])"));
    let number = runner.start(program, "{}", &[]);
    let record =
        runner.follow(number, &mut |runner, request| Answer::Outcome(runner.perform(request)));
    assert_eq!((record.json().as_str(), record.waits), ("[1,[null,null]]", 0));
}

#[test]
fn inner_branches_let_outer_ones_go_on() {
    let record = late(
        r#"parallel([
            || parallel([|| state::add("a", 1), || state::add("b", 1)]),
            || parallel([|| state::add("c", 1), || parallel([|| state::add("d", 1), || state::add("e", 1)])]),
            || state::add("f", 1),
        ])"#,
    );
    assert_eq!(record.json(), "[[1,1],[1,[1,1]],1]");
    assert_eq!(record.most, 6);
}

#[test]
fn a_branch_sees_no_writes_of_another_nor_its_own_from_before() {
    let record = late(
        r#"let n = 10; let list = [1]; let add = |x| { list.push(x); n += 1; list.len() };
           let results = parallel([
               || { n += 1; state::get("a"); n += 1; n },
               || { n += 1; list.push(2); state::get("b"); [n, list] },
               || { let a = add.call(5); state::get("c"); [a, list, n] },
           ]);
           [results, n, list]"#,
    );
    assert_eq!(record.json(), "[[12,[11,[1,2]],[2,[1,5],11]],10,[1]]");
}

#[test]
fn all_are_awaited_and_the_lowest_failing_index_is_thrown() {
    let record = late(
        r#"let error = ();
           try { parallel([|| state::add("a", 1), || { state::get("x"); throw "second" },
                 || throw "third", || { sleep(5); state::add("b", 1) }]) }
           catch (e) { error = e }
           [error, state::get("a"), state::get("b")]"#,
    );
    assert_eq!(record.json(), r#"["second",1,1]"#);
}

#[test]
fn the_error_of_a_branch_keeps_its_code() {
    let record = late(
        "parallel([|| http::get(\"http://refused\"), || { state::get(\"x\"); throw \"later\" }])",
    );
    let (reason, error) = record.error();
    assert_eq!((reason, error.code), (Reason::Denied, Code::Denied));
}

#[test]
fn what_a_script_makes_of_its_branchs_termination_does_not_count() {
    let record = late(
        r#"parallel([
            || { let a = 0; try { a = state::add("a", 1) } catch { a = 99 } log::info(`a ${a}`); a },
            || { let a = [3, 1, 2]; let b = 0;
                 try { a = a.map(|x| { state::add("b", x) }) } catch { b = 1 } [a, b] },
            || state::get("c"),
        ])"#,
    );
    assert_eq!(record.json(), "[1,[[3,4,6],0],null]");
    assert_eq!(record.logs.len(), 1);
}

#[test]
fn effects_inside_comparers_of_branches_end_the_run() {
    for code in [
        "parallel([|| { let a = [2, 1]; a.sort(|x, y| { now(); x - y }); a }, || state::get(\"a\")])",
        "let a = [2, 1]; a.sort(|x, y| { parallel([|| 1]); x - y }); a",
        "parallel([|| state::get(\"a\"), || { let a = [1, 1]; a.dedup(|x, y| { try { sleep(1) } catch {} true }); a }])",
    ] {
        let (reason, error) = late(code).error();
        assert_eq!(reason, Reason::ScriptError, "{code}");
        assert!(error.message.contains("comparer"), "{}", error.message);
    }
}

#[test]
fn a_bound_in_one_branch_ends_all_of_them() {
    let mut runner = Runner::new();
    runner.operations = 50_000;
    let plan = run("try { parallel([|| sleep(5), || loop {}]) } catch { 1 }");
    let (reason, _) = runner.late(&plan, &[]).error();
    assert_eq!(reason, Reason::LimitExceeded);
    let deep = "fn f(n) { f(n + 1) } try { parallel([|| throw \"first\", || f(0)]) } catch { 1 }";
    assert_eq!(late(deep).error().0, Reason::LimitExceeded);
}

#[test]
fn operations_of_a_branch_count_once() {
    let mut runner = Runner::new();
    runner.operations = 60_000;
    let work = "let n = 0; for i in 0..5000 { n += i } for i in 0..20 { state::get(\"x\"); }";
    let code = format!("parallel([|| {{ {work} 1 }}, || {{ {work} 2 }}])");
    assert_eq!(runner.late(&run(&code), &[]).json(), "[1,2]");
    runner.operations = 20_000;
    assert_eq!(runner.late(&run(&code), &[]).error().0, Reason::LimitExceeded);
}

#[test]
fn effects_of_branches_count_once() {
    let code = "let f = || { for i in 0..COUNT { random(); } for i in 0..5 { state::get(\"x\"); } 1 }; \
                parallel([f, f])";
    assert_eq!(late(&code.replace("COUNT", "4990")).json(), "[1,1]");
    assert_eq!(late(&code.replace("COUNT", "4996")).error().0, Reason::LimitExceeded);
}

#[test]
fn a_stop_unwinds_every_branch() {
    let mut runner = Runner::new();
    let code =
        "try { parallel([|| { try { sleep(9) } catch { } 1 }, || sleep(8), || 3]) } catch { 7 }";
    let program = runner.load(&run(code));
    let number = runner.start(program, "{}", &[]);
    let record = runner.follow(number, &mut |_, request| match request {
        Request::Sleep { micros: 8_000_000 } => Answer::Unwind,
        _ => Answer::Never,
    });
    assert!(record.end.is_none());
    assert_eq!(runner.evaluate(&run("1")).json(), "1");
}

#[test]
fn what_was_asked_for_before_a_restart_is_asked_for_again_under_its_key() {
    let code = "parallel([|| { sleep(9); 1 }, || { broker::request(\"x@1\", #{ a: 1 }).a }, || 3])";
    let mut first = late(code);
    for entry in first.journal.iter_mut().filter(|entry| entry.kind != "step") {
        entry.outcome = Outcome::Pending;
    }
    let again = Runner::new().late(&run(code), &first.journal);
    assert_eq!(again.json(), "[1,1,3]");
    assert_eq!(again.asked, first.asked);
}

#[test]
fn a_failed_outcome_that_comes_late_can_be_caught() {
    let mut runner = Runner::new();
    let program = runner.load(&run(
        "parallel([|| { let m = 0; try { m = http::get(\"https://a.test\").status } catch (e) { m = e } m }, || sleep(1)])",
    ));
    let number = runner.start(program, "{}", &[]);
    let record = runner.follow(number, &mut |runner, request| match request {
        Request::Http(_) => {
            Answer::Late(Outcome::Failed(Failure::transient(Code::EffectFailed, "reset")))
        }
        other => Answer::Late(runner.perform(other)),
    });
    assert_eq!(record.json(), r#"["SB0509: reset",null]"#);
}

#[test]
fn what_is_no_closure_is_refused_and_nothing_is_nothing() {
    let (_, error) = late("parallel([1])").error();
    assert_eq!(error.code, Code::BadValue);
    assert_eq!(late("parallel([])").json(), "[]");
}

#[test]
fn a_closure_that_captured_itself_is_copied() {
    let record = late(
        "let m = #{}; let f = || m.len(); m.f = f; parallel([f, || { state::get(\"x\"); m.len() }])",
    );
    assert_eq!(record.json(), "[1,1]");
}

#[test]
fn a_successor_takes_over_whatever_is_caught_but_not_from_a_branch() {
    let record =
        late("step(\"s\", || 1); try { continue_as(#{ n: 4 }) } catch { } log::info(\"no\"); 7");
    let Some(End::ContinueAs(inputs)) = &record.end else { panic!("{:?}", record.end) };
    assert_eq!(signalbox_core::value::decode(inputs).unwrap().to_string(), r#"{"n":4}"#);
    assert!(record.logs.is_empty());
    let (_, error) = late("parallel([|| continue_as(#{}), || 1])").error();
    assert_eq!(error.code, Code::Conflict);
}

#[test]
fn a_step_in_a_branch_that_fails_for_good_is_noted_once() {
    let record = late(
        r#"parallel([|| { try { step("s", || { state::get("a"); throw "no" }) } catch { } state::get("b") },
                     || { sleep(1); sleep(2); 1 }]); 1"#,
    );
    assert_eq!(record.json(), "1");
    let notes: Vec<_> = record.steps.iter().map(|step| (step.id.as_str(), step.state)).collect();
    assert_eq!(notes, [("parallel/[0]/s", State::Failed)]);
}
