//! The repository that is deployed: a few commits, made once for all seeds, and a branch for each.

use std::collections::BTreeMap;
use std::path::PathBuf;

use signalbox_core::Revision;
use signalbox_sync::{Location, Source};
use signalbox_testkit::Repo;

use crate::catalogue;

/// Good versions of the repository, from 1. One more is bad.
const GOOD: i64 = 3;

/// The repository.
#[derive(Debug)]
pub struct Revisions {
    repo: Repo,
    /// Commits in order of their versions; the last has a fault in the workspace `ops`.
    commits: Vec<Revision>,
}

impl Default for Revisions {
    fn default() -> Self {
        Self::new()
    }
}

impl Revisions {
    /// Makes the commits.
    pub fn new() -> Self {
        let repo = Repo::new();
        let mut commits = Vec::new();
        for version in 1..=GOOD + 1 {
            for (path, text) in catalogue::files(version) {
                repo.write(&path, text);
            }
            if version > GOOD {
                repo.write("ops/flows/pure.yaml", "run: 'let'\n");
            }
            let commit = repo.commit(&format!("version {version}"));
            commits.push(commit.parse().expect("git gives commit ids"));
        }
        Self { repo, commits }
    }

    /// A branch for one seed, at a good version.
    pub(crate) fn branch(&self, seed: u64) -> Branch<'_> {
        let name = format!("seed-{seed}");
        let file = self.repo.path().join(".git/refs/heads").join(&name);
        let branch = Branch { of: self, name, file };
        branch.push(0);
        branch
    }

    /// The version of each commit.
    pub(crate) fn versions(&self) -> BTreeMap<Revision, i64> {
        self.commits.iter().cloned().zip(1..).collect()
    }
}

/// The branch of one seed. It goes away with it.
#[derive(Debug)]
pub(crate) struct Branch<'a> {
    of: &'a Revisions,
    name: String,
    file: PathBuf,
}

impl Branch<'_> {
    /// How many commits there are to push.
    pub(crate) fn commits(&self) -> usize {
        self.of.commits.len()
    }

    /// Sets the branch to a commit, as a push does.
    pub(crate) fn push(&self, commit: usize) {
        let fresh = self.file.with_extension("lock");
        std::fs::write(&fresh, format!("{}\n", self.of.commits[commit])).expect("a file for a ref");
        std::fs::rename(&fresh, &self.file).expect("a ref is set");
    }

    /// The branch as a runner's source.
    pub(crate) fn source(&self) -> Source {
        let path = self.of.repo.path();
        let location = Location::parse(&path.to_string_lossy()).expect("a path is a location");
        Source::open(&location, Some(&self.name), "").expect("the repository is there")
    }
}

impl Drop for Branch<'_> {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.file));
    }
}
