//! A flow: YAML to the plan that a cell gets.

use std::collections::BTreeMap;
use std::path::Path;

use signalbox_core::catalog::{Flow, Plan, Workspace};
use signalbox_core::clock::Timestamp;
use signalbox_workspaces::{ROOT_FILE, parse_root};

use crate::manifest::judge;
use crate::seeds::{Seed, files};

const ROOT: &str = "version: 1
workspaces:
  system: { kind: platform, path: w }
";
/// What the flow may name.
const BESIDE: [(&str, &str); 6] = [
    ("workspace.yaml", "connectors: { slack: { type: log } }\nsecrets: [TOKEN]\n"),
    ("flows/note.yaml", "inputs: { text: { type: string } }\nrun: inputs.text\n"),
    ("flows/handler.yaml", "run: 1\n"),
    ("scripts/a.rhai", "fn main(inputs) { 1 }\n"),
    ("libraries/x.rhai", "fn x() { 1 }\n"),
    ("calendars/work.yaml", "weekdays_off: [sat, sun]\n"),
];
/// The flow itself.
const FILE: &str = "flows/f.yaml";

pub(crate) fn run(bytes: &[u8]) {
    let (root, _) = parse_root(ROOT.as_bytes(), ROOT_FILE).expect("a good manifest");
    let beside = BESIDE.map(|(path, text)| (path, text.as_bytes()));
    let all: BTreeMap<_, _> = beside.into_iter().chain([(FILE, bytes)]).collect();
    let entry = root.workspaces.values().next().expect("a workspace");
    let Some(workspace) = judge(entry, &all) else { return };
    let flow = workspace.flows.values().find(|flow| flow.file == FILE);
    can_be_used(flow.expect("the flow of the file"), &workspace);
}

/// What was validated needs no second look when it is used.
fn can_be_used(flow: &Flow, workspace: &Workspace) {
    for schedule in &flow.schedules {
        let calendar = schedule.calendar.as_ref().and_then(|name| workspace.calendars.get(name));
        assert_eq!(calendar.is_some(), schedule.calendar.is_some(), "a calendar that is known");
        let table = schedule.timetable(calendar).expect("a schedule that was validated");
        let now = Timestamp(1_800_000_000_000_000);
        let slot = table.next_after(now);
        assert!(slot.is_none_or(|slot| slot > now), "a slot in the past");
    }
    let plan = serde_json::to_string(&flow.plan).expect("a plan is sent");
    let again: Plan = serde_json::from_str(&plan).expect("a plan is read");
    assert_eq!(serde_json::to_string(&again).ok(), Some(plan.clone()), "a plan is what was sent");
    crate::cell::compiles(&plan);
    if let Some(retry) = &flow.retry {
        assert!(retry.attempts > 0, "a flow that is never tried");
    }
}

pub(crate) fn seeds(repository: &Path) -> Vec<Seed> {
    let mut seeds = files(repository, "examples", &[".yaml"]);
    seeds.extend(files(repository, "workspaces/tests/fixtures", &[".yaml"]));
    seeds.extend(BESIDE.map(|(_, text)| Seed(text.as_bytes().to_vec())));
    seeds
}
