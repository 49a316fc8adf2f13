//! Docker's Engine API, as much of it as the example's flows use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

/// Looks at the containers until one of them is ill.
const WELL: u32 = 2;

type Shared = Arc<Mutex<Daemon>>;

/// What the daemon has.
#[derive(Debug)]
struct Daemon {
    looks: u32,
    restarted: bool,
    image: String,
    before: String,
    version: u64,
}

/// The routes below the version's prefix.
pub(super) fn router() -> Router {
    let image = "registry.local/media/player:1.0".to_owned();
    let before = image.clone();
    let daemon = Daemon { looks: 0, restarted: false, image, before, version: 1 };
    let routes = Router::new()
        .route("/containers/json", get(containers))
        .route("/containers/{name}/json", get(inspect))
        .route("/containers/{name}/restart", post(restart))
        .route("/containers/{name}/exec", post(exec))
        .route("/exec/{id}/start", post(|| async { "8675309\r\n" }))
        .route(
            "/exec/{id}/json",
            get(|| async { Json(json!({ "Running": false, "ExitCode": 0 })) }),
        )
        .route("/images/prune", post(prune))
        .route("/services/{name}", get(service))
        .route("/services/{id}/update", post(update))
        .route("/tasks", get(tasks))
        .with_state(Arc::new(Mutex::new(daemon)));
    Router::new().nest("/v1.43", routes)
}

fn locked(daemon: &Shared) -> MutexGuard<'_, Daemon> {
    daemon.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Daemon {
    /// One container falls ill after some looks, and is well once it was restarted.
    fn plex(&self) -> &'static str {
        if self.looks > WELL && !self.restarted { "unhealthy" } else { "healthy" }
    }

    fn look(&mut self) -> Value {
        self.looks = self.looks.saturating_add(1);
        let plex = format!("Up 2 hours ({})", self.plex());
        let container = |name: &str, status: &str| {
            json!({ "Id": name, "Names": [format!("/{name}")], "Image": format!("{name}:latest"),
                    "State": "running", "Status": status })
        };
        json!([container("plex", &plex), container("homeops-db", "Up 3 days")])
    }

    /// Only `plex` has an image that says how to check it.
    fn inspect(&self, name: &str) -> Value {
        let mut state = json!({ "Status": "running", "Running": true });
        if name == "plex" {
            state["Health"] = json!({ "Status": self.plex(), "FailingStreak": 0 });
        }
        json!({ "Id": name, "Name": format!("/{name}"), "State": state })
    }

    /// An update from another version than the present one is refused, as Docker does.
    fn update(&mut self, version: u64, rollback: bool, spec: &Value) -> bool {
        if version != self.version {
            return false;
        }
        self.version += 1;
        let wanted = spec["TaskTemplate"]["ContainerSpec"]["Image"].as_str().unwrap_or_default();
        let wanted = if rollback { self.before.clone() } else { wanted.to_owned() };
        self.before = std::mem::replace(&mut self.image, wanted);
        true
    }
}

async fn containers(State(daemon): State<Shared>) -> Json<Value> {
    Json(locked(&daemon).look())
}

async fn inspect(State(daemon): State<Shared>, Path(name): Path<String>) -> Json<Value> {
    Json(locked(&daemon).inspect(&name))
}

async fn restart(State(daemon): State<Shared>) -> StatusCode {
    locked(&daemon).restarted = true;
    StatusCode::NO_CONTENT
}

async fn exec() -> (StatusCode, Json<Value>) {
    (StatusCode::CREATED, Json(json!({ "Id": "e1" })))
}

async fn prune() -> Json<Value> {
    Json(json!({ "ImagesDeleted": [{ "Deleted": "sha256:1" }], "SpaceReclaimed": 7_340_032 }))
}

async fn service(State(daemon): State<Shared>, Path(name): Path<String>) -> Json<Value> {
    let daemon = locked(&daemon);
    let container = json!({ "Image": daemon.image });
    let spec = json!({ "Name": name, "TaskTemplate": { "ContainerSpec": container } });
    Json(json!({ "ID": name, "Version": { "Index": daemon.version }, "Spec": spec }))
}

async fn update(
    State(daemon): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
    Json(spec): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let version = query.get("version").and_then(|version| version.parse().ok()).unwrap_or(0);
    if locked(&daemon).update(version, query.contains_key("rollback"), &spec) {
        return (StatusCode::OK, Json(json!({ "Warnings": null })));
    }
    let message = json!({ "message": "update out of sequence" });
    (StatusCode::INTERNAL_SERVER_ERROR, Json(message))
}

async fn tasks(State(daemon): State<Shared>) -> Json<Value> {
    let image = json!({ "ContainerSpec": { "Image": locked(&daemon).image } });
    Json(json!([{ "Status": { "State": "running" }, "Spec": image }]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daemon() -> Daemon {
        let (image, before) = ("a:1".to_owned(), "a:1".to_owned());
        Daemon { looks: 0, restarted: false, image, before, version: 1 }
    }

    #[test]
    fn one_container_falls_ill_and_is_well_after_a_restart() {
        let mut daemon = daemon();
        let mut ill = || {
            let status = daemon.look()[0]["Status"].to_string();
            let health = daemon.inspect("plex")["State"]["Health"]["Status"].to_string();
            assert!(status.contains(health.trim_matches('"')), "{status} {health}");
            daemon.restarted |= daemon.looks > WELL + 1;
            status.contains("unhealthy")
        };
        assert_eq!([ill(), ill(), ill(), ill(), ill()], [false, false, true, true, false]);
    }

    #[test]
    fn a_service_takes_an_update_of_its_present_version_and_goes_back() {
        let mut daemon = daemon();
        let spec = json!({ "TaskTemplate": { "ContainerSpec": { "Image": "a:2" } } });
        assert!(!daemon.update(7, false, &spec));
        assert!(daemon.update(1, false, &spec));
        assert_eq!(daemon.image, "a:2");
        assert!(daemon.update(2, true, &spec));
        assert_eq!(daemon.image, "a:1");
    }
}
