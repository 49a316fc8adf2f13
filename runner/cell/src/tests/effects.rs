//! Effects and values at the border.

use signalbox_core::codes::Code;
use signalbox_core::journal::Level;
use signalbox_core::run::Reason;

use super::{Runner, run};
use crate::protocol::Request;

#[test]
fn an_effect_free_run_has_an_empty_journal() {
    let record = Runner::new().evaluate(&run("inputs.n + 1"));
    assert_eq!(record.json(), "4");
    assert!(record.journal.is_empty() && record.steps.is_empty());
}

#[test]
fn state_is_read_written_counted_swapped_and_listed() {
    let mut runner = Runner::new();
    let record = runner.evaluate(&run(r#"
        state::set("a/x", #{ deep: [1, 2.5, "three", ()] });
        let added = state::add("a/n", 2) + state::add("a/n", 3);
        let swapped = [state::swap("a/s", (), 1), state::swap("a/s", (), 2), state::swap("a/s", 1, 3)];
        let names = state::list("a/");
        [state::get("a/x"), added, swapped, names, state::delete("a/x"), state::get("a/x"), state::get("no", 7)]
    "#));
    assert_eq!(
        record.json(),
        r#"[{"deep":[1,2.5,"three",null]},7,[true,false,true],["a/n","a/s","a/x"],true,null,7]"#
    );
}

#[test]
fn floats_and_integers_cross_the_border_exactly() {
    let record = Runner::new().evaluate(&run(r#"
        state::set("v", [0.1 + 0.2, 1e-320, -0.0, 1.0, 9223372036854775807, -9223372036854775807 - 1]);
        state::get("v")
    "#));
    assert_eq!(
        record.json(),
        "[0.30000000000000004,1e-320,-0.0,1.0,9223372036854775807,-9223372036854775808]"
    );
}

#[test]
fn what_no_value_holds_is_refused_at_every_border() {
    let mut runner = Runner::new();
    for code in ["0.0/0.0", "1.0/0.0", "|| 1", "state::set(\"x\", 0.0/0.0)", "[#{ f: || 1 }]"] {
        let (reason, error) = runner.evaluate(&run(code)).error();
        assert_eq!((reason, error.code), (Reason::ScriptError, Code::BadValue), "{code}");
    }
}

#[test]
fn a_value_deeper_than_64_is_refused_not_followed() {
    let code = "let v = []; for i in 0..DEPTH { v = [v]; } v";
    let mut runner = Runner::new();
    runner.evaluate(&run(&code.replace("DEPTH", "63"))).value();
    let (_, error) = runner.evaluate(&run(&code.replace("DEPTH", "64"))).error();
    assert_eq!(error.code, Code::BadValue);
    let (_, error) = runner.evaluate(&run(&code.replace("DEPTH", "500"))).error();
    assert_eq!(error.code, Code::BadValue);
}

#[test]
fn a_response_has_status_headers_and_body_and_becomes_a_map() {
    let record = Runner::new().evaluate(&run(r#"
        let r = http::post("https://x.test/a", #{ k: 1 }, #{ headers: #{ "X-A": 1 }, query: #{ q: "a b" }, timeout: 2 });
        let c = connector("api").get("/bars", #{ limit: 20 });
        [r.status, r.ok, r.header("Content-Type"), r.json().url, c.json().method, r.text().len() > 5, r.bytes().len() > 5, r]
    "#));
    assert_eq!(
        record.json(),
        r#"[200,true,"application/json","https://x.test/a?q=a%20b","get",true,true,{"body":"{\"method\":\"POST\",\"url\":\"https://x.test/a?q=a%20b\"}","headers":{"content-type":"application/json"},"status":200}]"#
    );
    let Request::Http(request) = &record.requests[0] else { panic!() };
    assert_eq!(request.headers[0], ("x-a".to_owned(), "1".to_owned()));
    assert_eq!(request.headers[1], ("content-type".to_owned(), "application/json".to_owned()));
    assert_eq!(
        (request.body.as_slice(), request.timeout_ms),
        (br#"{"k":1}"#.as_slice(), Some(2000))
    );
}

#[test]
fn a_failure_is_caught_as_text_and_an_uncaught_refusal_ends_as_denied() {
    let mut runner = Runner::new();
    let caught = run(r#"let m = ""; try { http::get("http://refused") } catch (e) { m = e } m"#);
    assert_eq!(runner.evaluate(&caught).json(), r#""SB0506: not granted""#);
    let (reason, error) = runner.evaluate(&run("\n  http::get(\"http://refused\")")).error();
    assert_eq!(
        (reason, error.code, error.message.as_str()),
        (Reason::Denied, Code::Denied, "not granted")
    );
    assert_eq!(
        (error.file.as_deref(), error.line, error.column),
        (Some("flows/test.yaml"), Some(11), Some(9))
    );
    let (reason, _) = runner.evaluate(&run(r#"broker::request("forbidden", #{})"#)).error();
    assert_eq!(reason, Reason::Denied);
    let (reason, error) = runner.evaluate(&run(r#"throw "SB0506: not granted""#)).error();
    assert_eq!((reason, error.code), (Reason::ScriptError, Code::ScriptError));
}

#[test]
fn a_secret_is_a_marker_that_only_headers_and_connectors_take() {
    let mut runner = Runner::new();
    let record = runner.evaluate(&run(r#"
        let s = secret("TOKEN");
        log::info(`token ${s}`);
        print(s);
        http::get("https://x.test", #{ headers: #{ authorization: `Bearer ${s}`, other: s } }).status
    "#));
    assert_eq!(record.json(), "200");
    assert!(
        record.logs.iter().all(|line| line.message.ends_with("[secret TOKEN]")),
        "{:?}",
        record.logs
    );
    let Some(Request::Http(request)) = record.requests.last() else { panic!() };
    let marker = signalbox_core::secret::marker("TOKEN", &crate::host::proof(&[9; 32], "TOKEN"));
    assert_eq!(request.headers[0].1, format!("Bearer {marker}"));
    assert_eq!(request.headers[1].1, marker);
    for misuse in [
        "secret(\"TOKEN\")",
        "`${secret(\"TOKEN\")}`",
        "[#{ a: \"x\" + secret(\"TOKEN\") }]",
        "state::set(\"x\", secret(\"TOKEN\"))",
        "broker::request(\"x\", #{ a: secret(\"TOKEN\") })",
        "http::get(`https://x.test/${secret(\"TOKEN\")}`)",
        "http::post(\"https://x.test\", secret(\"TOKEN\"))",
        "step(\"a\", || secret(\"TOKEN\"))",
        "hash::sha256(`${secret(\"TOKEN\")}`)",
    ] {
        assert_eq!(runner.evaluate(&run(misuse)).error().1.code, Code::SecretMisused, "{misuse}");
    }
    assert_eq!(runner.evaluate(&run("secret(\"OTHER\")")).error().1.code, Code::UndeclaredName);
}

#[test]
fn an_error_says_where_in_which_file() {
    let mut runner = Runner::new();
    runner.add("lib/deep.rhai", "fn fail(x) {\n  let y = x;\n  throw `no ${y}`;\n}");
    let (_, error) =
        runner.evaluate(&run("import \"lib/deep\" as deep;\n[1].map(|x| deep::fail(x))")).error();
    assert_eq!(error.message, "no 1");
    assert_eq!((error.file.as_deref(), error.line), (Some("lib/deep.rhai"), Some(3)));
    let (_, error) = runner.evaluate(&run("let a = 1;\n[1, 2].map(|x| x.nope())")).error();
    assert_eq!((error.file.as_deref(), error.line), (Some("flows/test.yaml"), Some(11)));
}

#[test]
fn print_and_debug_are_log_lines() {
    let record =
        Runner::new().evaluate(&run(r#"print("a"); log::warn(#{ b: 1 }); debug("c"); ()"#));
    let lines: Vec<_> =
        record.logs.iter().map(|line| (line.level, line.message.as_str())).collect();
    assert_eq!(lines, [(Level::Info, "a"), (Level::Warn, "#{\"b\": 1}"), (Level::Trace, "\"c\"")]);
}

#[test]
fn a_connector_refuses_methods_that_its_type_does_not_have() {
    let mut runner = Runner::new();
    let (_, error) = runner.evaluate(&run(r#"connector("slack").get("/")"#)).error();
    assert!(error.message.contains("no `get`"), "{}", error.message);
    let (_, error) = runner.evaluate(&run(r#"connector("slak")"#)).error();
    assert!(error.message.contains("did you mean `slack`"), "{}", error.message);
}
