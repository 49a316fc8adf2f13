//! The root manifest and the workspace file: the same bytes as each of them.

use std::collections::BTreeMap;
use std::path::Path;

use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::ids::Revision;
use signalbox_core::source::{Folder, SourceFile};
use signalbox_workspaces::{ROOT_FILE, Root, RootEntry, WORKSPACE_FILE, parse_root, read};

use crate::diagnostics::{self, Files};
use crate::seeds::{Seed, files};

/// A repository with a workspace of each kind.
const ROOT: &str = "version: 1
workspaces:
  system: { kind: platform, path: a, grants: { host: [metrics], limits: { memory: 64MiB } } }
  shop: { kind: domain, path: b, grants: { network: [example.org] } }
";
/// What the workspaces have beside their file.
const BESIDE: [(&str, &str); 4] = [
    ("flows/note.yaml", "inputs: { text: { type: string } }\nrun: inputs.text\n"),
    ("flows/scan.rhai", "fn main(inputs) { 1 }\n"),
    ("calendars/work.yaml", "weekdays_off: [sat, sun]\n"),
    ("libraries/x.rhai", "fn x() { 1 }\n"),
];

pub(crate) fn run(bytes: &[u8]) {
    root(bytes);
    let (known, _) = parse_root(ROOT.as_bytes(), ROOT_FILE).expect("a good manifest");
    for entry in known.workspaces.values() {
        workspace(entry, bytes);
    }
}

fn root(bytes: &[u8]) {
    let files = Files::from([(ROOT_FILE.to_owned(), bytes)]);
    match parse_root(bytes, ROOT_FILE) {
        Ok((root, warnings)) => {
            diagnostics::hold(&warnings, &files);
            assert!(!warnings.iter().any(Diagnostic::is_error), "taken with an error");
            paths(&root);
            commented(bytes, &root);
        }
        Err(faults) => {
            assert!(faults.iter().any(Diagnostic::is_error), "refused without an error");
            diagnostics::hold(&faults, &files);
        }
    }
}

/// No workspace leaves the repository or lies in another one.
fn paths(root: &Root) {
    for entry in root.workspaces.values() {
        let parts: Vec<_> = entry.path.split('/').collect();
        let plain = |part: &&str| !["", ".", "..", ".git"].contains(part) && !part.contains('\\');
        assert!(parts.iter().all(plain), "a path that leaves: {:?}", entry.path);
        for other in root.workspaces.values().filter(|other| other.name != entry.name) {
            let inside = other.path.strip_prefix(&entry.path);
            assert!(inside.is_none_or(|rest| !rest.is_empty() && !rest.starts_with('/')));
        }
    }
}

/// A comment changes nothing but places.
fn commented(bytes: &[u8], root: &Root) {
    if bytes.starts_with("\u{feff}".as_bytes()) || bytes.contains(&b'%') {
        return;
    }
    let bytes = [b"# a comment\n", bytes].concat();
    let (again, _) = parse_root(&bytes, ROOT_FILE).expect("a comment is no fault");
    let facts = |root: &Root| -> Vec<_> {
        root.workspaces.values().map(|e| (e.name.clone(), e.path.clone(), e.config_hash)).collect()
    };
    assert_eq!(facts(&again), facts(root), "a comment changes a workspace's identity");
}

fn workspace(entry: &RootEntry, bytes: &[u8]) {
    let beside = BESIDE.map(|(path, text)| (path, text.as_bytes()));
    let all: BTreeMap<_, _> = beside.into_iter().chain([(WORKSPACE_FILE, bytes)]).collect();
    judge(entry, &all);
}

/// Reads a workspace's files. A workspace that is taken is the same after it was stored.
pub(crate) fn judge(
    entry: &RootEntry,
    files: &BTreeMap<&str, &[u8]>,
) -> Option<signalbox_core::catalog::Workspace> {
    let source = |(path, content): (&&str, &&[u8])| ((*path).to_owned(), SourceFile::new(*content));
    let folder = Folder {
        path: entry.path.clone(),
        tree: "0".repeat(40),
        files: files.iter().map(source).collect(),
    };
    let revision: Revision = "0".repeat(40).parse().expect("a revision");
    let full = |path: &str| format!("{}/{path}", entry.path);
    let files: Files<'_> = files.iter().map(|(path, text)| (full(path), *text)).collect();
    let draft = read(entry, &revision, &folder);
    let (request, _) = draft.check_request();
    for script in &request.scripts {
        let lines = files.get(&script.file).map(|text| text.split(|byte| *byte == b'\n').count());
        let lines = lines.unwrap_or_else(|| unreachable!("code of no file: {script:?}"));
        assert!((1..=lines).contains(&(script.origin.0 as usize)), "code outside: {script:?}");
    }
    let facts = request.scripts.iter().map(|script| crate::cell::no_facts(&script.name)).collect();
    match draft.finish(facts) {
        Ok((workspace, warnings)) => {
            diagnostics::hold(&warnings, &files);
            let kept = serde_json::to_string(&workspace).expect("a workspace is kept");
            let again = serde_json::from_str(&kept).expect("a workspace is read");
            let again: signalbox_core::catalog::Workspace = again;
            assert_eq!(serde_json::to_string(&again).ok(), Some(kept), "it is what was kept");
            for flow in workspace.flows.values() {
                assert!(files.contains_key(&full(&flow.file)), "a flow of no file: {}", flow.file);
            }
            Some(workspace)
        }
        Err(faults) => {
            assert!(faults.iter().any(Diagnostic::is_error), "refused without an error");
            diagnostics::hold(&faults, &files);
            None
        }
    }
}

pub(crate) fn seeds(repository: &Path) -> Vec<Seed> {
    let names = [ROOT_FILE, WORKSPACE_FILE];
    let mut seeds = files(repository, "examples", &names);
    seeds.extend(files(repository, "workspaces/tests/fixtures", &names));
    seeds.push(Seed(ROOT.as_bytes().to_vec()));
    seeds
}
