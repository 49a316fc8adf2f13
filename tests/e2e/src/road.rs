//! A repository, and the surroundings of the runner that serves it.

use std::path::{Path, PathBuf};

use serde_json::Value;
use signalbox_testkit::{Launch, Repo};

use crate::{Runner, Said, Scene};

/// The binary under test: `SIGNALBOX_BIN`, or what was last built with the profile `ci`.
pub fn binary() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/ci/signalbox");
    let path = std::env::var_os("SIGNALBOX_BIN").map_or(built, PathBuf::from);
    assert!(
        path.is_file(),
        "there is no binary at {}: run `cargo xtask test`, or `cargo build --profile ci`",
        path.display()
    );
    path
}

/// A repository with the launch of its runner.
#[derive(Debug)]
pub struct Road {
    /// The repository.
    pub repo: Repo,
    /// How its runner is started: it looks at the source when it is told to, and when it starts.
    pub launch: Launch,
}

impl Road {
    pub(crate) fn new(scene: &Scene) -> Self {
        let repo = Repo::new();
        for (path, content) in scene.files() {
            repo.write(path, content);
        }
        repo.commit("the first revision");
        let launch = Launch::new(binary(), repo.path()).arg("--poll").arg("1h");
        Self { repo, launch }
    }

    /// Changes a file and commits; gives the commit.
    pub fn push(&self, path: &str, content: &str) -> String {
        self.repo.write(path, content);
        self.repo.commit(&format!("change {path}"))
    }

    /// Changes the body of a script's `main(inputs)` and commits; gives the commit.
    pub fn push_script(&self, path: &str, body: &str) -> String {
        self.push(path, &format!("fn main(inputs) {{\n{body}\n}}\n"))
    }

    /// Starts the runner and waits until it is ready.
    #[track_caller]
    pub fn start(&self) -> Runner<'_> {
        Runner::new(self)
    }

    /// Runs a command of the binary that needs no runner.
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) -> Said {
        self.cli_with(arguments, "")
    }

    /// Runs a command with something on its standard input.
    #[track_caller]
    pub fn cli_with(&self, arguments: &[&str], input: &str) -> Said {
        let mut command = self.launch.command();
        command.args(arguments);
        Said::of(command, input)
    }

    /// `validate --json` of the repository's files as they are now: the exit code, the document.
    #[track_caller]
    pub fn validate(&self) -> (i32, Value) {
        let folder = self.repo.path().display().to_string();
        let said = self.cli(&["validate", &folder, "--json"]);
        (said.code, said.json())
    }
}
