//! `signalbox token`

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use signalbox_server::TokenDigest;

use crate::exit::{Exit, Failure};
use crate::runner::{Data, TOKEN_FILE};
use crate::terminal;

/// Manage the token that clients must show
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a new token; it is printed once, and only its digest is kept
    #[command(after_help = "Example:
  signalbox token new --data /var/lib/signalbox > token
  SIGNALBOX_TOKEN=$(cat token) signalbox status

An earlier token is no longer taken. A runner reads the digest when it starts.")]
    New(New),
}

#[derive(Debug, clap::Args)]
struct New {
    #[command(flatten)]
    data: Data,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let Command::New(args) = &args.command;
    let dir = args.data.directory()?;
    let token = generate()?;
    keep(&dir, TokenDigest::of(&token)).map_err(|error| {
        Failure::environment(format!("cannot write the digest into {}: {error}", dir.display()))
    })?;
    if args.json {
        let digest = dir.join(TOKEN_FILE).display().to_string();
        terminal::json(&serde_json::json!({ "token": token, "digest_file": digest }))?;
        return Ok(Exit::Done);
    }
    terminal::data(&token)?;
    terminal::say(&format!(
        "this token is not shown again; its digest is in {}\n\
         a runner that is running takes it when it is started again",
        dir.join(TOKEN_FILE).display()
    ));
    Ok(Exit::Done)
}

/// A token: 256 random bits. The prefix lets scanners find one that leaked.
fn generate() -> Result<String, Failure> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).map_err(|error| {
        Failure::environment(format!("this machine has no randomness: {error}"))
    })?;
    let mut token = String::from("signalbox_");
    for byte in bits {
        // Writing to a String cannot fail.
        write!(token, "{byte:02x}").unwrap_or_default();
    }
    Ok(token)
}

/// Writes the digest for nobody but the runner's user, whole or not at all.
fn keep(dir: &Path, digest: TokenDigest) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let temporary: PathBuf = dir.join(format!("{TOKEN_FILE}.{}", std::process::id()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    let written = writeln!(file, "{digest}")
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, dir.join(TOKEN_FILE)));
    written.inspect_err(|_| fs::remove_file(&temporary).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::runner::read_token_digest;

    #[test]
    fn tokens_have_256_bits_and_differ() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_eq!(one.len(), "signalbox_".len() + 64);
        assert_ne!(one, other);
    }

    #[test]
    fn only_the_digest_is_kept_and_only_for_the_owner() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("new");
        keep(&data, TokenDigest::of("first")).unwrap();
        keep(&data, TokenDigest::of("second")).unwrap();
        assert_eq!(read_token_digest(&data).unwrap(), Some(TokenDigest::of("second")));
        let mode = fs::metadata(data.join(TOKEN_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
    }

    #[test]
    fn a_digest_that_cannot_be_read_is_never_taken_for_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_token_digest(dir.path()).unwrap(), None);
        fs::write(dir.path().join(TOKEN_FILE), "nonsense").unwrap();
        assert!(read_token_digest(dir.path()).is_err());
    }
}
