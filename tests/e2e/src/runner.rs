//! A runner under test.

use std::process::ExitStatus;

use serde_json::{Value, json};
use signalbox_testkit::{Answer, Client, Serve};

use crate::{Cell, Road, Said, cells, eventually};

/// Seconds that the server waits for a run or a look at the source; less than the client does.
const WAIT: u64 = 50;

/// The real binary, serving the repository of a road. Dropping it kills it.
#[derive(Debug)]
pub struct Runner<'r> {
    road: &'r Road,
    serve: Serve,
    client: Client,
}

impl<'r> Runner<'r> {
    #[track_caller]
    pub(crate) fn new(road: &'r Road) -> Self {
        let serve = road.launch.start();
        let client = serve.client();
        Self { road, serve, client }
    }

    /// A client without a token.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        self.serve.url()
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.serve.pid()
    }

    /// The process.
    pub fn serve(&self) -> &Serve {
        &self.serve
    }

    /// Its cells, once there is one.
    #[track_caller]
    pub fn cells(&self) -> Vec<Cell> {
        eventually("there is a cell", || Some(cells(self.pid())).filter(|all| !all.is_empty()))
    }

    /// Kills it as a power cut would.
    #[track_caller]
    pub fn kill9(mut self) {
        self.serve.kill9();
    }

    /// Asks it to stop and waits for its end.
    #[track_caller]
    pub fn terminate(mut self) -> ExitStatus {
        self.serve.terminate()
    }

    /// Runs a client command against it.
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) -> Said {
        self.cli_with(arguments, "")
    }

    /// Runs a client command with something on its standard input.
    #[track_caller]
    pub fn cli_with(&self, arguments: &[&str], input: &str) -> Said {
        let all = [arguments, &["--server", self.url()]].concat();
        self.road.cli_with(&all, input)
    }

    /// What `GET /api/v1{path}` answers with 200.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.client.get(&format!("/api/v1{path}")).expect(200)
    }

    /// The items of a list.
    #[track_caller]
    pub fn list(&self, path: &str) -> Vec<Value> {
        let answer = self.get(path);
        answer["items"].as_array().cloned().unwrap_or_default()
    }

    /// What `POST /api/v1{path}` answers, whatever it is.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.client.post(&format!("/api/v1{path}"), body)
    }

    /// Lets it look at the source and gives the report.
    #[track_caller]
    pub fn sync(&self) -> Value {
        self.post("/sync", &json!({ "wait": WAIT })).expect(200)
    }

    /// Lets it look at the source and gives the outcome of one workspace.
    #[track_caller]
    pub fn sync_of(&self, workspace: &str) -> Value {
        let report = self.sync();
        let all = report["workspaces"].as_array().cloned().unwrap_or_default();
        let found = all.into_iter().find(|outcome| outcome["workspace"] == workspace);
        assert!(found.is_some(), "no outcome of {workspace} in {report}");
        found.unwrap_or_default()
    }

    /// Starts a run and gives its id.
    #[track_caller]
    pub fn accept(&self, flow: &str, inputs: &Value) -> String {
        let answer = self.post(&runs_of(flow), &json!({ "inputs": inputs })).expect(202);
        answer["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Starts a run, waits for its end and gives it whole.
    #[track_caller]
    pub fn run(&self, flow: &str, inputs: &Value) -> Value {
        let path = format!("{}?wait={WAIT}", runs_of(flow));
        self.post(&path, &json!({ "inputs": inputs })).expect(200)
    }

    /// Starts a run without inputs and gives its result, which there must be.
    #[track_caller]
    pub fn result(&self, flow: &str) -> Value {
        let run = self.run(flow, &json!({}));
        assert_eq!(run["state"], "succeeded", "{run:#}");
        run["result"].clone()
    }

    /// Starts a run without inputs and gives the error that it must end with.
    #[track_caller]
    pub fn error(&self, flow: &str) -> Value {
        let run = self.run(flow, &json!({}));
        assert_eq!(run["state"], "failed", "{run:#}");
        run["error"].clone()
    }

    /// A run as it is now.
    #[track_caller]
    pub fn show(&self, run: &str) -> Value {
        self.get(&format!("/runs/{run}"))
    }

    /// Waits for the end of a run, by the end of its log, and gives it whole.
    #[track_caller]
    pub fn ended(&self, run: &str) -> Value {
        let log = self.client.get(&format!("/api/v1/runs/{run}/logs?follow=true"));
        log.expect(200);
        assert!(log.text.contains("event: end"), "{}", log.text);
        self.show(run)
    }

    /// Waits until a run is in a state, and gives it whole.
    #[track_caller]
    pub fn until(&self, run: &str, state: &str) -> Value {
        eventually(&format!("{run} is {state}"), || {
            Some(self.show(run)).filter(|run| run["state"] == state)
        })
    }

    /// The decisions of the broker about a run's calls, newest first.
    #[track_caller]
    pub fn calls_of(&self, run: &str) -> Vec<Value> {
        let mut calls = self.list("/calls?limit=1000");
        calls.retain(|call| call["caller"]["run"] == run);
        calls
    }
}

/// `workspace/flow` as the path of its runs.
fn runs_of(flow: &str) -> String {
    let (workspace, flow) = flow.split_once('/').unwrap_or((flow, ""));
    format!("/workspaces/{workspace}/flows/{flow}/runs")
}
