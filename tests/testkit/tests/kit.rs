//! The kit itself: what the other tests take for granted.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use serde_json::json;
use signalbox_testkit::{Client, HttpStub, Launch, Repo, Response, Serve};

#[test]
fn the_same_calls_give_the_same_commits_whatever_the_machine_is_set_up_for() {
    let make = || {
        let repo = Repo::new();
        repo.write("a/b", "1");
        let first = repo.commit("one");
        repo.remove("a").write("c", "2");
        (first, repo.commit("two"))
    };
    assert_eq!(make(), make());
    let repo = Repo::new();
    assert_eq!(repo.git(&["config", "--global", "--list"]), "");
    assert_eq!(repo.git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
}

#[test]
fn a_bare_clone_has_the_commits_and_takes_pushes() {
    let repo = Repo::new();
    repo.commit("one");
    let bare = repo.clone_bare();
    let second = repo.commit("two");
    assert_ne!(bare.git(&["rev-parse", "main"]), second);
    repo.push(&bare);
    assert_eq!(bare.git(&["rev-parse", "main"]), second);
}

#[test]
fn a_stub_records_what_is_asked_and_answers_in_order() {
    let stub =
        HttpStub::queue([Response::json(201, &json!({ "id": 1 })), Response::text(404, "no")]);
    let client = stub.client().header("authorization", "Bearer t");
    assert_eq!(client.post("/a?b=c", &json!({ "x": [1, 2] })).expect(201), json!({ "id": 1 }));
    let second = client.get("/d");
    assert_eq!((second.status, second.text.as_str()), (404, "no"));
    assert_eq!(second.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(client.get("/e").status, 500);

    let requests = stub.wait_for(3);
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("POST", "/a?b=c"));
    assert_eq!(requests[0].json(), json!({ "x": [1, 2] }));
    assert_eq!(requests[0].header("authorization"), Some("Bearer t"));
    assert_eq!(requests[1].body, b"");
}

#[test]
fn a_stub_that_blocks_on_one_connection_serves_the_others() {
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let stub = HttpStub::start(move |request| {
        if request.path == "/slow" {
            held.lock().expect("lock").recv().expect("released");
        }
        Response::status(204)
    });
    let client = stub.client();
    thread::scope(|scope| {
        let slow = scope.spawn(|| client.get("/slow").status);
        stub.wait_for(1);
        assert_eq!(client.get("/quick").status, 204);
        release.send(()).expect("waiting");
        assert_eq!(slow.join().expect("no panic"), 204);
    });
}

#[test]
fn a_stub_that_hangs_up_or_is_gone_is_an_error_of_the_client() {
    let stub = HttpStub::queue([Response::hang_up()]);
    let client = stub.client();
    assert!(client.request("GET", "/", None).is_err());
    drop(stub);
    assert!(Client::new("http://127.0.0.1:1").request("GET", "/", None).is_err());
}

/// A stand-in for the binary: a shell script.
fn script(folder: &Path, body: &str) -> PathBuf {
    let path = folder.join("signalbox");
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a script");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    path
}

const READY: &str = "echo starting >&2; echo \"signalbox is ready at http://127.0.0.1:$PORT\" >&2";

#[test]
fn a_runner_is_started_with_its_own_home_data_and_environment_and_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let body = format!("env | sort >&2; echo \"args: $*\" >&2\n{READY}\nexec sleep 600");
    let launch = Launch::new(script(folder.path(), &body), "/repo").env("PORT", "7").arg("--x");
    let mut serve = launch.start();
    assert_eq!(serve.url(), "http://127.0.0.1:7");
    let args = format!(
        "args: serve --repo /repo --data {} --listen 127.0.0.1:0 --x",
        launch.data().display()
    );
    assert_eq!(serve.wait_for_line("args:"), args);
    let said = serve.stderr();
    assert!(said.contains(&format!("HOME={}", launch.home().display())), "{said}");
    assert!(!said.contains("CARGO"), "{said}");
    serve.kill9();
    assert_eq!(serve.wait().signal(), Some(9));

    let mut again = launch.start();
    assert_eq!(again.terminate().signal(), Some(15));
}

#[test]
fn a_dropped_runner_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    // The script's pipe closes when, and only when, its process has ended.
    let pipe = folder.path().join("pipe");
    let body = format!("exec 3>'{}'\nPORT=7\n{READY}\nexec sleep 600", pipe.display());
    std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    let reading = thread::spawn(move || std::fs::read(pipe).expect("a pipe"));
    let (_launch, serve) = Serve::start(&script(folder.path(), &body), Path::new("/repo"));
    drop(serve);
    assert_eq!(reading.join().expect("no panic"), b"");
}

#[test]
fn a_runner_that_refuses_to_start_gives_its_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let launch = Launch::new(script(folder.path(), "echo 'data is in use' >&2; exit 4"), "/repo");
    let (status, said) = launch.start_failing();
    assert_eq!((status.code(), said.as_str()), (Some(4), "data is in use"));
}
