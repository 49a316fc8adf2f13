//! A git tree that somebody pushed: names, modes, depth, damaged objects.
//!
//! The bytes are a list of objects, written into a repository one after the other, and what the
//! trees among them name; the last one is a workspace's folder.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use git2::{ObjectType, Odb, Oid, Repository};
use signalbox_core::Revision;
use signalbox_core::source::{Folder, MAX_FILES, MAX_MANIFEST, MAX_TREE};
use signalbox_sync::{Error, FileAt, Location, MAX_DEPTH, Source, Subtree};

use crate::bytes::Bytes;
use crate::seeds::Seed;

/// Most objects of an input.
const MAX_OBJECTS: usize = 24;
/// Most entries of a tree.
const MAX_ENTRIES: u8 = 12;
/// Modes that git writes, and some that it does not.
const MODES: [&str; 10] =
    ["100644", "40000", "100755", "120000", "160000", "040000", "100664", "0", "", "1"];
/// Names that are one byte of an input.
const NAMES: [&str; 16] = [
    "a",
    "b",
    "A",
    "flows",
    "workspace.yaml",
    ".git",
    "..",
    "git~1",
    "a.b",
    "ſ",
    "S",
    "\u{200c}.git",
    "x\u{202e}y",
    "a\\b",
    "é",
    "z",
];

/// A repository that stays, as making one costs more than reading it.
struct Store {
    folder: tempfile::TempDir,
    repository: Repository,
}

thread_local! {
    static STORE: RefCell<Option<Store>> = const { RefCell::new(None) };
}

pub(crate) fn run(bytes: &[u8]) {
    let store = STORE.take().unwrap_or_else(Store::new);
    store.judge(bytes);
    STORE.set(Some(store));
}

impl Store {
    fn new() -> Self {
        // In memory where there is such a folder: objects come and go by the thousand.
        let memory = Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.expect("a folder");
        let repository = Repository::init_bare(folder.path()).expect("a repository");
        Self { folder, repository }
    }

    fn judge(&self, bytes: &[u8]) {
        let mut written = Written { store: self, odb: self.odb(), ids: Vec::new() };
        let folder = written.read(&mut Bytes(bytes));
        let commit = written.commit(folder);
        let location = Location::parse(&self.folder.path().to_string_lossy()).expect("a path");
        let source = Source::open(&location, None, "").expect("a repository");
        let revision: Revision = commit.to_string().parse().expect("an id");
        let read = source.folder(&revision, "w");
        match &read {
            Ok(Ok(folder)) => {
                plain(folder);
                written.agrees(commit, folder);
                found_again(&source, &revision, folder);
            }
            Ok(Err(faults)) => {
                assert!(!faults.is_empty(), "refused without a fault");
                for fault in faults {
                    let file = &fault.place.file;
                    assert!(fault.is_error() && fault.help.is_some(), "{fault:?}");
                    assert!(file == "w" || file.starts_with("w/"), "{fault:?}");
                    assert!(!file.chars().any(char::is_control), "{fault:?}");
                    assert!(!fault.message.chars().any(char::is_control), "{fault:?}");
                }
            }
            Err(Error::Corrupt { object, .. }) => assert_eq!(object.len(), 40, "an id"),
            Err(other) => unreachable!("{other}"),
        }
        for id in written.ids {
            std::fs::remove_file(self.file(id)).unwrap_or_default();
        }
    }

    /// Anew each time: it remembers what it has read.
    fn odb(&self) -> Odb<'_> {
        self.repository.odb().expect("an object database")
    }

    /// Where a loose object is.
    fn file(&self, id: Oid) -> PathBuf {
        let name = id.to_string();
        self.folder.path().join("objects").join(&name[..2]).join(&name[2..])
    }
}

/// The objects of one input.
struct Written<'s> {
    store: &'s Store,
    odb: Odb<'s>,
    ids: Vec<Oid>,
}

impl Written<'_> {
    fn write(&mut self, kind: ObjectType, content: &[u8]) -> Oid {
        let id = self.odb.write(kind, content).expect("an object is written");
        self.ids.push(id);
        id
    }

    /// Writes what the bytes say. Answers the last tree.
    fn read(&mut self, bytes: &mut Bytes<'_>) -> Oid {
        let mut last = self.write(ObjectType::Tree, b"");
        for _ in 0..MAX_OBJECTS {
            if bytes.is_empty() {
                break;
            }
            match bytes.byte() % 8 {
                0 => drop(self.write(ObjectType::Blob, bytes.sized())),
                1 => last = self.write(ObjectType::Tree, bytes.sized()),
                2 => self.damage(bytes),
                3 => {
                    let large = vec![b'x'; MAX_MANIFEST - 1 + usize::from(bytes.byte() % 3)];
                    self.write(ObjectType::Blob, &large);
                }
                4 => {
                    for _ in 0..bytes.byte() % 48 {
                        let entry = entry(b"40000", b"d", last);
                        last = self.write(ObjectType::Tree, &entry);
                    }
                }
                _ => last = self.tree(bytes),
            }
        }
        last
    }

    fn tree(&mut self, bytes: &mut Bytes<'_>) -> Oid {
        let mut entries = Vec::new();
        let ordered = !bytes.byte().is_multiple_of(4);
        for _ in 0..bytes.byte() % MAX_ENTRIES {
            let mode = bytes.pick(&MODES).as_bytes();
            let length = bytes.byte();
            let name = match length {
                0..=15 => NAMES[usize::from(length)].as_bytes().to_vec(),
                other => bytes.take(usize::from(other - 15)).to_vec(),
            };
            let id = self.ids[usize::from(bytes.byte()) % self.ids.len()];
            entries.push((mode, name, id));
        }
        if ordered {
            let end = |mode: &[u8]| if mode == b"40000" { b"/".as_slice() } else { b"" };
            entries.sort_by_key(|(mode, name, _)| [name.as_slice(), end(mode)].concat());
        }
        let entries = entries.iter().flat_map(|(mode, name, id)| entry(mode, name, *id));
        self.write(ObjectType::Tree, &entries.collect::<Vec<_>>())
    }

    /// Replaces an object's file.
    fn damage(&mut self, bytes: &mut Bytes<'_>) {
        let id = self.ids[usize::from(bytes.byte()) % self.ids.len()];
        let file = self.store.file(id);
        let Ok(content) = std::fs::read(&file) else { return };
        let damaged = match bytes.byte() % 3 {
            0 => content[..usize::from(bytes.byte()) % (content.len() + 1)].to_vec(),
            1 => {
                let mut content = content;
                let at = usize::from(bytes.byte()) % content.len().max(1);
                content.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bytes.byte() | 1);
                content
            }
            _ => bytes.sized().to_vec(),
        };
        // Objects are written read-only.
        std::fs::remove_file(&file).expect("a file that was there");
        std::fs::write(&file, damaged).expect("a file");
    }

    fn commit(&mut self, folder: Oid) -> Oid {
        let root = self.write(ObjectType::Tree, &entry(b"40000", b"w", folder));
        let who = "a <a@example.org> 1700000000 +0000";
        let commit = format!("tree {root}\nauthor {who}\ncommitter {who}\n\nm\n");
        self.write(ObjectType::Commit, commit.as_bytes())
    }

    /// git's own library finds the same files, and the same in them.
    fn agrees(&self, commit: Oid, folder: &Folder) {
        let repository = Repository::open_bare(self.store.folder.path()).expect("a repository");
        let commit = repository.find_commit(commit).expect("the commit");
        let tree = commit.tree().expect("its tree");
        let mut found = 0;
        tree.walk(git2::TreeWalkMode::PreOrder, |parent, entry| {
            if entry.kind() == Some(ObjectType::Blob) {
                let path = format!("{parent}{}", entry.name().unwrap_or("?"));
                let path = path.strip_prefix("w/").unwrap_or("?");
                let file = folder.files.get(path);
                let file = file.unwrap_or_else(|| unreachable!("git has {path:?}"));
                let blob = repository.find_blob(entry.id()).expect("a blob");
                assert_eq!(blob.content(), &*file.content, "another content of {path:?}");
                found += 1;
            }
            git2::TreeWalkResult::Ok
        })
        .expect("a tree that git reads");
        assert_eq!(found, folder.files.len(), "as many files as git finds");
    }
}

/// An entry as it stands in a tree.
fn entry(mode: &[u8], name: &[u8], id: Oid) -> Vec<u8> {
    [mode, b" ", name, b"\0", id.as_bytes()].concat()
}

/// Whatever is taken has plain names and keeps the bounds.
fn plain(folder: &Folder) {
    let total: usize = folder.files.values().map(|file| file.content.len()).sum();
    assert!(folder.files.len() <= MAX_FILES && total <= MAX_TREE, "over a bound");
    let mut folded = std::collections::BTreeSet::new();
    for (path, file) in &folder.files {
        assert!(file.content.len() <= MAX_MANIFEST, "{path:?} is over the bound");
        assert!(folded.insert(path.to_lowercase()), "{path:?} is there in two cases");
        let parts: Vec<_> = path.split('/').collect();
        assert!(parts.len() <= MAX_DEPTH + 1, "{path:?} is too deep");
        for part in parts {
            assert!(!["", ".", "..", ".git", "git~1"].contains(&part), "{path:?}");
            assert!(!part.eq_ignore_ascii_case(".git"), "{path:?}");
            assert!(!part.contains('\\') && !part.contains(char::is_control), "{path:?}");
            assert!(part.len() <= 255, "{path:?}");
        }
    }
}

/// Each file by itself is what it is among the others.
fn found_again(source: &Source, revision: &Revision, folder: &Folder) {
    for (path, file) in folder.files.iter().take(4) {
        let found = source.read_file(revision, &format!("w/{path}")).expect("a file");
        assert_eq!(found, FileAt::Found(file.content.clone()), "{path:?}");
    }
    let subtree = source.subtree(revision, "w").expect("a folder");
    assert_eq!(subtree, Subtree::Found(folder.tree.clone()));
}

pub(crate) fn seeds(_: &Path) -> Vec<Seed> {
    let blob = |text: &str| [&[0, u8::try_from(text.len()).unwrap_or(0)], text.as_bytes()].concat();
    let tree = |entries: &[[u8; 3]]| {
        let count = u8::try_from(entries.len()).unwrap_or(0);
        [vec![5, 1, count], entries.concat()].concat()
    };
    let good = [blob("x"), blob("version: 1\n"), tree(&[[0, 0, 1], [2, 1, 2]])].concat();
    let nested = [good.clone(), tree(&[[0, 4, 2], [1, 3, 3]])].concat();
    let every: Vec<_> = (0..12).map(|n| [n % 10, n, 1]).collect();
    [
        good.clone(),
        nested.clone(),
        [nested.clone(), vec![4, 40]].concat(),
        [nested.clone(), vec![2, 1, 0, 9]].concat(),
        [nested.clone(), vec![2, 2, 1, 3, 5]].concat(),
        [nested, vec![2, 1, 2, 3, 1, 2, 3]].concat(),
        [blob("x"), tree(&every[..11])].concat(),
        [vec![3, 1], tree(&[[0, 0, 1]])].concat(),
        [vec![3, 2], tree(&[[0, 0, 1]])].concat(),
        [vec![1, 10], b"100644 a\0x".to_vec()].concat(),
    ]
    .map(Seed)
    .into()
}
