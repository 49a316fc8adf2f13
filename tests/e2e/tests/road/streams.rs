//! Events as they happen, without a gap for who comes back; pages and the description of the API.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};
use signalbox_e2e::{PATIENCE, Runner, Scene};

/// An open stream of events.
struct Events(BufReader<TcpStream>);

impl Events {
    fn open(runner: &Runner<'_>, path: &str, after: Option<&str>) -> Self {
        let host = runner.url().trim_start_matches("http://");
        let mut connection = TcpStream::connect(host).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let after = after.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        write!(connection, "GET /api/v1{path} HTTP/1.1\r\nhost: {host}\r\n{after}\r\n").unwrap();
        let mut events = Self(BufReader::new(connection));
        assert!(events.line().contains("200"), "no stream");
        while !events.line().is_empty() {}
        events
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The next event of a topic: its id and its data.
    fn next(&mut self, topic: &str) -> (String, Value) {
        let (mut id, mut name, mut data) = (String::new(), String::new(), Value::Null);
        loop {
            let line = self.line();
            match line.split_once(": ").or_else(|| line.split_once(':')) {
                Some(("id", text)) => text.clone_into(&mut id),
                Some(("event", text)) => text.clone_into(&mut name),
                Some(("data", text)) => data = serde_json::from_str(text).unwrap(),
                _ if !data.is_null() && name == topic => return (id, data),
                _ => {}
            }
        }
    }

    /// Reads until a run has ended.
    fn until_end(&mut self, run: &str) -> String {
        loop {
            let (id, event) = self.next("run");
            if event["run"] == run && event["state"] == "succeeded" {
                return id;
            }
        }
    }
}

#[test]
fn whoever_comes_back_gets_what_was_missed_and_nothing_twice() {
    let road = Scene::platform().road();
    let runner = road.start();
    let mut events = Events::open(&runner, "/events?topic=run", None);
    let first = runner.run("ops/hello", &json!({}))["id"].as_str().unwrap().to_owned();
    let seen = events.until_end(&first);
    drop(events);
    let second = runner.run("ops/hello", &json!({}))["id"].as_str().unwrap().to_owned();
    let mut events = Events::open(&runner, "/events?topic=run", Some(&seen));
    let (_, event) = events.next("run");
    assert_eq!(event["run"], second.as_str(), "{event}");
    events.until_end(&second);
}

#[test]
fn events_tell_runs_calls_and_deployments() {
    let road = Scene::pair("", "")
        .file("ops/workspace.yaml", "exports:\n  a.b: { flow: hello, callers: [domains] }\n")
        .file("shop/workspace.yaml", "uses: [a.b]\n")
        .script("shop/flows/ask.rhai", "broker::request(\"a.b\", #{})")
        .road();
    let runner = road.start();
    let mut calls = Events::open(&runner, "/events?topic=call", None);
    let mut deployments = Events::open(&runner, "/events?topic=deployment&workspace=ops", None);
    let run = runner.run("shop/ask", &json!({}));
    assert_eq!(run["result"], "hello from ops", "{run:#}");
    let (_, call) = calls.next("call");
    assert_eq!((&call["decision"], &call["run"]), (&json!("allowed"), &run["id"]), "{call}");
    road.push_script("ops/flows/hello.rhai", "`new`");
    runner.sync();
    assert_eq!(deployments.next("deployment").1["outcome"], "deployed");
}

#[test]
fn a_stop_ends_open_streams() {
    let road = Scene::platform().road();
    let runner = road.start();
    let mut events = Events::open(&runner, "/events", None);
    assert_eq!(runner.terminate().code(), Some(0));
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut events.0, &mut rest).unwrap();
}

#[test]
fn pages_show_what_scripts_say_as_text() {
    let attack = "<script>alert(1)</script><img src=x onerror=alert(1)>";
    let road = Scene::platform()
        .script("ops/flows/attack.rhai", &format!("log::error(`{attack}`);\nthrow `{attack}`"))
        .file("ops/workspace.yaml", format!("title: \"{attack}\"\n"))
        .road();
    let runner = road.start();
    let run = runner.run("ops/attack", &json!({ "x": attack }));
    let id = run["id"].as_str().unwrap();
    assert_eq!(run["state"], "failed", "{run:#}");
    for path in ["/".to_owned(), format!("/runs/{id}")] {
        let page = runner.client().get(&path);
        assert_eq!(page.status, 200, "{path}");
        assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
        assert!(
            !page.text.contains("<script>alert") && !page.text.contains("<img src=x"),
            "{path}"
        );
        assert!(page.text.contains("&lt;script&gt;"), "{path} does not show it");
        assert!(page.header("content-security-policy").is_some(), "{path}");
    }
}

#[test]
fn the_description_has_every_call_of_the_contract() {
    let road = Scene::platform().road();
    let runner = road.start();
    let description = runner.client().get("/api/openapi.json").expect(200);
    let paths: Vec<_> = description["paths"].as_object().unwrap().keys().cloned().collect();
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/workspaces",
        "/api/v1/workspaces/{workspace}",
        "/api/v1/workspaces/{workspace}/sync",
        "/api/v1/sync",
        "/api/v1/workspaces/{workspace}/deployments",
        "/api/v1/workspaces/{workspace}/rollback",
        "/api/v1/workspaces/{workspace}/flows",
        "/api/v1/workspaces/{workspace}/flows/{flow}",
        "/api/v1/workspaces/{workspace}/flows/{flow}/runs",
        "/api/v1/runs",
        "/api/v1/runs/{run}",
        "/api/v1/runs/{run}/journal",
        "/api/v1/runs/{run}/logs",
        "/api/v1/runs/{run}/cancel",
        "/api/v1/runs/{run}/rerun",
        "/api/v1/schedules",
        "/api/v1/schedules/next",
        "/api/v1/calls",
        "/api/v1/events",
    ] {
        assert!(paths.iter().any(|known| known == path), "{path} is not described: {paths:?}");
    }
}

#[test]
fn health_readiness_metrics_and_etags_are_there() {
    let road = Scene::platform().road();
    let runner = road.start();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(runner.client().get(path).status, 200, "{path}");
    }
    runner.result("ops/hello");
    let metrics = runner.client().get("/metrics").text;
    assert!(
        metrics.contains(r#"signalbox_runs{workspace="ops",state="succeeded"} 1"#),
        "{metrics}"
    );
    let answer = runner.client().get("/api/v1/workspaces/ops");
    let tag = answer.header("etag").unwrap().to_owned();
    let again = runner.client().clone().header("if-none-match", &tag).get("/api/v1/workspaces/ops");
    assert_eq!((again.status, again.text.as_str()), (304, ""));
}
