//! Bounds, and what no script may do.

use signalbox_core::codes::Code;
use signalbox_core::journal::Entry;
use signalbox_core::run::Reason;

use super::{Runner, plan_of, run};

#[test]
fn operations_are_bounded_also_inside_of_callbacks() {
    let mut runner = Runner::new();
    runner.operations = 5_000;
    for code in [
        "loop {}",
        "try { loop {} } catch { 1 } 1",
        "let a = []; a.pad(1000, 0); a.map(|x| { let n = 0; for i in 0..100 { n += i } n })",
        "let a = []; a.pad(1000, 0); a.sort(|x, y| { let n = 0; for i in 0..100 { n += i } 0 }); 1",
    ] {
        let (reason, error) = runner.evaluate(&run(code)).error();
        assert_eq!((reason, error.code), (Reason::LimitExceeded, Code::LimitExceeded), "{code}");
    }
    assert_eq!(runner.evaluate(&run("1")).json(), "1");
}

#[test]
fn a_bound_says_where_it_was_reached() {
    let mut runner = Runner::new();
    runner.operations = 5_000;
    for code in ["let a = 1;\nloop {}", "1;\nfor i in 0..10001 { random() }"] {
        let (_, error) = runner.evaluate(&run(code)).error();
        assert_eq!(error.line, Some(11), "{error:?}");
        assert!(error.file.is_some() && error.column.is_some(), "{error:?}");
    }
}

#[test]
fn calls_and_data_are_bounded() {
    let mut runner = Runner::new();
    for code in [
        "fn f(n) { f(n + 1) } f(0)",
        "fn f(n) { parallel([|| f(n + 1)]) } f(0)",
        "fn f(n) { parallel([|| f(n + 1), || state::get(\"x\")]) } f(0)",
        "let s = \"x\"; loop { s += s; }",
        "let a = [1]; loop { a += a; }",
    ] {
        let (reason, error) = runner.evaluate(&run(code)).error();
        assert_eq!((reason, error.code), (Reason::LimitExceeded, Code::LimitExceeded), "{code}");
    }
}

#[test]
fn effects_in_one_run_are_bounded() {
    let record = Runner::new().evaluate(&run("for i in 0..10001 { try { random() } catch { } } 1"));
    let (reason, _) = record.error();
    assert_eq!(reason, Reason::LimitExceeded);
    assert_eq!(record.journal.len(), 10_000);
}

#[test]
fn a_log_is_cut_with_a_mark_once() {
    let plan = run("let s = \"\"; s.pad(100000, 'x'); for i in 0..30 { log::info(s); } 1");
    let record = Runner::new().evaluate(&plan);
    assert_eq!(record.json(), "1");
    assert_eq!(record.logs.len(), 11);
    assert_eq!(record.logs[10].message, "log cut at 1 MiB");
    let again = Runner::new().replay(&plan, &record.journal);
    assert!(again.logs.is_empty());
}

#[test]
fn a_line_has_its_place_whether_the_log_is_full_or_not() {
    let full = "let s = \"\"; s.pad(100000, 'x'); for i in 0..30 { log::info(s); } 1";
    let plan = plan_of(&[("full", full), ("behind", "log::info(\"x\"); now()")]);
    let mut runner = Runner::new();
    let record = runner.evaluate(&plan);
    // A replay keeps the first step, so that the log is empty when the second one writes.
    let behind = |entry: &&Entry| entry.kind == "step" && entry.key.scope.starts_with("behind");
    let journal: Vec<_> = record.journal.iter().filter(|e| !behind(e)).cloned().collect();
    assert_eq!(journal.len() + 1, record.journal.len());
    let again = runner.replay(&plan, &journal);
    assert_eq!(again.json(), record.json());
}

#[test]
fn effects_inside_comparers_end_the_run_and_cannot_be_caught() {
    let mut runner = Runner::new();
    for code in [
        "let a = [2, 1]; a.sort(|x, y| { now(); x - y }); a",
        "let a = [2, 1]; try { a.sort(|x, y| { log::info(x); x - y }) } catch { } a",
        "let a = [2, 1]; a.dedup(|x, y| { state::get(\"x\"); true }); a",
        "let a = [2, 1]; a.order(|x, y| { print(x); x < y })",
        "let a = [2, 1]; a.sort(|x, y| { step(\"s\", || 1); x - y }); a",
    ] {
        let (reason, error) = runner.evaluate(&run(code)).error();
        assert_eq!(reason, Reason::ScriptError, "{code}");
        assert!(error.message.contains("comparer"), "{}", error.message);
    }
    let fine = runner
        .evaluate(&run("let a = [3, 1, 2]; a.sort(|x, y| x - y); a.map(|x| { log::info(x); x })"));
    assert_eq!(fine.json(), "[1,2,3]");
    let fine = runner.evaluate(&run(
        "let a = [1, 1, 2, 1]; a.dedup(|x, y| x == y); [a, [2, 3, 1].order(|x, y| x > y)]",
    ));
    assert_eq!(fine.json(), "[[1,2,1],[3,2,1]]");
}

#[test]
fn eval_and_reflection_are_absent() {
    let mut runner = Runner::new();
    for code in [
        "eval(\"1\")",
        "Fn(\"ev\" + \"al\").call(\"1\")",
        "exit(1)",
        "timestamp()",
        "get_fn_metadata_list()",
        "parse_json(\"{}\")",
    ] {
        let (reason, _) = runner.evaluate(&run(code)).error();
        assert_eq!(reason, Reason::ScriptError, "{code}");
    }
}

#[test]
fn imports_know_only_the_programs_own_sources() {
    let mut runner = Runner::new();
    runner.add("a.rhai", "import \"b\" as b; fn f() { 1 }");
    runner.add("b.rhai", "import \"a\" as a; fn f() { 2 }");
    runner.add("effect.rhai", "let x = now(); fn f() { 3 }");
    for name in ["../a", "/etc/passwd", "./a", "a.rhai", "missing", "", "a//b"] {
        let (_, error) = runner.evaluate(&run(&format!("import \"{name}\" as x; 1"))).error();
        assert_eq!(error.code, Code::UnknownImport, "{name}: {}", error.message);
    }
    let (_, error) = runner.evaluate(&run("import \"a\" as x; 1")).error();
    assert_eq!(error.code, Code::ImportCycle);
    let (_, error) = runner.evaluate(&run("import \"effect\" as x; 1")).error();
    assert!(error.message.contains("library"), "{}", error.message);
}
