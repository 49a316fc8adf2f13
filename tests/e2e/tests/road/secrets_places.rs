//! Promise 6: the value of a secret stands nowhere where somebody could find it.

use std::path::{Path, PathBuf};

use serde_json::json;
use signalbox_e2e::{Gate, Scene};

const VALUE: &str = "zyxwvu-a-value-that-is-nowhere-else";

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Whether some bytes have the value in them, as it is or as UTF-8 in base64.
fn has_value(bytes: &[u8]) -> bool {
    // `printf %s "$VALUE" | base64`, without its last characters, which depend on what follows.
    let base64 = "enl4d3Z1LWEtdmFsdWUtdGhhdC1pcy1ub3doZXJlLWVsc2";
    let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    has(VALUE.as_bytes()) || has(base64.as_bytes())
}

#[test]
fn the_value_is_in_no_answer_no_log_no_file_and_no_process() {
    let gate = Gate::closed();
    let body = format!(
        "let key = secret(\"KEY\");
log::info(`the key is ${{key}} and again ${{key}}`);
let answer = http::get(\"{url}/\", #{{ timeout: 120, headers: #{{ authorization: `${{key}}` }} }});
state::set(\"status\", answer.status);
answer.status",
        url = gate.url()
    );
    let road = Scene::new(&[("ops", "platform", &gate.grant())])
        .file("ops/workspace.yaml", "secrets: [KEY]\n")
        .script("ops/flows/send.rhai", &body)
        .road();
    let runner = road.start();
    let said = runner.cli_with(&["secret", "set", "KEY", "-w", "ops"], VALUE).ends(0);
    assert!(!has_value(format!("{said:?}").as_bytes()));
    let id = runner.accept("ops/send", &json!({}));
    let request = gate.wait_for(1).remove(0);
    assert_eq!(request.header("authorization"), Some(VALUE));

    // While the cell of the run lives.
    let processes: Vec<i32> =
        runner.cells().iter().map(|cell| cell.pid()).chain([runner.pid()]).collect();
    assert!(processes.len() > 1);
    for pid in processes {
        for what in ["environ", "cmdline"] {
            // What cannot be read by us is not found by others.
            let bytes = std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
            assert!(!has_value(&bytes), "in /proc/{pid}/{what}");
        }
    }
    gate.open();
    assert_eq!(runner.ended(&id)["result"], 200);

    for path in [
        format!("/api/v1/runs/{id}"),
        format!("/api/v1/runs/{id}/journal"),
        format!("/api/v1/runs/{id}/logs"),
        "/api/v1/runs".to_owned(),
        "/api/v1/workspaces".to_owned(),
        "/api/v1/workspaces/ops".to_owned(),
        "/api/v1/workspaces/ops/secrets".to_owned(),
        "/api/v1/workspaces/ops/flows".to_owned(),
        "/metrics".to_owned(),
        "/".to_owned(),
    ] {
        assert!(!has_value(runner.client().get(&path).text.as_bytes()), "in {path}");
    }
    for arguments in [&["show", &id][..], &["logs", &id], &["secret", "list", "-w", "ops"]] {
        let said = runner.cli(arguments).ends(0);
        assert!(!has_value(format!("{said:?}").as_bytes()), "in {arguments:?}");
    }
    let logged = runner.cli(&["logs", &id]).stdout;
    assert!(logged.contains("KEY") && !logged.contains("⟦"), "no marker is shown: {logged}");
    assert!(!has_value(runner.serve().stderr().as_bytes()), "in the runner's log");
    let found: Vec<_> = [road.launch.data(), road.launch.home()]
        .iter()
        .flat_map(|folder| files(folder))
        .filter(|file| has_value(&std::fs::read(file).unwrap()))
        .collect();
    assert_eq!(found, Vec::<PathBuf>::new());
}

#[test]
fn the_key_and_the_database_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let road = Scene::platform().road();
    let _runner = road.start();
    for file in files(&road.launch.data()) {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{} can be read by others", file.display());
    }
}

#[test]
fn a_cell_has_nothing_of_the_runners_environment() {
    let gate = Gate::closed();
    let mut road = Scene::new(&[("ops", "platform", &gate.grant())])
        .file("ops/workspace.yaml", "env: { OWN: yes it is }\n")
        .script("ops/flows/wait.rhai", &gate.ask())
        .script(
            "ops/flows/own.rhai",
            "[env(\"OWN\"), env(\"PATH\", \"none\"), env(\"HOST_SECRET\", \"none\")]",
        )
        .script("ops/flows/path.rhai", "env(`PA${\"TH\"}`)")
        .road();
    road.launch = road.launch.env("HOST_SECRET", VALUE);
    let runner = road.start();
    assert_eq!(runner.result("ops/own"), json!(["yes it is", "none", "none"]));
    assert_eq!(runner.error("ops/path")["code"], "SB0210");
    runner.accept("ops/wait", &json!({}));
    gate.wait_for(1);
    for cell in runner.cells() {
        let environment =
            std::fs::read(format!("/proc/{}/environ", cell.pid())).unwrap_or_default();
        assert!(!has_value(&environment), "the runner's environment is in its cell's");
    }
}

#[test]
fn a_secret_of_one_workspace_is_not_anothers() {
    let gate = Gate::closed();
    gate.open();
    let send = format!(
        "http::get(\"{}/\", #{{ headers: #{{ x: `${{secret(\"KEY\")}}` }} }}).status",
        gate.url()
    );
    let road = Scene::pair("", &gate.grant())
        .file("ops/workspace.yaml", "secrets: [KEY]\n")
        .file("shop/workspace.yaml", "secrets: [KEY]\n")
        .script("shop/flows/send.rhai", &send)
        .road();
    let runner = road.start();
    runner.cli_with(&["secret", "set", "KEY", "-w", "ops"], VALUE).ends(0);
    assert_eq!(runner.error("shop/send")["code"], "SB0507");
    assert_eq!(gate.requests(), []);
}
