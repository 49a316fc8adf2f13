//! The machine: data directory, disk, database, repository, limits, clock.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use rustix::process::{Resource, getrlimit};
use signalbox_core::clock::{Clock as _, Timestamp};
use signalbox_sync::{Location, Source};

use super::check::Check;
use crate::exit::chain;
use crate::fields::short;
use crate::moment::{self, SystemClock};

/// Below it accepted runs may soon find no room.
const LITTLE_DISK: u64 = 1 << 30;
/// Below it the first push may find no room.
const NO_DISK: u64 = 64 << 20;
/// The runner needs one for each cell, connection and reader.
const FEW_FILES: u64 = 1_024;
/// 2026-01-01: no clock that is right shows less.
const EARLIEST: Timestamp = Timestamp(1_767_225_600_000_000);
/// The first SQLite without a bug that could damage a database with a write-ahead log.
const GOOD_SQLITE: i32 = 3_051_003;

/// Whether the data directory can be written and locked.
pub(super) fn data(dir: &Path) -> Check {
    const NAME: &str = "data directory";
    let shown = dir.display();
    let elsewhere = "name another directory with `--data`";
    if let Err(error) = fs::create_dir_all(dir) {
        return Check::fail(NAME, format!("{shown} cannot be made: {error}")).help(elsewhere);
    }
    match probe(dir) {
        Ok(true) => Check::ok(NAME, format!("{shown} can be written and locked")),
        Ok(false) => {
            Check::fail(NAME, format!("{shown} is on a file system whose locks do not hold"))
                .help(elsewhere)
        }
        Err(error) => Check::fail(NAME, format!("{shown} cannot be used: {error}")).help(elsewhere),
    }
}

/// Writes a file and locks it. Answers whether a second lock is refused, as it must be.
fn probe(dir: &Path) -> io::Result<bool> {
    let path = dir.join(format!(".doctor-{}", std::process::id()));
    let probed = (|| {
        let held = File::create(&path)?;
        io::Write::write_all(&mut &held, b"probe")?;
        held.sync_all()?;
        held.try_lock().map_err(io::Error::from)?;
        Ok(matches!(File::open(&path)?.try_lock(), Err(TryLockError::WouldBlock)))
    })();
    match fs::remove_file(&path) {
        Err(error) if probed.is_ok() => Err(error),
        _ => probed,
    }
}

/// Whether there is room.
pub(super) fn disk(dir: &Path) -> Check {
    const NAME: &str = "disk";
    let room = match rustix::fs::statvfs(dir) {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
        Err(error) => return Check::warn(NAME, format!("free space is not known: {error}")),
    };
    let found = format!("{} MiB free at {}", room >> 20, dir.display());
    match room {
        NO_DISK.. if room >= LITTLE_DISK => Check::ok(NAME, found),
        NO_DISK.. => Check::warn(NAME, found).help("make room: a full disk refuses new runs"),
        _ => Check::fail(NAME, found).help("make room, or name another directory with `--data`"),
    }
}

/// Whether the database's library is one that is safe.
pub(super) fn database() -> Check {
    const NAME: &str = "SQLite";
    let version = rusqlite::version();
    if rusqlite::version_number() >= GOOD_SQLITE {
        Check::ok(NAME, version)
    } else {
        Check::fail(NAME, format!("{version} can damage its database; 3.51.3 cannot"))
    }
}

/// Whether a repository can be read.
pub(super) fn repository(repo: &str) -> Check {
    const NAME: &str = "repository";
    let opened = Location::parse(repo).and_then(|location| Source::open(&location, None, ""));
    match opened.and_then(|source| source.head()) {
        Ok(head) => Check::ok(NAME, format!("{repo} can be read, at {}", short(head.as_str()))),
        Err(error) => Check::fail(NAME, format!("failed to {}", chain(&error))),
    }
}

/// Whether enough files may be open.
pub(super) fn open_files() -> Check {
    const NAME: &str = "open files";
    match getrlimit(Resource::Nofile).current {
        Some(few) if few < FEW_FILES => {
            Check::warn(NAME, format!("at most {few}")).help("raise it: `ulimit -n 4096`")
        }
        Some(enough) => Check::ok(NAME, format!("at most {enough}")),
        None => Check::ok(NAME, "no limit"),
    }
}

/// Whether the clock can be right.
pub(super) fn clock() -> Check {
    let now = SystemClock.now();
    let found = moment::absolute(now);
    if now >= EARLIEST {
        Check::ok("clock", found)
    } else {
        Check::fail("clock", format!("{found} is in the past")).help("set it: schedules follow it")
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Verdict;
    use super::*;

    #[test]
    fn a_usable_directory_is_told_from_one_that_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let fresh = dir.path().join("a/b");
        assert_eq!(data(&fresh).verdict, Verdict::Ok);
        assert_eq!(fs::read_dir(&fresh).unwrap().count(), 0, "nothing is left behind");
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(data(&file).verdict, Verdict::Fail);
    }

    #[test]
    fn a_folder_without_a_repository_is_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(repository(&dir.path().display().to_string()).verdict, Verdict::Fail);
        assert_eq!(repository("https://example.com/a.git").verdict, Verdict::Fail);
    }

    #[test]
    fn the_machine_of_the_tests_is_well() {
        assert_eq!(database().verdict, Verdict::Ok);
        assert_eq!(clock().verdict, Verdict::Ok);
    }
}
