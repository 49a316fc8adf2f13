//! `signalbox backup`

use std::path::{Path, PathBuf};

use serde_json::json;
use signalbox_store::{Error, sqlite};

use crate::exit::{Exit, Failure};
use crate::progress::{Progress, mebibytes};
use crate::runner::{Data, store_failure};
use crate::terminal;

/// The file in the data directory that opens the secrets.
const KEY: &str = "key";

/// Copy what the runner remembers into one file, also while it runs
///
/// The copy is of one moment. It holds runs and their journals, deployments, state and the secrets,
/// sealed. It does not hold the file `key` of the data directory, which opens the secrets: copy
/// that one once, and keep it apart from the backups.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  signalbox backup --data /var/lib/signalbox --to /backup/signalbox-2026-03-01.db

To restore, put the file as `signalbox.db` into an empty directory, with `key` and, when there was
one, `token.sha256` beside it.

The exit code is 0 when the copy is whole and on the disk, and 4 otherwise; then nothing is left.")]
pub(crate) struct Args {
    #[command(flatten)]
    data: Data,
    /// The file to write; there must be nothing yet
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let dir = args.data.directory()?;
    let progress = watch(dir.join("signalbox.db"), args.to.clone());
    let copied = sqlite::backup(&dir, &args.to);
    drop(progress);
    copied.map_err(|error| failure(args, &error))?;
    if args.json {
        terminal::json(&json!({
            "data": dir.display().to_string(),
            "to": args.to.display().to_string(),
            "bytes": size(&args.to),
            "key": dir.join(KEY).display().to_string(),
        }))?;
        return Ok(Exit::Done);
    }
    terminal::say(&format!(
        "{} is copied to {}\nsecrets are in it, sealed; what opens them is {}",
        dir.display(),
        args.to.display(),
        dir.join(KEY).display()
    ));
    Ok(Exit::Done)
}

/// Says how much of the database is in the copy.
fn watch(database: PathBuf, to: PathBuf) -> Progress {
    Progress::show(move |_| format!("copied {}", mebibytes(size(&to), size(&database))))
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |file| file.len())
}

/// The target is no data directory, so what is wrong with it is told in other words.
fn failure(args: &Args, error: &Error) -> Failure {
    match error {
        Error::Unusable { path, reason } if *path == args.to => {
            let to = path.display();
            Failure::environment(format!("cannot write the copy to {to}: {reason}"))
                .help("name a new file, in a folder that is there")
        }
        error => store_failure(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use signalbox_store::sqlite::{Options, SqliteStore};
    use tempfile::TempDir;

    use super::*;
    use crate::moment::SystemClock;

    fn args(data: &TempDir, to: PathBuf) -> Args {
        Args { data: Data { data: Some(data.path().to_owned()) }, to, json: false }
    }

    #[test]
    fn a_copy_is_taken_while_a_runner_has_the_directory_and_never_over_a_file() {
        let (data, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let options = || Options { clock: Arc::new(SystemClock) };
        let _held = SqliteStore::open(data.path(), options()).unwrap();
        std::fs::write(data.path().join(KEY), "secret").unwrap();
        let args = args(&data, target.path().join("signalbox.db"));
        assert_eq!(run(&args).unwrap(), Exit::Done);
        let again = run(&args).unwrap_err();
        let again = again.downcast_ref::<Failure>().unwrap();
        assert_eq!(again.exit, Exit::Environment);
        assert!(again.message.starts_with("cannot write the copy"), "{again}");
        assert_eq!(std::fs::read_dir(target.path()).unwrap().count(), 1, "the key stays behind");
        SqliteStore::open(target.path(), options()).unwrap();
    }

    #[test]
    fn a_folder_without_a_database_is_told_and_leaves_no_file() {
        let data = TempDir::new().unwrap();
        let args = args(&data, data.path().join("copy"));
        let error = run(&args).unwrap_err();
        let failure = error.downcast_ref::<Failure>().unwrap();
        assert_eq!(failure.exit, Exit::Environment);
        assert!(failure.message.contains("no database"), "{failure}");
        assert!(!args.to.exists());
    }
}
