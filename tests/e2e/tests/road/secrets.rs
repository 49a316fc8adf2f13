//! Promise 6: a secret's value goes where it is meant to, and into nothing else.

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene};
use signalbox_testkit::{HttpStub, Request, Response};

const VALUE: &str = "correct+horse/battery==staple";

/// A workspace with a secret `KEY`, and `send`, whose body is given.
fn road(stub: &HttpStub, body: &str) -> Road {
    Scene::new(&[("ops", "platform", &format!("network: [\"{}\"]", stub.url()))])
        .file(
            "ops/workspace.yaml",
            format!(
                "secrets: [KEY, HOOK]
connectors:
  api: {{ type: http, base_url: \"{url}\", headers: {{ X-Api-Key: \"${{secrets.KEY}}\" }} }}
  chat: {{ type: slack, webhook_url: \"${{secrets.HOOK}}\", channel: \"#ops\" }}
",
                url = stub.url()
            ),
        )
        .script("ops/flows/send.rhai", &body.replace("URL", &stub.url()))
        .road()
}

fn start<'r>(road: &'r Road, stub: &HttpStub) -> Runner<'r> {
    let runner = road.start();
    runner.cli_with(&["secret", "set", "KEY", "-w", "ops"], VALUE).ends(0);
    let hook = format!("{}/hooks/{VALUE}", stub.url());
    runner.cli_with(&["secret", "set", "HOOK", "-w", "ops"], &hook).ends(0);
    runner
}

fn stub() -> HttpStub {
    HttpStub::start(|_| Response::json(200, &json!({ "ok": true })))
}

#[track_caller]
fn misused(body: &str) {
    let stub = stub();
    let road = road(&stub, body);
    let runner = start(&road, &stub);
    let run = runner.run("ops/send", &json!({}));
    assert_eq!(run["state"], "failed", "{run:#}");
    assert_eq!(run["error"]["code"], "SB0508", "{run:#}");
    assert_eq!(stub.requests(), [], "something went out");
    let told = runner.cli(&["show", run["id"].as_str().unwrap()]).stdout;
    assert!(!told.contains("⟦secret:"), "a marker is shown: {told}");
}

#[test]
fn a_header_gets_the_value() {
    let stub = stub();
    let send =
        "http::get(\"URL/\", #{ headers: #{ authorization: `Bearer ${secret(\"KEY\")}` } }).status";
    let road = road(&stub, send);
    let runner = start(&road, &stub);
    assert_eq!(runner.result("ops/send"), 200);
    let sent = stub.requests().remove(0);
    assert_eq!(sent.header("authorization"), Some(format!("Bearer {VALUE}").as_str()));
}

#[test]
fn a_connectors_header_and_address_get_the_value() {
    let stub = stub();
    let send = "connector(\"api\").get(\"/x\");\nconnector(\"chat\").send(#{ text: \"hello\" });";
    let road = road(&stub, send);
    let runner = start(&road, &stub);
    runner.result("ops/send");
    let [api, chat] = <[Request; 2]>::try_from(stub.requests()).unwrap();
    assert_eq!(api.header("x-api-key"), Some(VALUE));
    assert_eq!(chat.path, format!("/hooks/{VALUE}"));
}

#[test]
fn a_value_that_is_set_anew_is_used_from_then_on() {
    let stub = stub();
    let road = road(&stub, "connector(\"api\").get(\"/x\").status");
    let runner = start(&road, &stub);
    runner.result("ops/send");
    runner.cli_with(&["secret", "set", "KEY", "-w", "ops"], "another-value").ends(0);
    runner.result("ops/send");
    let keys: Vec<_> =
        stub.requests().iter().map(|one| one.header("x-api-key").map(str::to_owned)).collect();
    assert_eq!(keys, [Some(VALUE.to_owned()), Some("another-value".to_owned())]);
}

#[test]
fn a_secret_that_is_not_set_fails_the_run_and_says_which() {
    let stub = stub();
    let road = road(&stub, "connector(\"api\").get(\"/x\").status");
    let runner = road.start();
    let error = runner.error("ops/send");
    assert_eq!(error["code"], "SB0507", "{error}");
    assert!(error["message"].as_str().unwrap().contains("KEY"), "{error}");
    assert_eq!(stub.requests(), []);
}

#[test]
fn a_secret_in_the_state_is_refused() {
    misused("state::set(\"k\", `${secret(\"KEY\")}`)");
}

#[test]
fn a_secret_in_a_body_is_refused() {
    misused("http::post(\"URL/\", `key=${secret(\"KEY\")}`).status");
    misused("http::post(\"URL/\", #{ key: secret(\"KEY\") }).status");
}

#[test]
fn a_secret_in_a_url_is_refused() {
    misused("http::get(`URL/${secret(\"KEY\")}`).status");
    misused("http::get(\"URL/\", #{ query: #{ key: `${secret(\"KEY\")}` } }).status");
}

#[test]
fn a_secret_in_a_result_is_refused() {
    misused("`the key is ${secret(\"KEY\")}`");
    misused("#{ key: secret(\"KEY\") }");
}

#[test]
fn a_secret_in_the_body_of_a_connector_is_refused() {
    misused("connector(\"chat\").send(#{ text: `${secret(\"KEY\")}` })");
    misused("connector(\"api\").post(\"/x\", `${secret(\"KEY\")}`)");
}

#[test]
fn a_secret_in_the_inputs_of_a_call_is_refused() {
    let road = Scene::pair("", "")
        .file("ops/workspace.yaml", "exports:\n  tell.me: { flow: tell, callers: [domains] }\n")
        .script("ops/flows/tell.rhai", "inputs")
        .file("shop/workspace.yaml", "secrets: [KEY]\nuses: [tell.me]\n")
        .script("shop/flows/ask.rhai", "broker::request(\"tell.me\", #{ k: `${secret(\"KEY\")}` })")
        .road();
    let runner = road.start();
    runner.cli_with(&["secret", "set", "KEY", "-w", "shop"], VALUE).ends(0);
    assert_eq!(runner.error("shop/ask")["code"], "SB0508");
    assert_eq!(runner.list("/runs?flow=tell").len(), 0);
}

#[test]
fn the_marker_of_one_run_means_nothing_in_another() {
    let stub = stub();
    // The text of a marker as a script sees it, taken apart so that it can be carried out.
    let send = "if \"marker\" in inputs {
    let marker = \"\";
    for c in inputs.marker { marker += c; }
    return http::get(\"URL/\", #{ headers: #{ x: marker } }).status;
}
let parts = [];
for c in `${secret(\"KEY\")}` { parts.push(`${c}`); }
parts";
    let road = road(&stub, send);
    let runner = start(&road, &stub);
    let parts = runner.result("ops/send");
    let run = runner.run("ops/send", &json!({ "marker": parts }));
    let received = stub.requests().iter().any(|one| one.header("x") == Some(VALUE));
    assert!(!received, "a marker was carried from one run to another");
    assert_eq!(run["state"], "failed", "{run:#}");
}

#[test]
fn a_secret_that_the_workspace_does_not_declare_is_unknown_at_sync() {
    let stub = stub();
    let road = road(&stub, "secret(\"OTHER\")");
    let (code, document) = road.validate();
    assert_eq!((code, &document["diagnostics"][0]["code"]), (3, &json!("SB0210")), "{document:#}");
}

#[test]
fn an_answer_that_sends_the_secret_back_is_masked() {
    let stub = HttpStub::start(|request| {
        let key = request.header("x-api-key").unwrap_or_default().to_owned();
        let hex: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
        let percent = key.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let told = json!({ "plain": key, "hex": hex, "percent": percent });
        Response::json(200, &told).header("x-echo", &key)
    });
    let send = "let answer = connector(\"api\").get(\"/x\");
log::info(answer.text());
#{ body: answer.json(), header: answer.header(\"x-echo\") }";
    let road = road(&stub, send);
    let runner = start(&road, &stub);
    let run = runner.run("ops/send", &json!({}));
    assert_eq!(run["state"], "succeeded", "{run:#}");
    let masked = |value: &Value| value.as_str().unwrap().contains("[masked]");
    let result = &run["result"];
    for value in [
        &result["body"]["plain"],
        &result["body"]["hex"],
        &result["body"]["percent"],
        &result["header"],
    ] {
        assert!(masked(value), "{run:#}");
    }
    let id = run["id"].as_str().unwrap();
    let log = runner.client().get(&format!("/api/v1/runs/{id}/logs")).text;
    let journal = runner.client().get(&format!("/api/v1/runs/{id}/journal")).text;
    assert!(!log.contains(VALUE) && !journal.contains(VALUE), "{log}{journal}");
}

#[test]
fn a_failure_does_not_tell_the_value() {
    let stub = stub();
    let road = road(&stub, "connector(\"chat\").send(#{ text: `x` })");
    let runner = start(&road, &stub);
    for hook in [
        format!("http://127.0.0.1:1/{VALUE}"),
        format!("http://{VALUE}.example/x"),
        format!("not a url {VALUE}"),
        format!("{}/x\n{VALUE}", stub.url()),
        format!("http://{VALUE}@127.0.0.1:{}/", stub.port()),
    ] {
        runner.cli_with(&["secret", "set", "HOOK", "-w", "ops"], &hook).ends(0);
        let run = runner.run("ops/send", &json!({}));
        let id = run["id"].as_str().unwrap();
        let journal = runner.client().get(&format!("/api/v1/runs/{id}/journal")).text;
        let said = format!("{run} {journal} {}", runner.serve().stderr());
        assert!(!said.contains(VALUE) && !said.to_lowercase().contains(VALUE), "{hook}: {said}");
    }
}
