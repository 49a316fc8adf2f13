//! A disk of a few MiB, seen by one test and what it starts.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount};

/// What a disk is filled with at once.
const BLOCK: usize = 4 << 10;

/// A file system in memory with a bound, mounted on a folder.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one of so many bytes on a folder, which is made. Only in a test
    /// that has [mounts of its own](signalbox_testkit::with_own_mounts).
    #[track_caller]
    pub fn on(folder: &Path, bytes: u64) -> Self {
        fs::create_dir(folder).expect("a folder to mount on");
        let size = std::ffi::CString::new(format!("size={bytes},mode=0700")).expect("no zero");
        mount("tmpfs", folder, "tmpfs", MountFlags::empty(), Some(size.as_c_str()))
            .expect("a file system in memory can be mounted");
        Self { folder: folder.to_owned() }
    }

    /// Fills it to the last block, whatever else writes meanwhile.
    #[track_caller]
    pub fn fill(&self) {
        let mut ballast = File::options()
            .create(true)
            .append(true)
            .open(self.ballast())
            .expect("a file can be made");
        let full = loop {
            if let Err(error) = ballast.write_all(&[0; BLOCK]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
    }

    /// Gives the space back.
    #[track_caller]
    pub fn free(&self) {
        fs::remove_file(self.ballast()).expect("the ballast is there");
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}
