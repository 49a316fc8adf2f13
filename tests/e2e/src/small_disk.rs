//! A disk of a few MiB, seen by one test and what it starts.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::mount::{MountFlags, mount};

/// Says to a test that it has namespaces of its own.
const INSIDE: &str = "SIGNALBOX_INSIDE";
/// What a disk is filled with at once.
const BLOCK: usize = 4 << 10;

/// Whether this process has namespaces of its own. When not, it runs the test with this name again
/// in a child that has: a mount made there is seen by nobody else and goes away with it. The test
/// fails where the kernel gives no namespaces, or that child does.
#[track_caller]
pub fn apart(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    command.arg(std::env::current_exe().expect("the test has a file"));
    command.args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    let status = command.status().expect("`unshare` of util-linux starts");
    assert!(status.success(), "in namespaces of its own (which the test needs): {status}");
    false
}

/// A file system in memory with a bound, mounted on a folder.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one of so many bytes on a folder, which is made. Only where [`apart`] said so.
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
