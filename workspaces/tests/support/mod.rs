//! A repository on disk or in memory, read as the engine reads it. In the script check's place
//! stands a scan for the plainest imports and calls.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what the tests share may fail")]
#![allow(clippy::allow_attributes, reason = "what is unused differs between the binaries")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use signalbox_core::catalog::{Kind, Workspace};
use signalbox_core::check::{CheckScript, Facts, FoundCall, ScriptCode};
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::ids::{Digest, Revision, WorkspaceName};
use signalbox_core::source::{Folder, SourceFile};
use signalbox_workspaces::contract::{self, Candidate, Verdict};
use signalbox_workspaces::{ROOT_FILE, Root, locate, parse_root, read};

/// Files by path from the repository's root.
pub type Files = BTreeMap<String, Vec<u8>>;

pub fn files(pairs: &[(&str, &str)]) -> Files {
    pairs.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

pub fn on_disk(root: &Path) -> Files {
    let mut files = Files::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

pub fn folder(files: &Files, path: &str) -> Folder {
    let below = files.iter().filter_map(|(name, content)| {
        let name = name.strip_prefix(path)?.strip_prefix('/')?;
        Some((name.to_owned(), SourceFile::new(content.clone())))
    });
    let files: BTreeMap<_, _> = below.collect();
    let parts = files.iter().flat_map(|(name, file)| [name.as_bytes(), &file.digest.0]);
    let tree = Digest::of_parts(parts).to_string();
    Folder { path: path.to_owned(), tree, files }
}

pub fn root(files: &Files) -> Result<Root, Vec<Diagnostic>> {
    parse_root(&files[ROOT_FILE], ROOT_FILE).map(|(root, _)| root)
}

pub type Read = BTreeMap<WorkspaceName, Result<(Workspace, Vec<Diagnostic>), Vec<Diagnostic>>>;

/// Every workspace by itself.
pub fn workspaces(files: &Files, root: &Root) -> Read {
    let revision: Revision = "0".repeat(40).parse().unwrap();
    let one = |entry| {
        let draft = read(entry, &revision, &folder(files, &entry.path));
        let (request, texts) = draft.check_request();
        let texts: BTreeMap<_, _> = texts.into_iter().collect();
        let facts = request.scripts.iter().map(|script| scan(script, &texts)).collect();
        (entry.name.clone(), draft.finish(facts))
    };
    root.workspaces.values().map(one).collect()
}

/// The workspaces of a repository that has no faults of its own.
pub fn good(files: &Files) -> BTreeMap<WorkspaceName, Arc<Workspace>> {
    let root = root(files).unwrap();
    let good = |(name, read): (_, Result<(Workspace, _), Vec<Diagnostic>>)| match read {
        Ok((workspace, _)) => (name, Arc::new(workspace)),
        Err(faults) => panic!("{}", signalbox_workspaces::render::render(&faults)),
    };
    workspaces(files, &root).into_iter().map(good).collect()
}

/// A workspace that has nothing and declares nothing.
pub fn workspace(name: &str, kind: Kind) -> Workspace {
    Workspace::new(name.parse().unwrap(), kind, "0".repeat(40).parse().unwrap())
}

/// A push: from what is live to what the files say.
pub fn push(live: Option<&Files>, new: &Files, atomic: bool) -> Verdict {
    let live = live.map(good).unwrap_or_default();
    let new = good(new);
    let names = live.keys().chain(new.keys());
    let candidates = names.map(|name| {
        let state = Candidate { new: new.get(name).cloned(), live: live.get(name).cloned() };
        (name.clone(), state)
    });
    contract::check(&candidates.collect(), atomic)
}

/// Every fault and warning of a repository, rendered.
pub fn report(files: &Files) -> String {
    let render = signalbox_workspaces::render::render;
    let root = match root(files) {
        Ok(root) => root,
        Err(faults) => return render(&faults),
    };
    let mut found = Vec::new();
    let mut candidates = BTreeMap::new();
    for (name, read) in workspaces(files, &root) {
        match read {
            Ok((workspace, warnings)) => {
                found.extend(warnings);
                let new = Some(Arc::new(workspace));
                candidates.insert(name, Candidate { new, live: None });
            }
            Err(faults) => found.extend(faults),
        }
    }
    if candidates.len() == root.workspaces.len() {
        let verdict = contract::check(&candidates, root.atomic);
        found.extend(verdict.rejected.into_values().flatten());
        found.extend(verdict.warnings.into_values().flatten());
        for entry in root.workspaces.values() {
            locate(&mut found, &folder(files, &entry.path));
        }
    }
    render(&found)
}

fn scan(script: &CheckScript, texts: &BTreeMap<String, String>) -> Facts {
    let code = match &script.code {
        ScriptCode::Inline(code) => code,
        ScriptCode::Source(path) => &texts[path],
    };
    let mut facts = Facts {
        name: script.name.clone(),
        diagnostics: Vec::new(),
        imports: Vec::new(),
        calls: Vec::new(),
    };
    for (number, line) in (0_u32..).zip(code.lines()) {
        let column = |at: usize| {
            let before = u32::try_from(line[..at].chars().count()).unwrap();
            before + if number == 0 { script.origin.1 } else { 1 }
        };
        if let Some(name) = line.trim().strip_prefix("import \"") {
            facts.imports.push(format!("{}.rhai", name.split('"').next().unwrap()));
        }
        if let Some(at) = line.find("broker::request(\"") {
            let target = line[at..].split('"').nth(1).unwrap().to_owned();
            let inputs = line[at..].contains("#{}").then(BTreeMap::new);
            let (line, column) = (script.origin.0 + number, column(at));
            facts.calls.push(FoundCall { target, own: false, inputs, line, column });
        }
    }
    facts
}
