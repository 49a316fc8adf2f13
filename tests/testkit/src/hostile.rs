//! Scripts that try to hurt: the folder `fixtures/hostile` is their table.
//!
//! A file is a flow. Its first lines are comments that say what it is about:
//!
//! ```text
//! // tries: what it tries, in one line
//! // ends: limit_exceeded SB0503        reason and code of its run; `succeeded`; `rejected CODE` when it is synced
//! // limits: run_time: 2s               what its workspace is granted, when that is not the default
//! // grow: MARK 1000 TEXT               MARK stands for so many TEXT; `grow-lines`: one in a line, `%` is its number
//! // file: libraries/one.rhai           further down: from here on it is another file of the workspace
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::repo::fail;

/// A script that tries to hurt.
#[derive(Debug, Clone)]
pub struct Hostile {
    /// The name of its file, and of its workspace.
    pub name: String,
    /// How it ends: a reason with a code, `succeeded`, or `rejected` with a code.
    pub ends: String,
    /// The `limits` of its workspace, as YAML.
    pub limits: String,
    /// Files of its workspace, by path. Its flow is `try`.
    pub files: Vec<(String, String)>,
}

impl Hostile {
    /// The error code with which it is refused when it is synced, if it is.
    pub fn rejected(&self) -> Option<&str> {
        self.ends.strip_prefix("rejected ")
    }

    /// Its flow, as requests name it.
    pub fn flow(&self) -> String {
        format!("{}/try", self.name)
    }

    fn read(path: &Path) -> Self {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let kind = path.extension().and_then(|kind| kind.to_str()).expect("a kind of file");
        let text = fs::read_to_string(path).expect("a text");
        let (said, mut body) = head(&text);
        let of = |what: &str| said.get(what).copied();
        if of("tries").is_none() {
            fail(&format!("{name} does not say what it tries"));
        }
        let ends = of("ends").unwrap_or_else(|| fail(&format!("{name} does not say how it ends")));
        for (what, between) in [("grow", ""), ("grow-lines", "\n")] {
            body = of(what).map_or(body.clone(), |rule| grown(&body, rule, between));
        }
        let mut files = vec![(format!("flows/try.{kind}"), String::new())];
        for line in body.lines() {
            match line.strip_prefix("// file: ") {
                Some(path) => files.push((path.to_owned(), String::new())),
                None => files.last_mut().expect("a file").1.extend([line, "\n"]),
            }
        }
        let limits = of("limits").unwrap_or_default().to_owned();
        Self { name, ends: ends.to_owned(), limits, files }
    }
}

/// Every script of the folder, in the order of their names.
pub fn hostile_scripts() -> Vec<Hostile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hostile");
    let files = fs::read_dir(folder).expect("the folder of hostile scripts");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| Hostile::read(path)).collect()
}

/// What the comments at its head say, and the rest of a file.
fn head(text: &str) -> (BTreeMap<&str, &str>, String) {
    let mut said = BTreeMap::new();
    let mut lines = text.lines();
    let mut rest = lines.clone();
    while let Some(line) = lines.next() {
        let comment = line.strip_prefix("// ").or_else(|| line.strip_prefix("# "));
        let Some((what, value)) = comment.and_then(|comment| comment.split_once(": ")) else {
            break;
        };
        if !["tries", "ends", "limits", "grow", "grow-lines"].contains(&what) {
            break;
        }
        said.insert(what, value);
        rest = lines.clone();
    }
    (said, rest.flat_map(|line| [line, "\n"]).collect())
}

/// A text in which a mark stands for many copies of another: `MARK COUNT TEXT`.
fn grown(body: &str, rule: &str, between: &str) -> String {
    let mut parts = rule.splitn(3, ' ');
    let (mark, count, text) = (parts.next(), parts.next(), parts.next());
    let (Some(mark), Some(Ok(count)), Some(text)) = (mark, count.map(str::parse::<usize>), text)
    else {
        fail(&format!("`{rule}` is not MARK COUNT TEXT"));
    };
    let copies: Vec<_> = (0..count).map(|n| text.replace('%', &n.to_string())).collect();
    body.replace(mark, &copies.join(between))
}
