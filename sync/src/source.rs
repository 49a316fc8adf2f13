//! A branch of a repository, seen from a folder of it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use git2::{ErrorCode, ObjectType, Oid, Reference, Repository};
use signalbox_core::Revision;
use signalbox_core::clock::Timestamp;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::source::Folder;

use crate::location::cut;
use crate::objects::{Objects, corrupt};
use crate::walk::{self, FileAt, Located, Subtree};
use crate::{Error, Location, fault, library, name};

/// Largest commit object that is read.
const MAX_COMMIT: usize = 1 << 20;
/// Repositories kept open between calls: as many as there are calls at a time, up to this.
const MAX_IDLE: usize = 4;

/// A branch of a repository, seen from a folder of it.
///
/// Every call answers from what the repository holds at that moment, so a push needs no notice.
/// Calls block on the disk; any number may run side by side. Paths given are relative to the root
/// that the source was opened with; places in diagnostics and [`Folder::path`] are relative to the
/// repository's root, because that is where a person finds the file.
pub struct Source {
    location: Location,
    branch: Option<String>,
    root: String,
    idle: Mutex<Vec<Repository>>,
}

/// A commit, for showing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub revision: Revision,
    /// The name of its author, at most 200 characters, none of them control characters.
    pub author: String,
    /// The first line of its message, with the same bounds.
    pub summary: String,
    /// When it was committed, by the committer's clock.
    pub at: Timestamp,
}

impl Source {
    /// Opens the repository that lies exactly at the location: no parent folder is searched. No
    /// branch means the one that the repository's HEAD names at each call; `root` is the folder
    /// inside the repository to look from, `""` for all of it. The branch and the folder need not
    /// be there yet.
    ///
    /// # Errors
    /// There is no repository, or the branch or root could never be one.
    pub fn open(location: &Location, branch: Option<&str>, root: &str) -> Result<Self, Error> {
        if let Some(branch) = branch.filter(|branch| !is_branch_name(branch)) {
            return Err(Error::InvalidBranch { branch: cut(branch) });
        }
        let root = root.trim_end_matches('/');
        if !root.is_empty() && root.split('/').any(|part| name::check(part.as_bytes()).is_err()) {
            return Err(Error::InvalidRoot { root: cut(root) });
        }
        let source = Self {
            location: location.clone(),
            branch: branch.map(str::to_owned),
            root: root.to_owned(),
            idle: Mutex::default(),
        };
        source.with(|_| Ok(()))?;
        Ok(source)
    }

    /// Where the repository is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// A path that is relative to this source's root, as it is from the repository's root.
    pub fn full_path(&self, path: &str) -> String {
        walk::join(&self.root, path)
    }

    /// The newest commit of the branch. Reads one reference and one object's header.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::BranchGone`], [`Error::NotACommit`], or an unreadable repository.
    pub fn head(&self) -> Result<Revision, Error> {
        self.with(|repository| {
            let (name, reference) = branch_head(repository, self.branch.as_deref())?;
            let target = reference
                .resolve()
                .map_err(Error::git(format!("resolve `{name}`")))?
                .target()
                .ok_or_else(|| Error::BranchGone { branch: name.clone() })?;
            match Objects::of(repository)?.header(target)? {
                Some((_, ObjectType::Commit)) => revision(target),
                Some((_, kind)) => Err(Error::NotACommit { name, kind: kind.to_string() }),
                None => Err(corrupt(target, "a branch names it, but it is missing")),
            }
        })
    }

    /// The commit that a person's words name: a branch, a tag, an abbreviated id, `HEAD~2`.
    ///
    /// # Errors
    /// [`Error::UnknownRevision`] or [`Error::NotACommit`].
    pub fn resolve(&self, rev: &str) -> Result<Revision, Error> {
        self.with(|repository| {
            let unknown = |source| Error::UnknownRevision { name: cut(rev), source };
            let object = repository.revparse_single(rev).map_err(unknown)?;
            let kind = object.kind().map_or("object".to_owned(), |kind| kind.to_string());
            let commit = object
                .peel(ObjectType::Commit)
                .map_err(|_| Error::NotACommit { name: cut(rev), kind })?;
            revision(commit.id())
        })
    }

    /// Who made a commit, when, and what they called it.
    ///
    /// # Errors
    /// [`Error::CommitMissing`], or an unreadable repository.
    pub fn commit(&self, revision: &Revision) -> Result<Commit, Error> {
        self.with(|repository| {
            let commit = find_commit(repository, revision)?;
            Ok(Commit {
                revision: revision.clone(),
                author: one_line(commit.author().name_bytes()),
                summary: one_line(commit.summary_bytes().unwrap_or_default()),
                at: Timestamp(commit.time().seconds().saturating_mul(1_000_000)),
            })
        })
    }

    /// One file of a commit.
    ///
    /// # Errors
    /// [`Error::CommitMissing`], or an unreadable repository.
    pub fn read_file(&self, revision: &Revision, path: &str) -> Result<FileAt, Error> {
        let path = self.full_path(path);
        self.with(|repository| {
            let tree = find_commit(repository, revision)?.tree_id();
            walk::file_at(&Objects::of(repository)?, tree, &path)
        })
    }

    /// The tree id of a folder of a commit, `""` for the root. Reads only the trees on the way.
    ///
    /// # Errors
    /// [`Error::CommitMissing`], or an unreadable repository.
    pub fn subtree(&self, revision: &Revision, path: &str) -> Result<Subtree, Error> {
        let path = self.full_path(path);
        self.with(|repository| {
            let tree = find_commit(repository, revision)?.tree_id();
            Ok(match walk::folder_at(&Objects::of(repository)?, tree, &path)? {
                Located::Missing => Subtree::Missing,
                Located::Found(_, id) => Subtree::Found(id.to_string()),
                Located::Refused(fault) => Subtree::Refused(fault),
            })
        })
    }

    /// Everything below a folder of a commit, `""` for the root; or every fault of its tree: names
    /// that are not allowed, entries that are not files, bounds that are passed.
    ///
    /// # Errors
    /// [`Error::CommitMissing`], or an unreadable repository.
    pub fn folder(
        &self,
        revision: &Revision,
        path: &str,
    ) -> Result<Result<Folder, Vec<Diagnostic>>, Error> {
        let path = self.full_path(path);
        self.with(|repository| {
            let objects = Objects::of(repository)?;
            let root = find_commit(repository, revision)?.tree_id();
            let id = match walk::folder_at(&objects, root, &path)? {
                Located::Found(_, id) => id,
                Located::Missing => return Ok(Err(vec![fault::no_folder(&path)])),
                Located::Refused(fault) => return Ok(Err(vec![fault])),
            };
            let files = walk::collect(&objects, &id, &path)?;
            Ok(files.map(|files| Folder { path: path.clone(), tree: id.to_string(), files }))
        })
    }

    /// Runs a read on an open repository. One that was kept from an earlier call may know nothing
    /// of packs that were rewritten since: what fails on it is tried once more on a fresh one.
    fn with<T>(&self, read: impl Fn(&Repository) -> Result<T, Error>) -> Result<T, Error> {
        let kept = self.idle().pop();
        if let Some(repository) = kept
            && let Ok(answer) = read(&repository)
        {
            self.keep(repository);
            return Ok(answer);
        }
        let repository = open(&self.location)?;
        let answer = read(&repository)?;
        self.keep(repository);
        Ok(answer)
    }

    fn keep(&self, repository: Repository) {
        let mut idle = self.idle();
        if idle.len() < MAX_IDLE {
            idle.push(repository);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Repository>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("location", &self.location)
            .field("branch", &self.branch)
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

fn is_branch_name(branch: &str) -> bool {
    !branch.starts_with('-') && Reference::is_valid_name(&format!("refs/heads/{branch}"))
}

fn open(location: &Location) -> Result<Repository, Error> {
    library::prepare();
    let path = location.path();
    Repository::open(path).map_err(|source| {
        if source.code() != ErrorCode::NotFound {
            return Error::Git { doing: format!("open the repository `{location}`"), source };
        }
        let hint = match Repository::discover(path) {
            Ok(around) => format!(
                "; it lies inside the repository `{}`: name that one, and the folder as its root",
                around.workdir().unwrap_or(around.path()).display()
            ),
            Err(_) => String::new(),
        };
        Error::NotARepository { path: path.to_owned(), hint }
    })
}

/// The reference to follow and what to call it.
fn branch_head<'r>(
    repository: &'r Repository,
    branch: Option<&str>,
) -> Result<(String, Reference<'r>), Error> {
    let (name, asked) = if let Some(branch) = branch {
        (format!("refs/heads/{branch}"), true)
    } else {
        let head = repository.find_reference("HEAD").map_err(Error::git("read HEAD"))?;
        match head.symbolic_target_bytes() {
            Some(target) => (String::from_utf8_lossy(target).into_owned(), false),
            None => return Ok(("HEAD".to_owned(), head)),
        }
    };
    let short = name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned();
    match repository.find_reference(&name) {
        Ok(reference) => Ok((short, reference)),
        Err(error) if error.code() != ErrorCode::NotFound => {
            Err(Error::Git { doing: format!("read branch `{short}`"), source: error })
        }
        Err(_) if !asked && has_no_branch(repository)? => Err(Error::Empty { branch: short }),
        Err(_) => Err(Error::BranchGone { branch: short }),
    }
}

fn has_no_branch(repository: &Repository) -> Result<bool, Error> {
    let mut branches =
        repository.references_glob("refs/heads/*").map_err(Error::git("list the branches"))?;
    Ok(branches.next().is_none())
}

fn find_commit<'r>(
    repository: &'r Repository,
    revision: &Revision,
) -> Result<git2::Commit<'r>, Error> {
    let missing = || Error::CommitMissing { revision: revision.clone() };
    // An id of another length is of another object format: not in this repository.
    let id = Oid::from_str(revision.as_str()).map_err(|_| missing())?;
    let objects = Objects::of(repository)?;
    objects.check(id)?;
    match objects.header(id)? {
        None => Err(missing()),
        Some((size, ObjectType::Commit)) if size > MAX_COMMIT => {
            Err(corrupt(id, "it is a commit of more than 1 MiB"))
        }
        Some((_, ObjectType::Commit)) => {
            repository.find_commit(id).map_err(|error| corrupt(id, error.message()))
        }
        Some((_, kind)) => {
            Err(Error::NotACommit { name: revision.to_string(), kind: kind.to_string() })
        }
    }
}

fn revision(id: Oid) -> Result<Revision, Error> {
    id.to_string().parse().map_err(|_| corrupt(id, "its id is not 40 or 64 digits"))
}

/// Text of a commit, for showing: one line of at most 200 characters.
fn one_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars().filter(|c| !name::disturbs_display(*c)).take(200).collect()
}
