//! Git repositories made by the real git.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

/// 2026-01-01T00:00:00Z, where time starts; every git command of a repository is one second later.
const FIRST_COMMIT: u64 = 1_767_225_600;

/// A git repository in a temporary folder that goes away with it. The same calls give the same
/// commit ids, on every machine.
#[derive(Debug)]
pub struct Repo {
    folder: TempDir,
    commits: AtomicU64,
}

impl Default for Repo {
    fn default() -> Self {
        Self::new()
    }
}

impl Repo {
    /// An empty repository with a work tree, on the unborn branch `main`.
    pub fn new() -> Self {
        Self::init(&["init", "--quiet", "-b", "main", "."])
    }

    /// An empty bare repository whose HEAD names `main`.
    pub fn bare() -> Self {
        Self::init(&["init", "--quiet", "--bare", "-b", "main", "."])
    }

    fn init(args: &[&str]) -> Self {
        let repo = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            commits: AtomicU64::new(0),
        };
        fs::create_dir(repo.folder.path().join("home")).expect("a home folder");
        fs::create_dir(repo.path()).expect("a repository folder");
        repo.git(args);
        repo
    }

    /// The repository's folder.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    /// The repository as a `file://` URL.
    pub fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    /// Writes a file of the work tree, with the folders it needs.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a path below the repository")).expect("folders");
        fs::write(&path, content)
            .unwrap_or_else(|e| fail(&format!("write {}: {e}", path.display())));
        self
    }

    /// Removes a file or a folder with everything in it from the work tree.
    pub fn remove(&self, path: &str) -> &Self {
        let path = self.path().join(path);
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.unwrap_or_else(|e| fail(&format!("remove {}: {e}", path.display())));
        self
    }

    /// Commits the whole work tree, also when nothing changed, and gives the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all", "--force"]);
        self.commit_index(message)
    }

    /// Commits what stands in the index, and gives the commit's id.
    pub fn commit_index(&self, message: &str) -> String {
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Makes a commit of any tree object and sets the branch to it; the work tree stays as it is.
    pub fn commit_tree(&self, tree: &str, branch: &str) -> String {
        let commit = self.git(&["commit-tree", tree, "-m", "a tree made by hand"]);
        self.git(&["update-ref", &format!("refs/heads/{branch}"), &commit]);
        commit
    }

    /// Stores any bytes as a tree object, however malformed, and gives its id.
    pub fn raw_tree(&self, content: &[u8]) -> String {
        self.git_with(&["hash-object", "-t", "tree", "--literally", "-w", "--stdin"], content)
    }

    /// Stores a blob and gives its id.
    pub fn blob(&self, content: impl AsRef<[u8]>) -> String {
        self.git_with(&["hash-object", "-w", "--stdin"], content.as_ref())
    }

    /// A bare clone in a temporary folder of its own, with `origin` set to this repository.
    #[must_use]
    pub fn clone_bare(&self) -> Self {
        let clone = Self::bare();
        let from = self.path().display().to_string();
        clone.git(&["remote", "add", "origin", &from]);
        clone.git(&["fetch", "--quiet", "origin", "+refs/heads/*:refs/heads/*"]);
        clone
    }

    /// Pushes the branch `main` by force into another repository.
    pub fn push(&self, to: &Self) {
        self.git(&["push", "--quiet", "--force", &to.path().display().to_string(), "main"]);
    }

    /// Runs git in the repository and gives its standard output without the last line break.
    pub fn git(&self, args: &[&str]) -> String {
        self.git_with(args, b"")
    }

    /// Runs git with standard input.
    pub fn git_with(&self, args: &[&str], input: &[u8]) -> String {
        let output = self.run(args, input);
        if !output.status.success() {
            fail(&format!("git {args:?}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
    }

    fn run(&self, args: &[&str], input: &[u8]) -> Output {
        let mut git = self.command();
        git.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = git.spawn().expect("git starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        std::thread::scope(|scope| {
            // A git that does not read its input closes the pipe early, which is no fault.
            scope.spawn(move || drop(stdin.write_all(input)));
            child.wait_with_output().expect("git ends")
        })
    }

    fn command(&self) -> Command {
        let number = self.commits.fetch_add(1, Ordering::Relaxed);
        let date = format!("{} +0000", FIRST_COMMIT + number);
        let mut git = Command::new("git");
        hermetic(&mut git, &self.folder.path().join("home"));
        git.current_dir(self.path());
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_NAME"), "Signal Tester");
            git.env(format!("GIT_{role}_EMAIL"), "tester@example.org");
            git.env(format!("GIT_{role}_DATE"), &date);
        }
        git
    }
}

/// Takes everything from a child's environment but the search path for programs.
pub(crate) fn hermetic(command: &mut Command, home: &Path) {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    command
        .env_clear()
        .env("PATH", path)
        .env("HOME", home)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC");
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("GIT_TERMINAL_PROMPT", "0");
    // git would start a clean-up in the background that outlives the command.
    command.env("GIT_CONFIG_COUNT", "1");
    command.env("GIT_CONFIG_KEY_0", "maintenance.auto").env("GIT_CONFIG_VALUE_0", "false");
}

/// Fails the test.
#[expect(clippy::panic, reason = "a test helper that cannot do its work fails the test")]
#[track_caller]
pub(crate) fn fail(message: &str) -> ! {
    panic!("{message}")
}
