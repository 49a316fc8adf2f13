//! Completion, asked as shells ask, and what every command of clap's own tree has in common.

use std::process::Command;

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene, eventually};

fn road() -> Road {
    let tick = "schedules: [{ name: daily, cron: \"0 3 * * *\" }, { name: weekly, cron: \"0 3 * * 1\" }]\nrun: '1'\n";
    Scene::pair("", "")
        .file("ops/workspace.yaml", "secrets: [KEY]\n")
        .file("ops/flows/deep/tick.yaml", tick)
        .script("ops/flows/sleeps.rhai", "sleep(\"1h\");")
        .script("ops/flows/fails.rhai", "throw \"no\";")
        .road()
}

/// What fish is offered behind some words, the last of which is being written, without the help.
fn offered(road: &Road, server: &str, words: &[&str]) -> Vec<String> {
    let mut command = road.launch.command();
    command.env("SIGNALBOX_COMPLETE", "fish").env("SIGNALBOX_SERVER", server);
    let output = command.args(["--", "signalbox"]).args(words).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

fn names(road: &Road, server: &str, words: &[&str]) -> Vec<String> {
    let mut all = offered(road, server, words);
    all.retain(|word| !word.starts_with('-'));
    all.sort();
    all
}

#[test]
fn names_and_ids_are_those_of_the_runner() {
    let road = road();
    let runner = road.start();
    let asleep = runner.accept("ops/sleeps", &json!({}));
    runner.until(&asleep, "suspended");
    let failed = runner.run("ops/fails", &json!({}))["id"].as_str().unwrap().to_owned();
    let completed = |words: &[&str]| names(&road, runner.url(), words);
    assert_eq!(completed(&["run", ""]), ["ops/", "shop/"]);
    assert_eq!(completed(&["run", "o"]), ["ops/"]);
    assert_eq!(completed(&["run", "ops/d"]), ["ops/deep/tick"]);
    assert_eq!(completed(&["run", "nowhere/"]), Vec::<String>::new());
    assert_eq!(completed(&["runs", "-w", "s"]), ["shop"]);
    assert_eq!(completed(&["workspace", "pause", ""]), ["ops", "shop"]);
    assert_eq!(completed(&["show", ""]), [asleep.clone(), failed.clone()]);
    assert_eq!(completed(&["cancel", ""]), [asleep]);
    assert_eq!(completed(&["dismiss", ""]), [failed]);
    assert_eq!(completed(&["schedule", "pause", "ops/deep/tick", "w"]), ["weekly"]);
    assert_eq!(completed(&["secret", "set", "-w", "ops", ""]), ["KEY"]);
    assert_eq!(completed(&["rollback", "-w", "ops", "--to", "d"]).len(), 1);
    assert!(completed(&["comp"]).contains(&"completion".to_owned()));
}

#[test]
fn without_a_runner_only_what_is_known_without_it_is_offered() {
    let road = road();
    let nobody = format!("http://127.0.0.1:{}", free_port());
    assert_eq!(names(&road, &nobody, &["run", ""]), Vec::<String>::new());
    assert!(offered(&road, &nobody, &["run", "--"]).contains(&"--input".to_owned()));
    assert_eq!(names(&road, "no address", &["show", ""]), Vec::<String>::new());
}

#[test]
fn bash_completes_with_what_the_command_prints() {
    let road = road();
    let runner = road.start();
    let binary = signalbox_e2e::binary();
    let script = "source <(signalbox completion bash)
        COMP_WORDS=(signalbox run ops/s) COMP_CWORD=2 COMP_TYPE=9
        _clap_complete_signalbox signalbox ops/s run
        printf '%s\n' \"${COMPREPLY[@]}\"";
    let path = format!("{}:/usr/bin:/bin", binary.parent().unwrap().display());
    let output = Command::new("bash")
        .args(["--norc", "-c", script])
        .env_clear()
        .env("PATH", path)
        .env("SIGNALBOX_SERVER", runner.url())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ops/sleeps\n", "{output:?}");
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Every command that is no group of others, as clap has them. Only a group has `help` in it.
fn commands(road: &Road, path: &[&str]) -> Vec<Vec<String>> {
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let inner = names(road, &nobody, &[path, &[""]].concat());
    if !inner.contains(&"help".to_owned()) {
        return vec![path.iter().map(|&word| word.to_owned()).collect()];
    }
    let inner = inner.iter().filter(|name| *name != "help");
    inner.flat_map(|name| commands(road, &[path, &[name]].concat())).collect()
}

/// What prints no data of its own: servers, and a script for a shell.
const WITHOUT_JSON: [&str; 3] = ["demo", "serve", "completion"];

/// How each command is called here, and whether it speaks to a runner.
fn arguments(road: &Road, runner: &Runner<'_>, command: &str) -> (bool, Vec<String>) {
    let run = || runner.run("ops/fails", &json!({}))["id"].as_str().unwrap().to_owned();
    let (home, data) = (road.launch.home(), road.launch.data().display().to_string());
    let file = |name: &str| home.join(name).display().to_string();
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    match command {
        "validate" => (false, vec![road.repo.path().display().to_string()]),
        "explain" => (false, words("SB0103")),
        "schedule explain" => (false, vec!["0 3 * * *".to_owned()]),
        "token new" => (false, vec!["--data".to_owned(), file("other")]),
        "backup" => (false, vec!["--data".to_owned(), data, "--to".to_owned(), file("copy.db")]),
        "doctor" => (true, vec!["--data".to_owned(), data]),
        "run" => (true, words("ops/hello --wait")),
        "show" | "logs" | "rerun" | "dismiss" => (true, vec![run()]),
        "cancel" => (true, vec![runner.accept("ops/sleeps", &json!({}))]),
        "flow show" => (true, words("ops/deep/tick")),
        "schedule pause" | "schedule resume" => (true, words("ops/deep/tick daily")),
        "workspace pause" | "workspace resume" => (true, words("ops")),
        "secret set" => (true, words("KEY -w ops")),
        "secret delete" => {
            runner.cli_with(&["secret", "set", "KEY", "-w", "ops"], "value").ends(0);
            (true, words("KEY -w ops"))
        }
        "secret list" | "deployments" | "rollback" | "unpin" => (true, words("-w ops")),
        "sync" => (true, words("--wait")),
        "status" | "health" | "runs" | "queue" | "calls" | "workspace list" | "flow list"
        | "schedule list" | "schedule next" | "webhook list" => (true, Vec::new()),
        new => panic!("say here how `{new}` is called: every command that prints data prints JSON"),
    }
}

#[test]
fn every_command_that_prints_data_prints_one_json_document() {
    let road = road();
    let runner = road.start();
    road.push_script("ops/flows/hello.rhai", "2");
    assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    let all = commands(&road, &[]);
    assert!(all.len() > 30, "{all:?}");
    for command in all {
        if WITHOUT_JSON.contains(&&*command[0]) {
            continue;
        }
        let (asks, arguments) = arguments(&road, &runner, &command.join(" "));
        let words: Vec<&str> = command.iter().chain(&arguments).map(String::as_str).collect();
        let words = [&words[..], &["--json"]].concat();
        let said = if asks { runner.cli_with(&words, "value") } else { road.cli(&words) };
        assert!(matches!(said.code, 0 | 1), "{words:?}: {said:?}");
        assert!(!matches!(said.json(), Value::Null), "{words:?}: {said:?}");
    }
}

#[test]
fn a_request_right_after_the_very_first_start_waits_for_what_it_asks_for() {
    let workspaces: Vec<String> = (0..60).map(|number| format!("w{number}")).collect();
    let mut all = vec![("ops", "platform", "")];
    all.extend(workspaces.iter().map(|name| (name.as_str(), "domain", "")));
    let road = Scene::new(&all).road();
    let address = format!("127.0.0.1:{}", free_port());
    let mut serve = road.launch.command();
    serve.arg("serve").arg("--repo").arg(road.repo.path()).arg("--data").arg(road.launch.data());
    let mut serve =
        serve.args(["--listen", &address]).stderr(std::process::Stdio::null()).spawn().unwrap();
    eventually("it listens", || std::net::TcpStream::connect(&address).ok());
    let server = format!("http://{address}");
    let run = road.cli(&["run", "w59/hello", "--wait", "--json", "--server", &server]);
    let status = road.cli(&["status", "--server", &server]);
    serve.kill().unwrap();
    serve.wait().unwrap();
    assert_eq!(run.ends(0).json()["state"], "succeeded");
    assert_eq!(status.ends(0).stdout.lines().count(), 62);
}
