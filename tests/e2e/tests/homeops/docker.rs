//! A stand-in for Docker's Engine API, version 1.43: containers, exec, images, services, tasks.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signalbox_testkit::{HttpStub, Request, Response};

/// How long a container takes until it is well.
const STARTING: Duration = Duration::from_millis(100);

/// What the daemon has.
pub(crate) struct State {
    /// Names of containers with what `docker ps` says of them.
    pub(crate) containers: Vec<(&'static str, &'static str, &'static str)>,
    /// The image of the service `media-player`.
    pub(crate) image: String,
    /// The image before the last update.
    before: String,
    /// What its tasks run.
    pub(crate) running: String,
    version: u64,
    /// Commands that were run in containers.
    pub(crate) commands: Vec<Vec<String>>,
    /// What `ls -1 /backups` says.
    pub(crate) backups: Vec<String>,
    /// Containers that were restarted.
    pub(crate) restarted: Vec<String>,
    /// Whether a restart helps, after a while.
    pub(crate) heals: bool,
    well_at: Option<Instant>,
}

impl State {
    /// Gives a container another health.
    pub(crate) fn falls_ill(&mut self, name: &str) {
        self.have(name, "Up 2 hours (unhealthy)");
    }

    fn have(&mut self, name: &str, status: &'static str) {
        let known = self.containers.iter_mut().find(|(known, ..)| *known == name);
        known.unwrap().2 = status;
    }

    fn restart(&mut self, name: &str) {
        self.restarted.push(name.to_owned());
        if self.heals {
            self.well_at = Some(Instant::now() + STARTING);
        }
    }
}

/// The stand-in.
pub(crate) struct Docker {
    stub: HttpStub,
    pub(crate) state: Arc<Mutex<State>>,
}

pub(crate) const OLD: &str = "registry.local/media/player:1.0";

impl Docker {
    pub(crate) fn start() -> Self {
        let state = State {
            containers: vec![
                ("plex", "running", "Up 2 hours (healthy)"),
                ("homeops-db", "running", "Up 3 days"),
            ],
            image: OLD.to_owned(),
            before: OLD.to_owned(),
            running: OLD.to_owned(),
            version: 7,
            commands: Vec::new(),
            backups: Vec::new(),
            restarted: Vec::new(),
            heals: true,
            well_at: None,
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let stub = HttpStub::start(move |request| answer(&mut shared.lock().unwrap(), request));
        Self { stub, state }
    }

    pub(crate) fn url(&self) -> String {
        self.stub.url()
    }
}

fn answer(state: &mut State, request: &Request) -> Response {
    let path = request.path.strip_prefix("/v1.43/").unwrap_or_default();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.split('/').collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["containers", "json"]) if query == "all=true" => containers(state),
        ("GET", ["containers", id, "json"]) => inspected(state, id),
        ("POST", ["containers", name, "restart"]) => {
            state.restart(name);
            Response::status(204)
        }
        ("POST", ["containers", "homeops-db", "exec"]) => {
            let command = request.json()["Cmd"].clone();
            state.commands.push(serde_json::from_value(command).unwrap());
            Response::json(201, &json!({ "Id": format!("e{}", state.commands.len()) }))
        }
        ("POST", ["exec", id, "start"]) => Response::text(200, &output(state, id)),
        ("GET", ["exec", id, "json"]) => {
            let failed = command(state, id).first().is_some_and(|program| program == "false");
            let code = i64::from(failed);
            Response::json(200, &json!({ "ID": id, "Running": false, "ExitCode": code }))
        }
        ("POST", ["images", "prune"]) => {
            assert_eq!(query, "filters=%7B%22dangling%22%3A%5B%22true%22%5D%7D");
            let deleted = json!([{ "Deleted": "sha256:1" }, { "Deleted": "sha256:2" }]);
            Response::json(200, &json!({ "ImagesDeleted": deleted, "SpaceReclaimed": 7_340_032 }))
        }
        ("GET", ["services", "media-player"]) => Response::json(200, &service(state)),
        ("POST", ["services", "s1", "update"]) => update(state, query, &request.json()),
        ("GET", ["tasks"]) => Response::json(
            200,
            &json!([{ "Status": { "State": "running" }, "Spec": { "ContainerSpec": { "Image": state.running } } }]),
        ),
        _ => Response::json(404, &json!({ "message": format!("no such thing: {}", request.path) })),
    }
}

fn containers(state: &State) -> Response {
    let one = |(name, is, status): &(&str, &str, &str)| {
        json!({ "Id": format!("{name}-id"), "Names": [format!("/{name}")], "Image": "image:1",
                "State": is, "Status": status })
    };
    Response::json(200, &Value::Array(state.containers.iter().map(one).collect()))
}

/// Docker has `Health` only for a container whose image says how to check it.
fn inspected(state: &mut State, id: &str) -> Response {
    let name = id.trim_end_matches("-id");
    if state.well_at.take_if(|at| *at <= Instant::now()).is_some() {
        state.have(name, "Up 1 second (healthy)");
    }
    let Some((_, is, status)) = state.containers.iter().find(|(known, ..)| *known == name) else {
        return Response::json(404, &json!({ "message": format!("No such container: {id}") }));
    };
    let mut now = json!({ "Status": is, "Running": *is == "running" });
    if let Some((_, health)) = status.split_once('(') {
        now["Health"] = json!({ "Status": health.trim_end_matches(')'), "FailingStreak": 0 });
    }
    Response::json(200, &json!({ "Id": id, "Name": format!("/{name}"), "State": now }))
}

fn command<'a>(state: &'a State, id: &str) -> &'a [String] {
    let number: usize = id.trim_start_matches('e').parse().unwrap();
    &state.commands[number - 1]
}

/// What a command says, on a terminal: with carriage returns.
fn output(state: &mut State, id: &str) -> String {
    let command = command(state, id).to_vec();
    match command[0].as_str() {
        "psql" => "8675309\r\n".to_owned(),
        "ls" => state.backups.iter().map(|name| name.clone() + "\r\n").collect::<Vec<_>>().concat(),
        "pg_dump" => {
            let file = command.iter().find_map(|part| part.strip_prefix("--file=/backups/"));
            state.backups.push(file.unwrap().to_owned());
            String::new()
        }
        "rm" => {
            state.backups.retain(|name| !command[2].ends_with(name.as_str()));
            String::new()
        }
        _ => String::new(),
    }
}

fn service(state: &State) -> Value {
    json!({ "ID": "s1", "Version": { "Index": state.version },
            "Spec": { "Name": "media-player", "TaskTemplate": { "ContainerSpec": { "Image": state.image } } } })
}

/// Docker refuses an update that was made from another version than the present one.
fn update(state: &mut State, query: &str, spec: &Value) -> Response {
    if !query.starts_with(&format!("version={}", state.version)) {
        return Response::json(500, &json!({ "message": "update out of sequence" }));
    }
    state.version += 1;
    let wanted = if query.ends_with("rollback=previous") {
        state.before.clone()
    } else {
        spec["TaskTemplate"]["ContainerSpec"]["Image"].as_str().unwrap().to_owned()
    };
    state.before = std::mem::replace(&mut state.image, wanted);
    Response::json(200, &json!({ "Warnings": null }))
}
