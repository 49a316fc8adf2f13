//! Promise 5, the network: what was not granted is not reached, however it is spelled.

use serde_json::{Value, json};
use signalbox_e2e::{Runner, Scene, root};
use signalbox_testkit::{HttpStub, Response, TlsStub};

/// `ops/get` asks for any URL and gives what came back.
fn scene(grants: &str) -> Scene {
    Scene::new(&[("ops", "platform", grants)]).script(
        "ops/flows/get.rhai",
        "let answer = http::get(inputs.url);\n#{ status: answer.status, text: answer.text() }",
    )
}

fn get(runner: &Runner<'_>, url: &str) -> Value {
    runner.run("ops/get", &json!({ "url": url }))
}

#[track_caller]
fn denied(runner: &Runner<'_>, url: &str) {
    let run = get(runner, url);
    assert_eq!(
        (&run["state"], &run["reason"]),
        (&json!("failed"), &json!("denied")),
        "{url}: {run:#}"
    );
    assert_eq!(run["error"]["code"], "SB0506", "{url}: {run:#}");
}

fn stub() -> HttpStub {
    HttpStub::start(|_| Response::text(200, "reached"))
}

#[test]
fn nothing_is_reached_without_a_grant() {
    let stub = stub();
    let road = scene("").road();
    let runner = road.start();
    denied(&runner, &stub.url());
    assert_eq!(stub.requests(), []);
}

#[test]
fn what_is_granted_is_reached() {
    let stub = stub();
    let road = scene(&format!("network: [\"{}\"]", stub.url())).road();
    let runner = road.start();
    let run = get(&runner, &format!("{}/some/place?x=1", stub.url()));
    assert_eq!(run["result"], json!({ "status": 200, "text": "reached" }), "{run:#}");
    assert_eq!(stub.requests()[0].path, "/some/place?x=1");
}

#[test]
fn a_grant_is_for_its_port_and_scheme_only() {
    let (granted, other) = (stub(), stub());
    let road = scene(&format!("network: [\"{}\"]", granted.url())).road();
    let runner = road.start();
    denied(&runner, &other.url());
    denied(&runner, &format!("https://127.0.0.1:{}/", granted.port()));
    denied(&runner, &format!("http://user:pass@127.0.0.1:{}/", granted.port()));
    denied(&runner, "file:///etc/passwd");
    assert_eq!((granted.requests(), other.requests()), (vec![], vec![]));
}

#[test]
fn other_spellings_of_this_machine_are_not_granted_by_a_name() {
    let stub = stub();
    let port = stub.port();
    let road = scene(&format!("network: [\"localhost:{port}\", \"example.com:{port}\"]")).road();
    let runner = road.start();
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "[::]",
        "127.0.0.2",
    ] {
        denied(&runner, &format!("http://{host}:{port}/"));
    }
    // The name is granted and stands for this machine only: nothing goes out.
    let run = get(&runner, &format!("http://localhost:{port}/"));
    assert_eq!(run["state"], "failed", "{run:#}");
    assert_eq!(stub.requests(), []);
}

#[test]
fn the_runner_itself_is_never_reached_whatever_is_granted() {
    let road = scene("").road();
    let runner = road.start();
    let port = runner.url().rsplit(':').next().unwrap().to_owned();
    let all: Vec<_> = ["127.0.0.1", "127.0.0.2", "localhost", "[::1]", "0.0.0.0"]
        .iter()
        .map(|host| format!("\"{host}:{port}\""))
        .collect();
    let grants = format!("network: [{}]", all.join(", "));
    road.push("signalbox.yaml", &root(&[("ops", "platform", &grants)]));
    assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    for host in ["127.0.0.1", "127.0.0.2", "127.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let run = get(&runner, &format!("http://{host}:{port}/healthz"));
        assert_eq!(run["state"], "failed", "{host}: {run:#}");
        assert!(run["error"].is_object() && run["result"].is_null(), "{host}: {run:#}");
    }
}

#[test]
fn a_redirect_to_what_is_not_granted_is_not_followed() {
    let target = stub();
    let place = format!("{}/secret", target.url());
    let source = HttpStub::start(move |_| Response::status(302).header("location", &place));
    let road = scene(&format!("network: [\"{}\"]", source.url())).road();
    let runner = road.start();
    denied(&runner, &source.url());
    assert_eq!(source.requests().len(), 1);
    assert_eq!(target.requests(), []);
}

#[test]
fn a_redirect_takes_neither_headers_nor_body_to_another_place() {
    let target = stub();
    let place = target.url();
    let source = HttpStub::start(move |_| Response::status(307).header("location", &place));
    let grants = format!("network: [\"{}\", \"{}\"]", source.url(), target.url());
    let body = format!(
        "http::get(\"{}\", #{{ body: \"for one\", headers: #{{ authorization: \"Bearer abc\", \"x-key\": `k` }} }}).text()",
        source.url()
    );
    let road =
        Scene::new(&[("ops", "platform", &grants)]).script("ops/flows/go.rhai", &body).road();
    let runner = road.start();
    assert_eq!(runner.result("ops/go"), "reached");
    assert_eq!(source.requests()[0].header("authorization"), Some("Bearer abc"));
    assert_eq!(source.requests()[0].body, b"for one");
    let request = &target.requests()[0];
    assert_eq!(request.body, b"");
    assert_eq!((request.header("authorization"), request.header("x-key")), (None, None));
}

#[test]
fn a_server_that_nobody_vouches_for_hears_nothing() {
    let stub = TlsStub::start(&["127.0.0.1"], (2020, 1, 1), (2199, 1, 1));
    let url = format!("https://127.0.0.1:{}", stub.port());
    let ask =
        format!("http::get(\"{url}/\", #{{ headers: #{{ x: `${{secret(\"KEY\")}}` }} }}).status");
    let road = Scene::new(&[("ops", "platform", &format!("network: [\"{url}\"]"))])
        .file("ops/workspace.yaml", "secrets: [KEY]\n")
        .script("ops/flows/ask.rhai", &ask)
        .road();
    let runner = road.start();
    runner.cli_with(&["secret", "set", "KEY", "-w", "ops"], "for the right one only").ends(0);
    let run = runner.run("ops/ask", &json!({}));
    let said = run["error"]["message"].as_str().unwrap_or_default();
    assert!(run["state"] == "failed" && said.contains("certificate"), "{run:#}");
    assert_eq!(stub.heard(), b"");
}

#[test]
fn a_connector_cannot_leave_its_base_address() {
    let (own, other) = (stub(), stub());
    let grants = format!("network: [\"{}\"]", own.url());
    let road = Scene::new(&[("ops", "platform", &grants)])
        .file(
            "ops/workspace.yaml",
            format!("connectors:\n  api: {{ type: http, base_url: \"{}/v1\" }}\n", own.url()),
        )
        .script("ops/flows/get.rhai", "connector(\"api\").get(inputs.path).text()")
        .road();
    let runner = road.start();
    let run = runner.run("ops/get", &json!({ "path": "/items" }));
    assert_eq!(run["result"], "reached", "{run:#}");
    let elsewhere = format!("@127.0.0.1:{}/", other.port());
    for path in
        ["/../admin", "/%2e%2e/admin", "//127.0.0.1:1/x", &other.url(), &elsewhere, "/a/../../b"]
    {
        runner.run("ops/get", &json!({ "path": path }));
    }
    assert_eq!(other.requests(), []);
    for request in own.requests() {
        assert!(request.path.starts_with("/v1"), "{} left the base address", request.path);
    }
}

#[test]
fn the_grant_of_one_workspace_is_not_anothers() {
    let stub = stub();
    let road = Scene::pair(&format!("network: [\"{}\"]", stub.url()), "")
        .script("shop/flows/get.rhai", &format!("http::get(\"{}\").status", stub.url()))
        .road();
    let runner = road.start();
    assert_eq!(runner.error("shop/get")["code"], "SB0506");
    assert_eq!(stub.requests(), []);
}

#[test]
fn an_answer_over_its_bound_fails_the_effect_and_not_the_runner() {
    let stub = HttpStub::start(|_| Response::status(200).body(vec![b'x'; 5 << 20]));
    let road = scene(&format!("network: [\"{}\"]", stub.url())).road();
    let runner = road.start();
    let run = get(&runner, &stub.url());
    assert_eq!(run["error"]["code"], "SB0503", "{run:#}");
    assert_eq!(runner.result("ops/hello"), "hello from ops");
}

#[test]
fn a_connection_of_one_workspace_is_not_anothers() {
    let stub = stub();
    let grants = format!("network: [\"{}\"]", stub.url());
    let get = format!("http::get(\"{}\").text()", stub.url());
    let road = Scene::pair(&grants, &grants)
        .script("ops/flows/get.rhai", &get)
        .script("shop/flows/get.rhai", &get)
        .road();
    let runner = road.start();
    for (flow, connections) in [("ops/get", 1), ("ops/get", 1), ("shop/get", 2), ("shop/get", 2)] {
        assert_eq!(runner.result(flow), "reached");
        // Who asks again has its own connection still; what a server ties to it stays there.
        assert_eq!(stub.connections(), connections, "{flow}");
    }
}
