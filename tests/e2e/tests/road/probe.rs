//! The `probe` connector: whether something answers, through the same gate as every request.

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene};
use signalbox_testkit::{HttpStub, Response, TlsStub};

fn road(grants: &str) -> Road {
    Scene::new(&[("ops", "platform", grants)])
        .file("ops/workspace.yaml", "connectors:\n  probe: { type: probe }\n")
        .script("ops/flows/tcp.rhai", "connector(\"probe\").tcp(inputs.host, inputs.port)")
        .script("ops/flows/http.rhai", "connector(\"probe\").http(inputs.url, #{ timeout: 5 })")
        .script("ops/flows/dns.rhai", "connector(\"probe\").dns(inputs.name)")
        .script(
            "ops/flows/certificate.rhai",
            "connector(\"probe\").certificate(inputs.host, inputs.port, #{ timeout: inputs.timeout })",
        )
        .road()
}

#[track_caller]
fn result(runner: &Runner<'_>, flow: &str, inputs: &Value) -> Value {
    let run = runner.run(flow, inputs);
    assert_eq!(run["state"], "succeeded", "{run:#}");
    run["result"].clone()
}

#[track_caller]
fn denied(runner: &Runner<'_>, flow: &str, inputs: &Value) {
    let run = runner.run(flow, inputs);
    assert_eq!(run["error"]["code"], "SB0506", "{inputs}: {run:#}");
}

/// A port of this machine on which nobody listens.
fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn what_answers_is_ok_and_what_does_not_says_why() {
    let stub = HttpStub::start(|request| match request.path.as_str() {
        "/broken" => Response::text(503, "no"),
        "/moved" => Response::status(302).header("location", "/elsewhere"),
        _ => Response::text(200, "yes"),
    });
    let closed = closed_port();
    let road = road(&format!("network: [\"{}\", \"127.0.0.1:{closed}\"]", stub.url()));
    let runner = road.start();
    let tcp = |port| result(&runner, "ops/tcp", &json!({ "host": "127.0.0.1", "port": port }));
    assert_eq!(tcp(stub.port())["ok"], true);
    let refused = tcp(closed);
    assert_eq!(refused["ok"], false);
    assert!(refused["error"].as_str().unwrap().contains("refused"), "{refused:#}");
    let http = |path: &str| {
        let seen = result(&runner, "ops/http", &json!({ "url": stub.url() + path }));
        (seen["ok"].clone(), seen["status"].clone())
    };
    assert_eq!(http("/"), (json!(true), json!(200)));
    assert_eq!(http("/broken"), (json!(false), json!(503)));
    assert_eq!(http("/moved"), (json!(true), json!(302)));
    let gone = json!({ "url": format!("http://127.0.0.1:{closed}/") });
    let gone = result(&runner, "ops/http", &gone);
    assert!(gone["ok"] == false && gone["error"].is_string(), "{gone:#}");
    assert_eq!(stub.requests().len(), 3, "a redirect is not followed");
}

#[test]
fn nothing_is_probed_without_a_grant_and_never_the_runner() {
    let stub = HttpStub::start(|_| Response::text(200, "yes"));
    let (port, other) = (stub.port(), closed_port());
    let road = road(&format!("network: [\"127.0.0.1:{other}\", \"localhost:{port}\"]"));
    let runner = road.start();
    for host in ["127.0.0.1", "127.1", "0x7f.1", "::1", "0.0.0.0", "[::ffff:127.0.0.1]"] {
        denied(&runner, "ops/tcp", &json!({ "host": host, "port": port }));
        denied(&runner, "ops/certificate", &json!({ "host": host, "port": port, "timeout": 5 }));
    }
    denied(&runner, "ops/http", &json!({ "url": stub.url() }));
    denied(&runner, "ops/dns", &json!({ "name": "example.com" }));
    // The name is granted and stands for this machine only.
    let local = result(&runner, "ops/tcp", &json!({ "host": "localhost", "port": port }));
    assert!(local["ok"] == false && local["error"].as_str().unwrap().contains("this machine"));
    let local = result(&runner, "ops/dns", &json!({ "name": "localhost" }));
    assert!(local["ok"] == false && local["error"].as_str().unwrap().contains("this machine"));
    for bad in ["127.0.0.1/x", "user@127.0.0.1", "127.0.0.1:1/", ""] {
        let run = runner.run("ops/tcp", &json!({ "host": bad, "port": other }));
        assert_eq!(run["state"], "failed", "{bad}: {run:#}");
    }
    assert_eq!(stub.requests(), []);
}

#[test]
fn the_runners_own_port_is_not_probed_whatever_is_granted() {
    let road = road("");
    let runner = road.start();
    let port: u16 = runner.url().rsplit(':').next().unwrap().parse().unwrap();
    let grants =
        format!("network: [\"127.0.0.1:{port}\", \"127.0.0.2:{port}\", \"0.0.0.0:{port}\"]");
    road.push("signalbox.yaml", &signalbox_e2e::root(&[("ops", "platform", &grants)]));
    assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    for host in ["127.0.0.1", "127.0.0.2", "127.1", "0.0.0.0"] {
        denied(&runner, "ops/tcp", &json!({ "host": host, "port": port }));
    }
}

#[test]
fn a_literal_address_is_its_own_answer() {
    let road = road("network: [\"127.0.0.1:9\"]");
    let runner = road.start();
    let seen = result(&runner, "ops/dns", &json!({ "name": "127.0.0.1" }));
    assert_eq!((&seen["ok"], &seen["addresses"]), (&json!(true), &json!(["127.0.0.1"])));
}

#[test]
fn a_certificate_tells_its_age_and_whether_it_is_trusted() {
    let long = TlsStub::start(&["nas.lan", "127.0.0.1"], (2020, 1, 1), (2199, 1, 1));
    let over = TlsStub::start(&["nas.lan"], (2020, 1, 1), (2021, 1, 1));
    let plain = HttpStub::start(|_| Response::text(200, "no TLS here"));
    let grants: Vec<_> = [long.port(), over.port(), plain.port()]
        .iter()
        .map(|port| format!("\"127.0.0.1:{port}\""))
        .collect();
    let road = road(&format!("network: [{}]", grants.join(", ")));
    let runner = road.start();
    let look_for = |port: u16, timeout: f64| {
        let inputs = json!({ "host": "127.0.0.1", "port": port, "timeout": timeout });
        result(&runner, "ops/certificate", &inputs)
    };
    let look = |port: u16| look_for(port, 20.0);
    let seen = look(long.port());
    assert_eq!(seen["names"], json!(["nas.lan", "127.0.0.1"]), "{seen:#}");
    assert_eq!(seen["not_after"], "2199-01-01T00:00:00.000000Z", "{seen:#}");
    assert_eq!(seen["subject"], "CN=stand-in", "{seen:#}");
    // Nobody vouches for who signs for himself.
    assert_eq!((&seen["ok"], &seen["trusted"]), (&json!(false), &json!(false)), "{seen:#}");
    assert!(seen["error"].is_string(), "{seen:#}");
    let (age, left) = (seen["age_days"].as_i64().unwrap(), seen["days_left"].as_i64().unwrap());
    // From 2020-01-01 to 2199-01-01, whenever this is; a day begun counts to neither.
    assert_eq!(age + left, 65_379 - 1, "{seen:#}");
    let seen = look(over.port());
    assert!(seen["ok"] == false && seen["days_left"].as_i64().unwrap() < 0, "{seen:#}");
    // It waits for a request that never comes.
    let seen = look_for(plain.port(), 0.2);
    assert!(seen["ok"] == false && seen["error"].is_string(), "{seen:#}");
}
