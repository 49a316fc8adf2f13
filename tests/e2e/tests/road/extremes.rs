//! Bad input from scripts: no value takes a cell down, whatever function it is given to.

use serde_json::{Value, json};
use signalbox_e2e::{Runner, Scene};

/// Values at every edge.
const VALUES: &str = "let values = [
    (), true, 0, -1, 1, 9223372036854775807, -9223372036854775807 - 1, 0.0, -0.5, 1.0e308,
    -1.0e308, \"\", \"x\", \"ä\u{1F600}\", \"2026-02-30T25:61:61Z\", \"9999-12-31T23:59:59.999999Z\",
    \"-009999-01-01T00:00:00Z\", \"%\", \"%Q%9999999999d\", \"Europe/Berlin\", \"\\\"\\\\\", \"[[[[\",
    \"1e999999\", \"🙂\".to_blob(), [], [[], [()]], #{}, #{ a: #{} }, |x| x, 'c', blob(3, 255), 0..5
];
let n = 0;
";

/// Calls of functions without an effect, of one, two and three arguments.
const ONE: [&str; 21] = [
    "connector",
    "env",
    "hash::sha256",
    "hash::sha512",
    "json::encode",
    "json::parse",
    "json::pretty",
    "secret",
    "text::lines",
    "text::percent_encode",
    "text::slug",
    "text::trim",
    "text::words",
    "time::from_unix",
    "time::parse",
    "time::parts",
    "time::unix",
    "time::weekday",
    "log::info",
    "state::get",
    "state::delete",
];
const TWO: [&str; 16] = [
    "env",
    "random",
    "state::add",
    "state::set",
    "text::join",
    "text::pad_left",
    "text::pad_right",
    "text::repeat",
    "text::truncate",
    "time::add",
    "time::diff",
    "time::format",
    "time::parts",
    "time::weekday",
    "http::get",
    "step",
];
const THREE: [&str; 4] = ["time::format", "state::swap", "http::request", "http::post"];

/// A script that gives every combination of values to a function and counts what was caught.
fn script(function: &str, arguments: usize) -> String {
    let names = ["a", "b", "c"];
    let loops: String =
        names[..arguments].iter().map(|name| format!("for {name} in values {{ ")).collect();
    let given = names[..arguments].join(", ");
    let closing = "}".repeat(arguments);
    // Three arguments of all values would go over the bound of a run's effects.
    let fewer = "let some = [];
for i in 0..values.len() { if i % 3 == 0 { some.push(values[i]); } }
values = some;";
    let fewer = if arguments == 3 { fewer } else { "" };
    format!(
        "{VALUES}{fewer}\n{loops}\ntry {{ {function}({given}); }} catch (e) {{ n += 1; }}\n{closing}\nn"
    )
}

#[track_caller]
fn survives(runner: &Runner<'_>, flow: &str) {
    let run = runner.run(&format!("ops/{flow}"), &json!({}));
    let code = run["error"]["code"].as_str();
    assert!(run["state"] == "succeeded" || code == Some("SB0503"), "{flow}: {run:#}");
    let message = run["error"]["message"].as_str().unwrap_or_default();
    assert!(!message.contains("twice"), "{flow} took its cell down: {run:#}");
}

fn check(functions: &[&str], arguments: usize) {
    let name = |function: &str| format!("{}{arguments}", function.replace("::", "-"));
    let scene = functions.iter().fold(Scene::platform(), |scene, function| {
        scene.script(&format!("ops/flows/{}.rhai", name(function)), &script(function, arguments))
    });
    let road = scene.road();
    let runner = road.start();
    assert_eq!(
        runner.get("/workspaces/ops")["state"],
        "live",
        "{:#}",
        runner.get("/workspaces/ops")
    );
    for function in functions {
        survives(&runner, &name(function));
    }
    assert!(!runner.serve().stderr().contains("panicked"), "{}", runner.serve().stderr());
}

#[test]
fn functions_of_one_argument_take_any_value() {
    check(&ONE, 1);
}

#[test]
fn functions_of_two_arguments_take_any_values() {
    check(&TWO, 2);
}

#[test]
fn functions_of_three_arguments_take_any_values() {
    check(&THREE, 3);
}

#[test]
fn recursion_without_end_is_an_error_of_the_run() {
    let endless = "fn down(n) { down(n + 1) }\nfn main(inputs) { down(0) }\n";
    let closure = "fn main(inputs) { let f = |f, n| f.call(f, n + 1); f.call(f, 0) }\n";
    let road = Scene::platform()
        .file("ops/flows/endless.rhai", endless)
        .file("ops/flows/closure.rhai", closure)
        .road();
    let runner = road.start();
    for flow in ["ops/endless", "ops/closure"] {
        let run = runner.run(flow, &json!({}));
        assert_eq!((&run["state"], &run["reason"]), (&json!("failed"), &json!("limit_exceeded")));
        let message = run["error"]["message"].as_str().unwrap();
        assert!(!message.contains("twice"), "{flow} took its cell down: {run:#}");
    }
}

#[test]
fn a_log_over_its_bound_is_cut_and_says_so() {
    let body = "let line = \"x\";
for i in 0..10 { line += line; }
for i in 0..4000 { log::info(line); }
`done`";
    let road = Scene::platform().script("ops/flows/talk.rhai", body).road();
    let runner = road.start();
    let run = runner.run("ops/talk", &json!({}));
    assert_eq!(run["result"], "done", "{run:#}");
    let id = run["id"].as_str().unwrap();
    let mut lines = Vec::new();
    let mut path = format!("/runs/{id}/logs?limit=1000");
    loop {
        let page = runner.get(&path);
        lines.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/runs/{id}/logs?limit=1000&cursor={next}");
    }
    let length = |line: &Value| line["message"].as_str().unwrap().len();
    let total: usize = lines.iter().map(length).sum();
    assert!((900 << 10..1100 << 10).contains(&total), "{total} bytes");
    let last = lines.last().unwrap()["message"].as_str().unwrap();
    assert!(!last.starts_with("xx"), "no mark at the end: {last}");
}
