//! The processes of a runner, as the kernel knows them.

use std::fs;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// A cell of a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell(i32);

impl Cell {
    /// Its process id.
    pub fn pid(self) -> i32 {
        self.0
    }

    /// Kills it as the kernel's out-of-memory killer would. One that is gone already is no fault.
    pub fn kill9(self) {
        kill9(self.0);
    }
}

/// Kills a process that a test has started. One that is gone already is no fault.
pub fn kill9(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        kill_process(pid, Signal::KILL).unwrap_or_default();
    }
}

/// The cells that a runner has now.
pub fn cells(runner: i32) -> Vec<Cell> {
    let folders = fs::read_dir("/proc").expect("/proc is there");
    let pids = folders.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut found: Vec<Cell> = pids.filter(|pid| is_cell_of(*pid, runner)).map(Cell).collect();
    found.sort();
    found
}

/// Every process below another: its cells, children that fetch, whatever they started.
pub fn descendants(of: i32) -> Vec<i32> {
    let folders = fs::read_dir("/proc").expect("/proc is there");
    let pids: Vec<i32> =
        folders.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    let parents: Vec<(i32, i32)> =
        pids.into_iter().filter_map(|pid| Some((pid, status(pid)?.1))).collect();
    let mut found = vec![of];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found.split_off(1)
}

/// Whether there is a process with this id that has not ended.
pub fn is_alive(pid: i32) -> bool {
    let exists = Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok());
    exists && status(pid).is_some_and(|(state, _)| state != "Z" && state != "X")
}

fn is_cell_of(pid: i32, runner: i32) -> bool {
    let Some((state, parent)) = status(pid) else { return false };
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    parent == runner && state != "Z" && command.split(|byte| *byte == 0).any(|arg| arg == b"__cell")
}

/// State and parent of a process. The name before them may have any characters in it.
fn status(pid: i32) -> Option<(String, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}
