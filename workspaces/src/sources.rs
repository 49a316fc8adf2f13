//! The scripts of a workspace and how they import one another.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place};
use signalbox_core::source::{Folder, MAX_SCRIPT};

/// The folder of tests: not part of what runs.
const TESTS: &str = "tests/";

/// Whether a path is that of a Rhai file. Case counts: `A.RHAI` is nothing.
pub(crate) fn is_script(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, kind)| kind == "rhai")
}

/// Every script and library with its text, by path from the workspace's folder. One that is too
/// large or is not text is a fault and left out.
pub(crate) fn gather(folder: &Folder) -> (BTreeMap<String, String>, Vec<Diagnostic>) {
    let mut texts = BTreeMap::new();
    let mut faults = Vec::new();
    let scripts =
        folder.files.iter().filter(|(path, _)| is_script(path) && !path.starts_with(TESTS));
    for (path, file) in scripts {
        let place = Place::file(format!("{}/{path}", folder.path));
        if file.content.len() > MAX_SCRIPT {
            let size = file.content.len();
            let message = format!("the script has {size} bytes; {MAX_SCRIPT} are allowed");
            faults.push(Diagnostic::error(Code::ScriptTooLarge, place, message));
        } else if let Ok(text) = std::str::from_utf8(&file.content) {
            texts.insert(path.clone(), text.to_owned());
        } else {
            faults.push(Diagnostic::error(Code::NotUtf8, place, "the script is not UTF-8"));
        }
    }
    (texts, faults)
}

/// Which file imports which, by path from the workspace's folder.
#[derive(Debug, Default)]
pub(crate) struct Imports(BTreeMap<String, BTreeSet<String>>);

impl Imports {
    /// Notes what a file, or a piece of code under some name, imports.
    pub(crate) fn add(&mut self, from: &str, to: impl IntoIterator<Item = String>) {
        self.0.entry(from.to_owned()).or_default().extend(to);
    }

    /// Everything that can be reached, the beginnings included.
    pub(crate) fn reach<'a>(&self, from: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<String> = from.into_iter().map(str::to_owned).collect();
        while let Some(next) = open.pop() {
            if let Some(imports) = self.0.get(&next) {
                open.extend(imports.iter().filter(|path| !seen.contains(*path)).cloned());
            }
            seen.insert(next);
        }
        seen
    }

    /// One circle for every group of files that import one another: the shortest one through the
    /// first file of the group.
    pub(crate) fn cycles(&self) -> Vec<Vec<String>> {
        let mut known = BTreeSet::new();
        let mut cycles = Vec::new();
        for start in self.0.keys() {
            if known.contains(start) {
                continue;
            }
            if let Some(cycle) = self.cycle_through(start) {
                known.extend(cycle.iter().cloned());
                cycles.push(cycle);
            }
        }
        cycles
    }

    /// Breadth first, so that the circle is a shortest one; without its end, which is its start.
    fn cycle_through(&self, start: &str) -> Option<Vec<String>> {
        let mut from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut open = std::collections::VecDeque::from([start]);
        while let Some(at) = open.pop_front() {
            for next in self.0.get(at).into_iter().flatten() {
                if next == start {
                    let mut path = vec![at.to_owned()];
                    let mut back = at;
                    while let Some(before) = from.get(back) {
                        path.push((*before).to_owned());
                        back = before;
                    }
                    path.reverse();
                    return Some(path);
                }
                if !from.contains_key(next.as_str()) {
                    from.insert(next, at);
                    open.push_back(next);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found_once_and_ends_are_reached() {
        let mut imports = Imports::default();
        for (from, to) in [("a", "b"), ("b", "c"), ("c", "b"), ("x", "x"), ("d", "a")] {
            imports.add(from, [to.to_owned()]);
        }
        assert_eq!(imports.cycles(), [vec!["b".to_owned(), "c".into()], vec!["x".to_owned()]]);
        assert_eq!(imports.reach(["d"]), ["a", "b", "c", "d"].map(str::to_owned).into());
    }
}
