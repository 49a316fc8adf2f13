//! The check through the protocol.

use signalbox_core::check::{CheckRequest, CheckScript, Facts, ScriptCode, ScriptKind};
use signalbox_core::codes::Code;

use super::Runner;
use crate::protocol::{FromCell, ToCell};

fn check(kind: ScriptKind, origin: (u32, u32), code: &str) -> Facts {
    let mut runner = Runner::new();
    let library = "import \"lib/b\" as b;\nfn strength(x) { b::one(x) }";
    for (path, text) in [("lib/a.rhai", library), ("lib/b.rhai", "fn one(x) { x }")] {
        runner.send(&ToCell::Source { tree: 0, path: path.to_owned(), text: text.to_owned() });
    }
    let script = CheckScript {
        name: "it".to_owned(),
        file: "ws/flows/it.yaml".to_owned(),
        origin,
        kind,
        sees: Vec::new(),
        code: ScriptCode::Inline(code.to_owned()),
    };
    runner.send(&ToCell::Check(CheckRequest {
        scripts: vec![script],
        secrets: vec!["TOKEN".to_owned()],
        connectors: vec!["slack".to_owned()],
    }));
    let FromCell::Facts(facts) = runner.receive() else { panic!() };
    assert_eq!(runner.receive(), FromCell::Checked);
    *facts
}

fn codes(facts: &Facts) -> Vec<(Code, u32, u32)> {
    let faults = facts.diagnostics.iter();
    faults.map(|fault| (fault.code, fault.place.line, fault.place.column)).collect()
}

#[test]
fn good_code_has_no_faults_and_shows_its_imports_and_calls() {
    let facts = check(
        ScriptKind::Run,
        (20, 7),
        "import \"lib/a\" as ta;\nlet x = ta::strength(inputs.n);\nlet f = |y| y + x;\nstep(\"s\", || f.call(1));\n\
         broker::request(\"alerts.send@1\", #{ severity: \"high\", message: `a ${x}`, n: 2 });\n\
         for i in 0..3 { log::info(i); }\nconnector(\"slack\").send([1].map(|v| v * 2)); steps.len()",
    );
    assert!(facts.diagnostics.is_empty(), "{:#?}", facts.diagnostics);
    assert_eq!(facts.imports, ["lib/a.rhai"]);
    let call = &facts.calls[0];
    assert_eq!((call.target.as_str(), call.line), ("alerts.send@1", 24));
    let inputs = call.inputs.as_ref().unwrap();
    assert!(inputs["severity"].is_some() && inputs["message"].is_none() && inputs["n"].is_some());
}

#[test]
fn every_unknown_name_is_found_with_its_place() {
    let facts = check(
        ScriptKind::Run,
        (20, 7),
        "stp(\"a\", || 1);\nlet a = inputz.x;\nlet b = stepz;\nstate::gett(\"x\");\nbrokr::request(\"x\");\n\
         secret(\"OTHER\"); connector(\"slak\"); state::get(); [1].mapp(|x| x)",
    );
    let found = codes(&facts);
    for expected in [
        (Code::UnknownFunction, 20, 7),
        (Code::UnknownVariable, 21, 15),
        (Code::UnknownVariable, 22, 15),
    ] {
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
    let helps: Vec<_> =
        facts.diagnostics.iter().filter_map(|fault| fault.help.as_deref()).collect();
    assert!(helps.contains(&"did you mean `step`?"), "{helps:?}");
    assert!(helps.contains(&"did you mean `inputs`?"), "{helps:?}");
    assert!(helps.contains(&"did you mean `state::get`?"), "{helps:?}");
    assert!(helps.contains(&"did you mean `slack`?"), "{helps:?}");
    assert!(found.iter().any(|(code, ..)| *code == Code::UndeclaredName));
    assert!(found.iter().any(|(code, ..)| *code == Code::UnknownMethod));
}

#[test]
fn eval_and_the_clock_of_rhai_do_not_exist() {
    assert!(!check(ScriptKind::Run, (1, 1), "eval(\"1\")").diagnostics.is_empty());
    assert_eq!(codes(&check(ScriptKind::Run, (1, 1), "timestamp()"))[0].0, Code::UnknownFunction);
}

#[test]
fn starts_of_flows_are_told_from_calls() {
    let facts =
        check(ScriptKind::Run, (1, 1), "flow::run(\"a/b\", #{ x: 1 }); broker::start(\"c@1\")");
    let found: Vec<_> = facts.calls.iter().map(|call| (call.target.as_str(), call.own)).collect();
    assert_eq!(found, [("a/b", true), ("c@1", false)]);
}

#[test]
fn a_script_needs_main_and_a_library_that_exists() {
    let facts =
        check(ScriptKind::Script, (1, 1), "import \"lib/zzz\" as z;\nfn mian(inputs) { 1 }");
    let codes: Vec<_> = codes(&facts).into_iter().map(|(code, ..)| code).collect();
    assert_eq!(codes, [Code::NoMain, Code::UnknownImport]);
}

#[test]
fn a_carriage_return_without_a_line_feed_is_refused_where_it_stands() {
    let found = check(ScriptKind::Script, (1, 1), "fn main(inputs) {\r\n  // a\r  b\r\n  b\n}\n");
    assert_eq!(codes(&found), [(Code::ScriptSyntax, 2, 7)]);
    let last = check(ScriptKind::Script, (1, 1), "fn main(inputs) { 1 } // a\r");
    assert_eq!(codes(&last), [(Code::ScriptSyntax, 1, 27)]);
    let whole = check(ScriptKind::Script, (1, 1), "fn main(inputs) {\r\n  1\r\n}\r\n");
    assert!(whole.diagnostics.is_empty());
}

#[test]
fn syntax_errors_and_statements_in_expressions_are_refused() {
    assert_eq!(
        codes(&check(ScriptKind::Expression, (3, 9), "inputs.x +")),
        [(Code::ScriptSyntax, 3, 19)]
    );
    assert!(!check(ScriptKind::Expression, (1, 1), "let x = 1;").diagnostics.is_empty());
    assert!(
        check(ScriptKind::Expression, (1, 1), "steps.a.filter(|x| x > 1).len()")
            .diagnostics
            .is_empty()
    );
}
