//! Trees and blobs straight from the object database.
//!
//! Trees are parsed here and not by libgit2, which tidies modes up and looks names up by bisection:
//! a tree that is hostile must be seen as it is.
//!
//! Damage is an error. [`loose`] says why loose objects are read twice.

use std::path::PathBuf;
use std::sync::Arc;

use git2::{ErrorCode, ObjectType, Odb, Oid, Repository};
use signalbox_core::source::MAX_FILES;

use crate::Error;
use crate::kind::Kind;
use crate::loose;
use crate::walk::{Entry, Listing, Reader};

/// Largest tree object in which a name is looked up: about a million entries.
const MAX_SEARCHED: usize = 64 << 20;
/// Largest tree object inside a workspace: [`MAX_FILES`] entries with the longest of names.
const MAX_LISTED: usize = MAX_FILES * (MODE_AND_ID + crate::name::MAX_NAME);
/// Bytes of an entry beside its name: six digits, blank, NUL and the id.
const MODE_AND_ID: usize = 6 + 1 + 1 + ID;
/// Bytes of an object id.
const ID: usize = 20;

/// The objects of a repository.
pub(crate) struct Objects<'r> {
    odb: Odb<'r>,
    /// Where loose objects are.
    folder: PathBuf,
}

impl<'r> Objects<'r> {
    pub(crate) fn of(repository: &'r Repository) -> Result<Self, Error> {
        let odb = repository.odb().map_err(Error::git("open the object database"))?;
        Ok(Self { odb, folder: repository.commondir().join("objects") })
    }

    /// The size and kind of an object, from its header.
    pub(crate) fn header(&self, id: Oid) -> Result<Option<(usize, ObjectType)>, Error> {
        match self.odb.read_header(id) {
            Ok(header) => Ok(Some(header)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(corrupt(id, error.message())),
        }
    }

    fn size_of(&self, id: Oid, kind: ObjectType) -> Result<usize, Error> {
        match self.header(id)? {
            Some((size, found)) if found == kind => Ok(size),
            Some((_, found)) => Err(corrupt(id, &format!("it is a {found} and not a {kind}"))),
            None => Err(corrupt(id, "it is missing")),
        }
    }

    /// A tree object, or `None` when it has more than `limit` bytes.
    fn tree(&self, id: Oid, limit: usize) -> Result<Option<git2::OdbObject<'_>>, Error> {
        if self.size_of(id, ObjectType::Tree)? > limit {
            return Ok(None);
        }
        self.whole(id).map(Some)
    }

    /// Refuses an object whose file is damaged in a way that the library does not bear.
    pub(crate) fn check(&self, id: Oid) -> Result<(), Error> {
        loose::check(&self.folder, id)
    }

    /// An object with its content.
    fn whole(&self, id: Oid) -> Result<git2::OdbObject<'_>, Error> {
        self.check(id)?;
        self.odb.read(id).map_err(|error| corrupt(id, error.message()))
    }
}

impl Reader for Objects<'_> {
    type Node = Oid;

    fn list(&self, folder: &Oid) -> Result<Listing<Oid>, Error> {
        let mut listing = Listing { entries: Vec::new(), cut: false, disordered: false };
        let Some(tree) = self.tree(*folder, MAX_LISTED)? else {
            listing.cut = true;
            return Ok(listing);
        };
        let mut before: Option<Raw<'_>> = None;
        for raw in entries(tree.data()) {
            let raw = raw.ok_or_else(|| corrupt(*folder, "it is not a well-formed tree"))?;
            if listing.entries.len() > MAX_FILES {
                listing.cut = true;
                break;
            }
            listing.disordered |= before.is_some_and(|before| raw.sorts_before(&before));
            listing.entries.push(raw.entry());
            before = Some(raw);
        }
        Ok(listing)
    }

    fn find(&self, folder: &Oid, name: &str) -> Result<Option<Entry<Oid>>, Error> {
        let tree = self
            .tree(*folder, MAX_SEARCHED)?
            .ok_or_else(|| corrupt(*folder, "it is a folder of more than 64 MiB"))?;
        for raw in entries(tree.data()) {
            let raw = raw.ok_or_else(|| corrupt(*folder, "it is not a well-formed tree"))?;
            if raw.name == name.as_bytes() {
                return Ok(Some(raw.entry()));
            }
        }
        Ok(None)
    }

    fn size(&self, file: &Oid) -> Result<u64, Error> {
        Ok(self.size_of(*file, ObjectType::Blob)? as u64)
    }

    fn read(&self, file: &Oid, limit: usize) -> Result<Option<Arc<[u8]>>, Error> {
        if self.size_of(*file, ObjectType::Blob)? > limit {
            return Ok(None);
        }
        let blob = self.whole(*file)?;
        Ok((blob.len() <= limit).then(|| blob.data().into()))
    }
}

/// An object that does not read as what it must be.
pub(crate) fn corrupt(id: Oid, reason: &str) -> Error {
    Error::Corrupt { object: id.to_string(), reason: reason.to_owned() }
}

/// One entry as it stands in the tree object.
#[derive(Debug, Clone, Copy)]
struct Raw<'t> {
    mode: &'t [u8],
    name: &'t [u8],
    id: Oid,
}

impl Raw<'_> {
    /// Only the modes that git itself writes are known; libgit2 would read others as these.
    fn kind(&self) -> Kind {
        match self.mode {
            b"100644" | b"100755" => Kind::File,
            b"40000" => Kind::Folder,
            b"120000" => Kind::Link,
            b"160000" => Kind::Submodule,
            _ => Kind::Other,
        }
    }

    fn entry(&self) -> Entry<Oid> {
        Entry { name: self.name.to_vec(), kind: self.kind(), node: self.id }
    }

    /// Git's order: bytes, a folder as if its name ended in `/`.
    fn sorts_before(&self, other: &Self) -> bool {
        let end = |raw: &Self| {
            if raw.kind() == Kind::Folder { b"/".as_slice() } else { b"" }
        };
        self.name.iter().chain(end(self)).lt(other.name.iter().chain(end(other)))
    }
}

/// The entries of a tree object, `None` at the first that is malformed: mode in octal digits,
/// blank, name, NUL, id.
fn entries(tree: &[u8]) -> impl Iterator<Item = Option<Raw<'_>>> {
    let mut rest = tree;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = split_entry(rest);
        rest = entry.map_or(&[], |(_, after)| after);
        Some(entry.map(|(raw, _)| raw))
    })
}

fn split_entry(tree: &[u8]) -> Option<(Raw<'_>, &[u8])> {
    let blank = tree.iter().take(8).position(|byte| *byte == b' ')?;
    let (mode, rest) = (&tree[..blank], &tree[blank + 1..]);
    let end = rest.iter().position(|byte| *byte == 0)?;
    let (name, rest) = (&rest[..end], &rest[end + 1..]);
    let (id, rest) = rest.split_at_checked(ID)?;
    let id = Oid::from_bytes(id).ok()?;
    Some((Raw { mode, name, id }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(mode: &str, name: &str) -> Vec<u8> {
        [mode.as_bytes(), b" ", name.as_bytes(), b"\0", &[7; ID]].concat()
    }

    #[test]
    fn a_tree_cut_at_any_byte_is_malformed_or_shorter_and_never_panics() {
        let tree = [raw("100644", "a"), raw("40000", "b")].concat();
        for cut in 0..tree.len() {
            let whole = [0, raw("100644", "a").len()].contains(&cut);
            assert_eq!(entries(&tree[..cut]).all(|entry| entry.is_some()), whole, "cut at {cut}");
        }
    }

    #[test]
    fn only_the_modes_git_writes_are_files_and_folders() {
        for (mode, kind) in [
            ("100644", Kind::File),
            ("100755", Kind::File),
            ("40000", Kind::Folder),
            ("120000", Kind::Link),
            ("160000", Kind::Submodule),
            ("040000", Kind::Other),
            ("104755", Kind::Other),
            ("", Kind::Other),
        ] {
            let tree = raw(mode, "x");
            let found = entries(&tree).next().flatten().map(|entry| entry.kind());
            assert_eq!(found, Some(kind), "{mode}");
        }
    }

    #[test]
    fn order_is_gits_own() {
        let order = |one: (&str, &str), other: (&str, &str)| {
            let (one, other) = (raw(one.0, one.1), raw(other.0, other.1));
            let first = |tree| entries(tree).next().flatten().expect("well-formed");
            first(&one).sorts_before(&first(&other))
        };
        assert!(order(("100644", "a.b"), ("40000", "a")));
        assert!(!order(("40000", "a"), ("100644", "a.b")));
        assert!(order(("100644", "a"), ("100644", "b")));
    }
}
