//! The `system` connector: what a workspace may learn of the runner's machine, if it may.

use serde_json::json;
use signalbox_e2e::{Scene, root};

const LOOK: &str = "let host = connector(\"host\");
#{ cpu: host.cpu(), memory: host.memory(), load: host.load(), uptime: host.uptime(), disks: host.disks() }";

fn scene(grants: &str) -> Scene {
    Scene::new(&[("ops", "platform", grants)])
        .file("ops/workspace.yaml", "connectors:\n  host: { type: system }\n")
        .script("ops/flows/look.rhai", LOOK)
}

#[test]
fn the_machine_tells_its_figures_to_who_was_granted_them() {
    let road = scene("host: [metrics]").script(
        "ops/flows/disk.rhai",
        "let host = connector(\"host\");
let all = host.disks();
let known = host.disk(all[0].mount);
let below = host.disk(all[0].mount + \"/a/path/that/nobody/looks/at\");
let refused = \"\";
try { host.disk(\"relative\") } catch (e) { refused = e }
#{ same: known.mount == all[0].mount && below.mount == all[0].mount, refused: refused }",
    );
    let road = road.road();
    let runner = road.start();
    let seen = runner.result("ops/look");
    let float = |pointer: &str| seen.pointer(pointer).and_then(serde_json::Value::as_f64).unwrap();
    for pointer in ["/cpu/used_percent", "/memory/used_percent", "/disks/0/used_percent"] {
        assert!((0.0..=100.0).contains(&float(pointer)), "{pointer}: {seen:#}");
    }
    assert!(float("/cpu/cores") >= 1.0, "{seen:#}");
    let of_kernel = std::fs::read_to_string("/proc/meminfo").unwrap();
    let total: u64 = of_kernel.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert_eq!(seen["memory"]["total"], total * 1024, "{seen:#}");
    assert!(float("/uptime/seconds") > 0.0 && float("/load/one") >= 0.0, "{seen:#}");
    assert!(seen["uptime"]["since"].as_str().unwrap().ends_with('Z'), "{seen:#}");
    let disk = runner.result("ops/disk");
    assert_eq!(disk["same"], true, "{disk:#}");
    assert!(disk["refused"].as_str().unwrap().contains("begins with `/`"), "{disk:#}");
}

#[test]
fn without_the_grant_nothing_is_told_and_the_push_warns() {
    let road = scene("").road();
    let (code, found) = road.validate();
    let found = found.to_string();
    assert!(code == 0 && found.contains("SB0129"), "{found}");
    let runner = road.start();
    assert_eq!(runner.error("ops/look")["code"], "SB0506");
}

#[test]
fn a_withdrawn_grant_is_gone_with_the_next_push() {
    let road = scene("host: [metrics]")
        .script("ops/flows/load.rhai", "connector(\"host\").load().one >= 0.0")
        .road();
    let runner = road.start();
    assert_eq!(runner.result("ops/load"), json!(true));
    road.push("signalbox.yaml", &root(&[("ops", "platform", "")]));
    assert_eq!(runner.sync_of("ops")["outcome"], "deployed");
    assert_eq!(runner.error("ops/load")["code"], "SB0506");
}
