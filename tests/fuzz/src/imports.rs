//! The import resolver: scripts that name other scripts, checked and evaluated in a cell.
//!
//! The bytes are a script and the libraries of its tree, each behind a line `//// NAME`. Another
//! tree in the same cell has libraries that no script of this one may see.

use std::collections::BTreeMap;
use std::path::Path;

use signalbox_cell::protocol::End;
use signalbox_core::catalog::{Action, Flow, Plan};
use signalbox_core::check::{CheckRequest, CheckScript, Facts, ScriptCode, ScriptKind};
use signalbox_core::codes::Code;
use signalbox_core::value::decode;

use crate::cell;
use crate::seeds::{Seed, files, texts};

/// Most libraries of a script.
const MAX_LIBRARIES: usize = 8;
/// What no script of the tree can say by itself.
const CANARY: &str = "canary-5d1f";
/// Trees of a cell: that of the run, and another workspace's.
const TREES: (i64, i64) = (1, 2);
/// The script.
const MAIN: &str = "scripts/main.rhai";

pub(crate) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let sources = sources(&text);
    let facts = cell::with(|cell| {
        cell.sources(0, &sources);
        cell.check(request(&sources))
    });
    for found in &facts {
        check(found, &sources);
    }
    let end = evaluate(&sources);
    let said = match &end {
        End::Result(value) => decode(value).expect("a result that decodes").to_string(),
        other => format!("{other:?}"),
    };
    assert!(!said.contains(CANARY) || text.contains(CANARY), "another tree's library: {said}");
}

/// The files by path.
fn sources(text: &str) -> BTreeMap<String, String> {
    let (main, rest) = text.split_once("//// ").unwrap_or((text, ""));
    let mut sources = BTreeMap::from([(MAIN.to_owned(), main.to_owned())]);
    for part in rest.split("//// ").take(MAX_LIBRARIES).filter(|part| !part.is_empty()) {
        let (name, text) = part.split_once('\n').unwrap_or((part, ""));
        sources.insert(format!("{}.rhai", name.trim()), text.to_owned());
    }
    sources
}

fn request(sources: &BTreeMap<String, String>) -> CheckRequest {
    let scripts = sources.keys().map(|path| CheckScript {
        name: path.clone(),
        file: format!("w/{path}"),
        origin: (1, 1),
        kind: if path == MAIN { ScriptKind::Script } else { ScriptKind::Library },
        sees: Vec::new(),
        code: ScriptCode::Source(path.clone()),
    });
    CheckRequest {
        scripts: scripts.collect(),
        secrets: vec!["TOKEN".to_owned()],
        connectors: Vec::new(),
    }
}

fn check(found: &Facts, sources: &BTreeMap<String, String>) {
    let text = sources.get(&found.name).expect("facts of a script that was named");
    for import in &found.imports {
        stays(import);
        let known = sources.contains_key(import);
        let told = found.diagnostics.iter().any(|fault| fault.code == Code::UnknownImport);
        assert!(known || told, "an import of nothing passes: {import}");
    }
    let full = format!("w/{}", found.name);
    for fault in &found.diagnostics {
        let (line, column) = (fault.place.line as usize, fault.place.column as usize);
        assert_eq!(fault.place.file, full, "a fault of another file");
        let lines: Vec<_> = text.split('\n').collect();
        assert!(line <= lines.len(), "line {line} of {}: {fault:?}", lines.len());
        let width = line.checked_sub(1).map_or(0, |at| lines[at].chars().count());
        assert!(line == 0 || column <= width + 1, "column {column} of {width}: {fault:?}");
    }
    for call in &found.calls {
        assert!((1..=text.split('\n').count()).contains(&(call.line as usize)), "{call:?}");
    }
}

/// A path that an import gives is one of the tree's own.
fn stays(path: &str) {
    let name = path.strip_suffix(".rhai").expect("an import is a script");
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-/".contains(c);
    assert!(name.chars().all(plain), "an import that leaves: {path}");
    assert!(name.split('/').all(|part| !part.is_empty()), "an import that leaves: {path}");
}

fn evaluate(sources: &BTreeMap<String, String>) -> End {
    let mut flow = Flow::new(MAIN);
    flow.plan.steps.push(step());
    let plan = serde_json::to_string::<Plan>(&flow.plan).expect("a plan");
    let canary = format!("fn canary() {{ \"{CANARY}\" }}\nexport const CANARY = \"{CANARY}\";\n");
    let names = ["secret", "libraries/secret", "libraries/x", "a", "b", "x"];
    let others = names.map(|name| (format!("{name}.rhai"), canary.clone()));
    cell::with(|cell| {
        cell.sources(TREES.1, &others.into());
        cell.sources(TREES.0, sources);
        let end = cell.evaluate(&plan);
        cell.forget(TREES.1);
        end
    })
}

fn step() -> signalbox_core::catalog::Step {
    let action = Action::Script { path: MAIN.to_owned(), inputs: None };
    signalbox_core::catalog::Step::new("main", action, 1)
}

pub(crate) fn seeds(repository: &Path) -> Vec<Seed> {
    let mut seeds = texts([
        "import \"libraries/a\" as a;\nfn main(inputs) { a::x() }\n//// libraries/a\nfn x() { 1 }\n",
        "import \"a\" as a; import \"b\" as b;\nfn main(i) { a::f() + b::N }\n//// a\nimport \"b\" as b;\nfn f() { import \"b\" as b; b::N }\n//// b\nexport const N = 2;\n",
        "import \"a\" as a;\nfn main(i) { a::f() }\n//// a\nimport \"b\" as b;\nfn f() { 1 }\n//// b\nimport \"a\" as a;\n",
        "fn main(inputs) { import \"../secret\" as s; s::canary() }\n",
        "fn main(inputs) { import \"secret\" as s; s::CANARY }\n",
        "fn main(inputs) { let n = \"libraries/\"; import n + \"secret\" as s; s::canary() }\n",
        "fn main(inputs) { import \"./x\" as s; import \"/x\" as t; import \"x.rhai\" as u; 1 }\n",
        "fn main(inputs) { let f = Fn(\"x::canary\"); f.call() }\n//// x\nprivate fn canary() { 1 }\n",
        "fn main(inputs) { step(\"a\", || { import \"x\" as x; x::f(2) }) }\n//// x\nfn f(n) { n * 2 }\n",
    ]);
    seeds.extend(files(repository, "examples", &[".rhai"]));
    seeds
}
