//! Promise 6: what is in memory does not get onto a disk by a crash.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde_json::json;
use signalbox_e2e::{Gate, Scene, eventually, is_alive};

use crate::canaries_places::{core_limit, has_core};

fn abort(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[test]
fn neither_the_runner_nor_a_cell_leaves_a_core_dump() {
    // Whoever starts the runner would get one.
    let most = getrlimit(Resource::Core).maximum;
    let most = if rustix::process::geteuid().is_root() { None } else { most };
    setrlimit(Resource::Core, Rlimit { current: most, maximum: most }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let crash = Command::new("sh").args(["-c", "kill -ABRT $$"]).current_dir(&folder).status();
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    // Where a program takes the dumps, whether it does is its own affair.
    if !pattern.starts_with('|') && most != Some(0) {
        assert!(crash.unwrap().core_dumped(), "a crash leaves a dump here: {pattern}");
    }

    for signal in [Signal::ABORT, Signal::QUIT] {
        let gate = Gate::closed();
        let send = format!(
            "http::get(\"{}/\", #{{ timeout: 120, headers: #{{ x: `${{secret(\"KEY\")}}` }} }}).status",
            gate.url()
        );
        let road = Scene::new(&[("ops", "platform", &gate.grant())])
            .file("ops/workspace.yaml", "secrets: [KEY]\n")
            .script("ops/flows/send.rhai", &send)
            .road();
        let runner = road.start();
        runner.cli_with(&["secret", "set", "KEY", "-w", "ops"], "in-the-memory-only").ends(0);
        runner.accept("ops/send", &json!({}));
        gate.wait_for(1);
        let cells = runner.cells();
        for pid in cells.iter().map(|cell| cell.pid()).chain([runner.pid()]) {
            assert_eq!(core_limit(pid), json!(["0", "0"]));
        }
        for cell in &cells {
            abort(cell.pid(), signal);
            eventually("the cell is gone", || (!is_alive(cell.pid())).then_some(()));
        }
        abort(runner.pid(), signal);
        let ended = runner.terminate();
        assert_eq!((ended.signal(), ended.core_dumped()), (Some(signal.as_raw()), false));
        let around = road.launch.home().parent().unwrap().to_owned();
        assert!(!has_core(&around) && !has_core(&road.launch.data()), "a core dump was written");
    }
}
