//! The tree policy: which kinds of entries and how much of them may be read, from wherever.
//!
//! Everything is counted when it is visited, not once per object: a tree that names the same
//! sub-tree a thousand times costs a thousand times its size here, as it would in a checkout.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place};
use signalbox_core::source::{MAX_FILES, MAX_MANIFEST, MAX_TREE, SourceFile};

use crate::kind::Kind;
use crate::{Error, fault, name};

/// Deepest nesting of folders inside one workspace.
pub const MAX_DEPTH: usize = 32;

/// A file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileAt {
    /// There is nothing at that path.
    Missing,
    /// Its content, at most [`MAX_MANIFEST`] bytes.
    Found(Arc<[u8]>),
    /// There is something that is not read: a link, a folder, a file over the bound.
    Refused(Diagnostic),
}

/// A folder of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subtree {
    /// There is nothing at that path.
    Missing,
    /// The id of its tree: equal ids are equal content.
    Found(String),
    /// There is something that is not a folder, or the path leads through a link.
    Refused(Diagnostic),
}

/// One entry of a folder; `node` is how its reader finds it again.
#[derive(Debug)]
pub(crate) struct Entry<N> {
    pub(crate) name: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) node: N,
}

/// The entries of a folder.
#[derive(Debug)]
pub(crate) struct Listing<N> {
    pub(crate) entries: Vec<Entry<N>>,
    /// There are more than any workspace may have; `entries` is not all of them.
    pub(crate) cut: bool,
    /// The entries do not stand in git's order, so git itself may not find them all.
    pub(crate) disordered: bool,
}

/// Where trees come from: the object database or the disk.
pub(crate) trait Reader {
    /// How an entry is found again.
    type Node: Clone;

    /// Every entry of a folder, or the first few of too many.
    fn list(&self, folder: &Self::Node) -> Result<Listing<Self::Node>, Error>;

    /// One entry of a folder by its name.
    fn find(&self, folder: &Self::Node, name: &str) -> Result<Option<Entry<Self::Node>>, Error>;

    /// The size of a file in bytes, without reading it.
    fn size(&self, file: &Self::Node) -> Result<u64, Error>;

    /// The content of a file, or `None` when it has more than `limit` bytes.
    fn read(&self, file: &Self::Node, limit: usize) -> Result<Option<Arc<[u8]>>, Error>;
}

/// What a path leads to.
pub(crate) enum Located<N> {
    Missing,
    Found(Kind, N),
    Refused(Diagnostic),
}

/// Follows a path from the root of a tree; never through anything but folders.
pub(crate) fn locate<R: Reader>(
    reader: &R,
    root: R::Node,
    path: &str,
) -> Result<Located<R::Node>, Error> {
    let mut at = (Kind::Folder, root);
    if path.is_empty() {
        return Ok(Located::Found(at.0, at.1));
    }
    let mut seen = String::new();
    for part in path.split('/') {
        if let Err(rule) = name::check(part.as_bytes()) {
            let message = format!("the path cannot be read: a part of it {rule}");
            return Ok(Located::Refused(fault::bad_path(&name::shown(path.as_bytes()), message)));
        }
        match at.0 {
            Kind::Folder => {}
            Kind::File => return Ok(Located::Missing),
            kind @ (Kind::Link | Kind::Submodule | Kind::Other) => {
                return Ok(Located::Refused(fault::wrong_kind(&seen, kind, "a folder")));
            }
        }
        let Some(entry) = reader.find(&at.1, part)? else {
            return Ok(Located::Missing);
        };
        at = (entry.kind, entry.node);
        seen = join(&seen, part);
    }
    Ok(Located::Found(at.0, at.1))
}

/// Reads the one file that a path leads to.
pub(crate) fn file_at<R: Reader>(reader: &R, root: R::Node, path: &str) -> Result<FileAt, Error> {
    Ok(match locate(reader, root, path)? {
        Located::Missing => FileAt::Missing,
        Located::Refused(fault) => FileAt::Refused(fault),
        Located::Found(Kind::File, node) => match reader.read(&node, MAX_MANIFEST)? {
            Some(content) => FileAt::Found(content),
            None => FileAt::Refused(fault::too_large(path)),
        },
        Located::Found(kind, _) => FileAt::Refused(fault::wrong_kind(path, kind, "a file")),
    })
}

/// Finds the folder that a path leads to.
pub(crate) fn folder_at<R: Reader>(
    reader: &R,
    root: R::Node,
    path: &str,
) -> Result<Located<R::Node>, Error> {
    Ok(match locate(reader, root, path)? {
        Located::Found(Kind::Folder, node) => Located::Found(Kind::Folder, node),
        Located::Found(kind, _) => Located::Refused(fault::wrong_kind(path, kind, "a folder")),
        other @ (Located::Missing | Located::Refused(_)) => other,
    })
}

/// Reads everything below a folder that stands at `path`, or gives every fault in it.
pub(crate) fn collect<R: Reader>(
    reader: &R,
    folder: &R::Node,
    path: &str,
) -> Result<Result<BTreeMap<String, SourceFile>, Vec<Diagnostic>>, Error> {
    let mut walk = Walk {
        reader,
        base: path,
        files: BTreeMap::new(),
        faults: Vec::new(),
        entries: 0,
        bytes: 0,
        over: false,
    };
    walk.folder(folder, "", 0)?;
    Ok(if walk.faults.is_empty() { Ok(walk.files) } else { Err(walk.faults) })
}

struct Walk<'a, R> {
    reader: &'a R,
    /// The path of the workspace from the repository's root.
    base: &'a str,
    files: BTreeMap<String, SourceFile>,
    faults: Vec<Diagnostic>,
    entries: usize,
    bytes: u64,
    /// A bound of the whole workspace is passed: nothing more is read, and that was said once.
    over: bool,
}

impl<R: Reader> Walk<'_, R> {
    fn folder(&mut self, folder: &R::Node, path: &str, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            let message = format!("folders are nested more than {MAX_DEPTH} deep");
            self.faults.push(fault::limit(&self.full(path), message, "move the folder up"));
            return Ok(());
        }
        let listing = self.reader.list(folder)?;
        if listing.disordered {
            let message = "the folder's entries are out of order, so git may not find them";
            self.faults.push(fault::bad_path(&self.full(path), message.to_owned()));
        }
        let mut taken = HashMap::new();
        for entry in listing.entries {
            if self.over || !self.count_entry() {
                return Ok(());
            }
            if let Some(name) = self.take_name(&entry.name, path, &mut taken) {
                self.entry(entry.kind, &entry.node, &join(path, &name), depth)?;
            }
        }
        if listing.cut {
            self.too_many();
        }
        Ok(())
    }

    /// Counts one more entry; `false` when it is one too many.
    fn count_entry(&mut self) -> bool {
        self.entries += 1;
        if self.entries > MAX_FILES {
            self.too_many();
        }
        !self.over
    }

    fn too_many(&mut self) {
        if !self.over {
            let message = format!("more than {MAX_FILES} files and folders in one workspace");
            let help = "move what is not part of the automation out of the workspace's folder";
            self.faults.push(fault::limit(&self.full(""), message, help));
        }
        self.over = true;
    }

    /// The name, if it may stand in a tree beside those already `taken`.
    fn take_name(
        &mut self,
        name: &[u8],
        folder: &str,
        taken: &mut HashMap<String, String>,
    ) -> Option<String> {
        let place = self.full(&join(folder, &name::shown(name)));
        let text = match name::check(name) {
            Ok(text) => text,
            Err(rule) => {
                self.faults.push(fault::bad_path(&place, format!("the name {rule}")));
                return None;
            }
        };
        let Some(first) = taken.insert(name::folded(text), text.to_owned()) else {
            return Some(text.to_owned());
        };
        let fault = if first == text {
            fault::bad_path(&place, "the folder holds this name twice".to_owned())
        } else {
            let message = format!("differs from `{first}` in the same folder only in case");
            Diagnostic::error(Code::CaseCollision, Place::file(place), message)
                .second(Place::file(self.full(&join(folder, &first))), "the other one")
                .help(format!("git mv {text} to a name of its own"))
        };
        self.faults.push(fault);
        None
    }

    fn entry(&mut self, kind: Kind, node: &R::Node, path: &str, depth: usize) -> Result<(), Error> {
        match kind {
            Kind::File => self.file(node, path),
            Kind::Folder => self.folder(node, path, depth + 1),
            Kind::Link | Kind::Submodule | Kind::Other => {
                self.faults.push(fault::wrong_kind(&self.full(path), kind, "a file or folder"));
                Ok(())
            }
        }
    }

    fn file(&mut self, node: &R::Node, path: &str) -> Result<(), Error> {
        let size = self.reader.size(node)?;
        if size > MAX_MANIFEST as u64 {
            self.faults.push(fault::too_large(&self.full(path)));
            return Ok(());
        }
        self.bytes += size;
        if self.bytes > MAX_TREE as u64 {
            self.over = true;
            let message =
                format!("the files of one workspace have more than {} MiB", MAX_TREE >> 20);
            let help = "move what is not part of the automation out of the workspace's folder";
            self.faults.push(fault::limit(&self.full(""), message, help));
            return Ok(());
        }
        // Once there is a fault nothing will be used: the walk goes on for the other faults only.
        if self.faults.is_empty() {
            match self.reader.read(node, MAX_MANIFEST)? {
                Some(content) => {
                    self.files.insert(path.to_owned(), SourceFile::new(content));
                }
                None => self.faults.push(fault::too_large(&self.full(path))),
            }
        }
        Ok(())
    }

    fn full(&self, path: &str) -> String {
        join(self.base, path)
    }
}

/// Two parts of a path, either of which may be empty.
pub(crate) fn join(folder: &str, rest: &str) -> String {
    match (folder, rest) {
        ("", only) | (only, "") => only.to_owned(),
        _ => format!("{folder}/{rest}"),
    }
}
