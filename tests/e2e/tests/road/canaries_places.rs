//! Every place in which a secret's value could be.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use signalbox_e2e::{Road, Runner, cells, column, descendants, pause};

/// A place, and what is there.
pub(crate) struct Place {
    /// What kind of place it is.
    pub(crate) kind: &'static str,
    /// Which one.
    pub(crate) name: String,
    /// What is there.
    pub(crate) bytes: Vec<u8>,
}

fn place(kind: &'static str, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Place {
    Place { kind, name: name.into(), bytes: bytes.into() }
}

/// Everything that a runner keeps and answers.
pub(crate) fn everywhere(road: &Road, runner: &Runner<'_>) -> Vec<Place> {
    let mut all = files(road);
    let runs = column(&runner.list("/runs?limit=1000"), "id");
    all.extend(answers(runner, &runs));
    all.extend(pages(runner));
    all.push(place("metrics", "/metrics", runner.client().get("/metrics").text));
    for run in &runs {
        let stream = runner.client().get(&format!("/api/v1/runs/{run}/logs?follow=true"));
        all.push(place("answers", format!("the log of {run}, followed"), stream.text));
    }
    let newest = runs.iter().take(3).flat_map(|run| [vec!["show", run], vec!["logs", run]]);
    let fixed = ["runs", "status", "calls", "doctor", "queue", "dead"].map(|one| vec![one]);
    let more = [
        vec!["secret", "list", "-w", "ops"],
        vec!["deployments", "-w", "ops"],
        vec!["runs", "--json"],
    ];
    for arguments in newest.chain(fixed).chain(more) {
        let said = runner.cli(&arguments);
        all.push(place("commands", arguments.join(" "), said.stdout + &said.stderr));
    }
    let (data, copy) = (road.launch.data(), road.launch.home().join("copy.db"));
    let (data, to) = (data.display().to_string(), copy.display().to_string());
    road.cli(&["backup", "--data", &data, "--to", &to]).ends(0);
    all.push(place("backup", to, fs::read(copy).unwrap()));
    all
}

/// Every file of the data directory and of whatever else the runner may write to. The file with
/// the key that opens the secrets has no value in it, and is looked at like the others.
pub(crate) fn files(road: &Road) -> Vec<Place> {
    let mut all = Vec::new();
    let mut folders = vec![road.launch.home().parent().unwrap().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_none_or(|end| end != "sock") {
                let bytes = fs::read(entry.path()).unwrap();
                all.push(place("files", entry.path().display().to_string(), bytes));
            }
        }
    }
    assert!(all.iter().any(|file| file.name.ends_with("signalbox.db")), "there is a database");
    all
}

/// Every answer to a GET of the description of the API, for everything that there is.
fn answers(runner: &Runner<'_>, runs: &[String]) -> Vec<Place> {
    let description = runner.client().get("/api/openapi.json").expect(200);
    let of = |name: &str, path: &str| column(&runner.list(path), name);
    let flows = of("name", "/workspaces/ops/flows").join("\n").replace('/', "%2F");
    let mut all = vec![place("answers", "/api/openapi.json", description.to_string())];
    for (path, operations) in description["paths"].as_object().unwrap() {
        if !operations["get"].is_object() || path.ends_with("/events") {
            continue;
        }
        let mut paths = vec![path.clone()];
        for (hole, values) in
            [("{workspace}", "ops\nshop"), ("{flow}", &flows), ("{run}", &runs.join("\n"))]
        {
            let fill = |path: &String| -> Vec<String> {
                let full = |value: &str| path.replace(hole, value);
                if path.contains(hole) {
                    values.lines().map(full).collect()
                } else {
                    vec![path.clone()]
                }
            };
            paths = paths.iter().flat_map(fill).collect();
        }
        for path in paths {
            assert!(!path.contains('{'), "{path} has a hole that this test does not know");
            all.push(place("answers", &path, runner.client().get(&path).text));
        }
    }
    all
}

/// Every page, by its links, which are relative.
fn pages(runner: &Runner<'_>) -> Vec<Place> {
    let (mut seen, mut next, mut all) = (BTreeSet::new(), vec!["/".to_owned()], Vec::new());
    while let Some(path) = next.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let text = runner.client().get(&path).text;
        let links = text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let own = links.filter(|link| !link.contains(':') && !link.starts_with("api/"));
        next.extend(own.map(|link| format!("/{}", link.trim_start_matches(['.', '/']))));
        all.push(place("pages", path, text));
    }
    assert!(seen.contains("/schedules") && all.len() > 10, "there are pages: {seen:?}");
    all
}

/// What the kernel shows of each process of a runner while something is done: arguments and
/// environments, looked at again and again.
pub(crate) fn watched(runner: i32, work: impl FnOnce()) -> Vec<Place> {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let over = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::SeqCst) {
                for pid in [runner].into_iter().chain(descendants(runner)) {
                    for (kind, file) in [("arguments", "cmdline"), ("environments", "environ")] {
                        let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                        seen.insert((kind, pid, bytes));
                    }
                }
                pause(Duration::from_millis(5));
            }
            seen
        });
        let end = Over(&over);
        work();
        drop(end);
        looking.join().unwrap()
    });
    seen.into_iter().map(|(kind, pid, bytes)| place(kind, pid.to_string(), bytes)).collect()
}

/// Arguments and environment of the runner and its cells; and, where root may look, the memory of
/// the cells. Cells have none that say anything.
pub(crate) fn of_processes(runner: &Runner<'_>) -> Vec<Place> {
    let root = rustix::process::geteuid().is_root();
    let runner = ("arguments of the runner", "environment of the runner", runner.pid());
    let cells: Vec<_> = cells(runner.2).iter().map(|cell| cell.pid()).collect();
    assert!(!cells.is_empty());
    let of_cells = cells.iter().map(|pid| ("arguments of a cell", "environment of a cell", *pid));
    let mut all = Vec::new();
    for (arguments, environment, pid) in [runner].into_iter().chain(of_cells) {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        if pid != runner.2 {
            says_nothing(&command);
        }
        all.push(place(arguments, format!("{pid}"), command));
        match fs::read(format!("/proc/{pid}/environ")) {
            Ok(bytes) => {
                assert!(
                    pid == runner.2 || bytes.is_empty(),
                    "a cell has an environment: {bytes:?}"
                );
                all.push(place(environment, format!("{pid}"), bytes));
            }
            Err(error) => assert!(!root, "{environment}: {error}"),
        }
    }
    for pid in cells {
        match memory(pid) {
            Ok(bytes) => all.push(place("memory of a cell", format!("{pid}"), bytes)),
            Err(error) => assert!(!root, "memory of {pid}: {error}"),
        }
    }
    all
}

/// The arguments of a cell name the program, its memory and its level, and nothing of its workspace.
#[track_caller]
fn says_nothing(command: &[u8]) {
    let text = String::from_utf8(command.to_vec()).unwrap();
    let words: Vec<_> = text.trim_end_matches('\0').split('\0').skip(1).collect();
    let [cell, "--memory", memory, "--isolation", level] = words[..] else { panic!("{words:?}") };
    assert_eq!(
        (cell, memory.parse::<u64>().is_ok(), level.len()),
        ("__cell", true, 2),
        "{words:?}"
    );
}

/// All that a process has in its memory and can be read.
fn memory(pid: i32) -> std::io::Result<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let mut memory = File::open(format!("/proc/{pid}/mem"))?;
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let number = |text: &str| u64::from_str_radix(text, 16).unwrap_or_default();
        let Some((from, to)) = range.map(|(from, to)| (number(from), number(to))) else { continue };
        memory.seek(SeekFrom::Start(from))?;
        // Guard pages and what the kernel keeps for itself cannot be read.
        drop((&memory).take(to - from).read_to_end(&mut all));
    }
    Ok(all)
}

/// Keeps what a stream of events says until the runner ends.
pub(crate) fn stream(runner: &Runner<'_>, path: &str) -> Arc<Mutex<Vec<u8>>> {
    let host = runner.url().trim_start_matches("http://");
    let mut connection = TcpStream::connect(host).unwrap();
    write!(connection, "GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").unwrap();
    let said: Arc<Mutex<Vec<u8>>> = Arc::default();
    let into = Arc::clone(&said);
    thread::spawn(move || crate::canaries::read_on(connection, &into));
    said
}

/// Whether a folder has a core dump in it.
pub(crate) fn has_core(folder: &Path) -> bool {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter_map(|name| name.into_string().ok()).any(|name| name.starts_with("core"))
}

/// A limit of a process, as the kernel shows it: soft and hard.
pub(crate) fn core_limit(pid: i32) -> Value {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    line.split_whitespace().skip(4).take(2).map(str::to_owned).collect()
}
