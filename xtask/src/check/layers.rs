//! The direction of dependencies: core ← {store, cell, workspaces, sync} ← engine ← server ← the
//! binary. Tests and automation may use all of them, and nothing uses those.

use std::path::Path;

use crate::finding::Finding;
use crate::process::{Metadata, Package};
use crate::tree::Tree;

const LAYERS: [(&str, u8); 15] = [
    ("signalbox-core", 0),
    ("signalbox-store", 1),
    ("signalbox-cell", 1),
    ("signalbox-workspaces", 1),
    ("signalbox-sync", 1),
    ("signalbox-engine", 2),
    ("signalbox-server", 3),
    ("signalbox", 4),
    ("signalbox-testkit", 5),
    ("signalbox-bench", 6),
    ("signalbox-e2e", 6),
    ("signalbox-fuzz", 6),
    ("signalbox-sim", 6),
    ("signalbox-taken", 6),
    ("xtask", 6),
];

/// What a package must not be built on: (package, dependency, why).
const FORBIDDEN: [(&str, &str, &str); 11] = [
    ("signalbox-core", "tokio", "core is pure"),
    ("signalbox-core", "git2", "core is pure"),
    ("signalbox-core", "rusqlite", "core is pure"),
    ("signalbox-core", "reqwest", "core is pure"),
    ("signalbox-cell", "tokio", "a cell has one thread and one socket"),
    ("signalbox-cell", "reqwest", "a cell has no network"),
    ("signalbox-cell", "git2", "a cell has no files"),
    ("signalbox-cell", "rusqlite", "a cell has no files"),
    ("signalbox-workspaces", "git2", "workspaces never fetches"),
    ("signalbox-sync", "serde_yaml", "sync never parses a manifest"),
    ("signalbox-sync", "yaml_serde", "sync never parses a manifest"),
];

pub(crate) fn check(tree: &Tree, metadata: &Metadata) -> Vec<Finding> {
    let packages = metadata.packages.iter();
    packages.flat_map(|package| of_package(tree, &metadata.workspace_root, package)).collect()
}

fn of_package(tree: &Tree, root: &Path, package: &Package) -> Vec<Finding> {
    let manifest = package.manifest_path.strip_prefix(root).unwrap_or(&package.manifest_path);
    let manifest = manifest.to_string_lossy();
    let line_of = |name: &str| {
        let mut lines = tree.text(&manifest).unwrap_or_default().lines();
        lines.position(|line| line.starts_with(name)).map_or(1, |at| at + 1)
    };
    let Some(layer) = layer(&package.name) else {
        let what = format!("`{}` has no layer: add it to xtask/src/check/layers.rs", package.name);
        return vec![Finding::new(&manifest, 1, "layers", what)];
    };
    let faults = package.dependencies.iter().filter_map(|dependency| {
        let name = dependency.name.as_str();
        let dev = dependency.kind.as_deref() == Some("dev");
        let why = refusal(&package.name, layer, name, dev)?;
        Some(Finding::new(&manifest, line_of(name), "layers", why))
    });
    faults.collect()
}

fn layer(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer)
}

/// Why a package must not have a dependency.
fn refusal(package: &str, own: u8, dependency: &str, dev: bool) -> Option<String> {
    let forbidden = FORBIDDEN.iter().find(|(of, on, _)| *of == package && *on == dependency);
    if let Some((_, _, why)) = forbidden.filter(|_| !dev) {
        return Some(format!("`{package}` must not depend on `{dependency}`: {why}"));
    }
    if dependency == "anyhow" && own < 4 && !dev {
        return Some("`anyhow` is for the binary, tests and xtask; use an error enum".to_owned());
    }
    // The testkit's own dependencies point outwards only, so any package may be tested with it.
    let upwards = layer(dependency).is_some_and(|other| other >= own);
    let tested_with = dev && dependency == "signalbox-testkit";
    (upwards && !tested_with)
        .then(|| format!("`{package}` must not depend on `{dependency}`, which is not below it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Dependency;

    fn found(name: &str, dependency: &str, kind: Option<&str>) -> Vec<String> {
        let dependency =
            Dependency { name: dependency.to_owned(), kind: kind.map(ToOwned::to_owned) };
        let package = Package {
            name: name.to_owned(),
            manifest_path: "/repo/a/Cargo.toml".into(),
            dependencies: vec![dependency],
        };
        let tree = Tree::from([("a/Cargo.toml", "[dependencies]\nsignalbox-engine = {}\n")]);
        of_package(&tree, Path::new("/repo"), &package).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn dependencies_run_downwards_only() {
        assert_eq!(
            found("signalbox-store", "signalbox-engine", None),
            ["a/Cargo.toml:2: `signalbox-store` must not depend on `signalbox-engine`, which is \
              not below it [layers]"]
        );
        assert_eq!(found("signalbox-store", "signalbox-sync", None).len(), 1, "side by side");
        assert_eq!(found("signalbox", "xtask", None).len(), 1, "nothing uses xtask");
        assert!(found("signalbox-engine", "signalbox-store", None).is_empty());
        assert!(found("xtask", "signalbox", None).is_empty());
    }

    #[test]
    fn the_testkit_is_for_tests() {
        assert!(found("signalbox-engine", "signalbox-testkit", Some("dev")).is_empty());
        assert_eq!(found("signalbox-engine", "signalbox-testkit", None).len(), 1);
    }

    #[test]
    fn the_pure_stay_pure_and_the_unknown_is_refused() {
        assert_eq!(found("signalbox-cell", "tokio", None).len(), 1);
        assert!(found("signalbox-store", "tokio", None).is_empty());
        assert_eq!(found("signalbox-store", "anyhow", None).len(), 1);
        assert!(found("signalbox-store", "anyhow", Some("dev")).is_empty());
        assert_eq!(found("newcomer", "serde", None).len(), 1);
    }
}
