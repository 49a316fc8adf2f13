//! The top-level modules of a crate do not use each other in a circle. Tests may.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::source;
use crate::finding::Finding;
use crate::tree::Tree;

/// For each module the modules it uses, each with the place of one use.
type Uses = BTreeMap<String, BTreeMap<String, (String, usize)>>;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let files = tree.ending(".rs").filter(|(path, _)| !source::is_test_file(path));
    let mut crates: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for (path, text) in files {
        if let Some((root, file)) = path.split_once("/src/") {
            crates.entry(root).or_default().push((file, text));
        }
    }
    crates.iter().flat_map(|(root, files)| circles(&uses(root, files))).collect()
}

/// Which module of the crate each file belongs to, and what it uses.
fn uses(root: &str, files: &[(&str, &str)]) -> Uses {
    let modules: BTreeSet<_> = files.iter().map(|(file, _)| module(file)).collect();
    let mut uses = Uses::new();
    for (file, text) in files.iter().filter(|(file, _)| !["lib", "main"].contains(&module(file))) {
        let own = uses.entry(module(file).to_owned()).or_default();
        for (line, used) in used(file, text) {
            if used != module(file) && modules.contains(used.as_str()) {
                own.entry(used).or_insert_with(|| (format!("{root}/src/{file}"), line));
            }
        }
    }
    uses
}

/// The top-level module of a file: `value` for `value/json.rs` and for `value.rs`.
fn module(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// Every first name after the crate's root in a path, with its line.
fn used(file: &str, text: &str) -> Vec<(usize, String)> {
    let depth = file.trim_end_matches("/mod.rs").split('/').count();
    let roots = ["crate::".to_owned(), "super::".repeat(depth)];
    let lines: Vec<_> = source::code(text).collect();
    let mut found = Vec::new();
    for (at, (number, line)) in lines.iter().enumerate() {
        for root in &roots {
            for (start, _) in line.match_indices(root.as_str()) {
                // `super::super::x` ends with `super::x`, which would mean another module.
                if line[..start].ends_with("::") {
                    continue;
                }
                let rest = &line[start + root.len()..];
                let names = match rest.strip_prefix('{') {
                    Some(group) => group_heads(group, lines[at + 1..].iter().map(|(_, l)| *l)),
                    None => vec![head(rest)],
                };
                found.extend(names.into_iter().map(|name| (*number, name)));
            }
        }
    }
    found
}

/// The name at the start of a path.
fn head(path: &str) -> String {
    path.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first names of a group `{a::x, b::{y, z}}`, which may go on over the next lines.
fn group_heads<'a>(first: &'a str, next: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut depth = 1;
    let mut item = String::new();
    let mut heads = Vec::new();
    for c in std::iter::once(first).chain(next).flat_map(str::chars) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => heads.push(head(&std::mem::take(&mut item))),
            c => item.push(c),
        }
        if depth == 0 {
            break;
        }
    }
    heads.push(head(&item));
    heads
}

/// Every set of modules that form a circle, once, by its shortest way round.
fn circles(uses: &Uses) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for start in uses.keys() {
        let Some(way) = way_round(uses, start) else { continue };
        if seen.insert(way.iter().cloned().collect::<BTreeSet<_>>()) {
            let (file, line) = &uses[start][&way[1]];
            let links: Vec<_> = way.windows(2).map(|pair| link(uses, pair)).collect();
            let what = format!("modules use each other in a circle: {}", links.join(", "));
            findings.push(Finding::new(file, *line, "module-cycle", what));
        }
    }
    findings
}

/// One use, with its place.
fn link(uses: &Uses, pair: &[String]) -> String {
    let (file, line) = &uses[&pair[0]][&pair[1]];
    let file = file.rsplit_once("/src/").map_or(file.as_str(), |(_, file)| file);
    format!("{} uses {} ({file}:{line})", pair[0], pair[1])
}

/// The shortest way from a module back to itself, both ends included.
fn way_round(uses: &Uses, start: &str) -> Option<Vec<String>> {
    let mut queue = VecDeque::from([vec![start.to_owned()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = queue.pop_front() {
        for next in uses.get(way.last()?).into_iter().flat_map(BTreeMap::keys) {
            let longer = || way.iter().chain([next]).cloned().collect();
            if next == start {
                return Some(longer());
            }
            if seen.insert(next) {
                queue.push_back(longer());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<const N: usize>(files: [(&str, &str); N]) -> Vec<String> {
        check(&Tree::from(files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_circle_is_found_once_with_its_way_and_place() {
        let files = [
            ("x/src/a.rs", "use std::fmt;\nuse crate::b::B;\n"),
            ("x/src/b.rs", "use crate::{\n    c::{D, a},\n    E,\n};\n"),
            ("x/src/c/d.rs", "fn f() -> super::super::a::A {}\n"),
        ];
        assert_eq!(
            found(files),
            ["x/src/a.rs:2: modules use each other in a circle: a uses b (a.rs:2), \
              b uses c (b.rs:1), c uses a (c/d.rs:1) [module-cycle]"]
        );
    }

    #[test]
    fn what_only_tests_and_comments_name_is_no_use() {
        let tests = "/// See [`crate::a`].\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n";
        assert!(found([("x/src/a.rs", "use crate::b::B;\n"), ("x/src/b.rs", tests)]).is_empty());
    }

    #[test]
    fn a_module_may_use_itself_and_its_sibling_files() {
        let child = "use super::e;\nuse crate::c::e;\n";
        assert!(
            found([("x/src/c/d.rs", child), ("x/src/c/e.rs", ""), ("x/src/e.rs", "")]).is_empty()
        );
    }
}
