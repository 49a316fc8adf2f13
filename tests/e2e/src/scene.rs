//! What stands in a repository.

use std::fmt::Write as _;

use crate::Road;

/// The platform's name in most tests.
pub const PLATFORM: &str = "ops";
/// A domain's name in most tests.
pub const DOMAIN: &str = "shop";

/// The content of a repository: a root manifest, and workspaces in folders of their own names.
#[derive(Debug, Clone)]
pub struct Scene {
    files: Vec<(String, String)>,
}

/// The root manifest of some workspaces, each given by its name, its kind and its grants in YAML
/// (`network: [...]`, or nothing).
pub fn root(workspaces: &[(&str, &str, &str)]) -> String {
    let mut text = "version: 1\nworkspaces:\n".to_owned();
    for (name, kind, grants) in workspaces {
        writeln!(text, "  {name}: {{ kind: {kind}, path: {name}, grants: {{ {grants} }} }}")
            .expect("text");
    }
    text
}

impl Scene {
    /// A repository with these workspaces, as [`root`] takes them, each with a flow `hello`.
    pub fn new(workspaces: &[(&str, &str, &str)]) -> Self {
        let scene = Self { files: Vec::new() }.file("signalbox.yaml", root(workspaces));
        workspaces.iter().fold(scene, |scene, (name, ..)| {
            scene.script(&format!("{name}/flows/hello.rhai"), "`hello from ${run::workspace()}`")
        })
    }

    /// One platform without grants.
    pub fn platform() -> Self {
        Self::new(&[(PLATFORM, "platform", "")])
    }

    /// One platform and one domain, with grants.
    pub fn pair(platform: &str, domain: &str) -> Self {
        Self::new(&[(PLATFORM, "platform", platform), (DOMAIN, "domain", domain)])
    }

    /// Adds or replaces a file.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<String>) -> Self {
        self.files.retain(|(known, _)| known != path);
        self.files.push((path.to_owned(), content.into()));
        self
    }

    /// Adds a file with the body of `main(inputs)`.
    #[must_use]
    pub fn script(self, path: &str, body: &str) -> Self {
        self.file(path, format!("fn main(inputs) {{\n{body}\n}}\n"))
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, content)| (path.as_str(), content.as_str()))
    }

    /// A committed repository with this content.
    #[must_use]
    pub fn road(&self) -> Road {
        Road::new(self)
    }
}
