//! The example repository as a git repository in a folder.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use git2::{IndexAddOption, Repository, RepositoryInitOptions, Signature};
use rust_embed::RustEmbed;

use super::stand_ins::StandIns;

/// Who commits: the repository is nobody's.
const AUTHOR: (&str, &str) = ("Signalbox demo", "demo@signalbox.invalid");
/// The addresses in the example of what the stand-ins stand in for.
const MARKET: &str = "127.0.0.1:18751";
const SLACK: &str = "127.0.0.1:18752";
const LIBRARY: &str = "127.0.0.1:18753";
const DOCKER: &str = "127.0.0.1:18754";
const TRADING: &str = "127.0.0.1:18755";

/// `examples/homeops`, in the binary.
#[derive(Debug, RustEmbed)]
#[folder = "../../examples/homeops"]
struct Example;

/// Writes the example into `folder` with the stand-ins' addresses and commits it to `main`.
/// Answers the commit's id.
///
/// # Errors
/// When the folder cannot be written.
pub(super) fn materialise(folder: &Path, stand_ins: &StandIns) -> anyhow::Result<String> {
    write(folder, addresses(stand_ins))
        .with_context(|| format!("failed to write {}", folder.display()))?;
    commit(folder).with_context(|| format!("failed to commit in {}", folder.display()))
}

/// What is written in the example, and what it is here.
fn addresses(stand_ins: &StandIns) -> [(&'static str, SocketAddr); 5] {
    [
        (MARKET, stand_ins.market),
        (SLACK, stand_ins.slack),
        (LIBRARY, stand_ins.library),
        (DOCKER, stand_ins.docker),
        (TRADING, stand_ins.market),
    ]
}

fn write(folder: &Path, addresses: [(&str, SocketAddr); 5]) -> anyhow::Result<()> {
    for name in Example::iter() {
        let file = Example::get(&name).context("a file of the example is not in the binary")?;
        let mut text = String::from_utf8(file.data.into_owned())
            .with_context(|| format!("`{name}` is not UTF-8"))?;
        // The README speaks of the addresses as they are in the example.
        if !name.ends_with(".md") {
            for (placeholder, address) in addresses {
                text = text.replace(placeholder, &address.to_string());
            }
        }
        let path = folder.join(&*name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}

fn commit(folder: &Path) -> Result<String, git2::Error> {
    let mut options = RepositoryInitOptions::new();
    options.initial_head("main").external_template(false);
    let repository = Repository::init_opts(folder, &options)?;
    let mut index = repository.index()?;
    index.add_all(["*"], IndexAddOption::DEFAULT, None)?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let author = Signature::now(AUTHOR.0, AUTHOR.1)?;
    let id =
        repository.commit(Some("HEAD"), &author, &author, "homeops: the example", &tree, &[])?;
    let_git_commit_work(&repository)?;
    Ok(id.to_string())
}

/// `git commit` asks for an identity; whoever has none can commit here nevertheless.
fn let_git_commit_work(repository: &Repository) -> Result<(), git2::Error> {
    let mut config = repository.config()?;
    if config.get_string("user.email").is_err() {
        config.set_str("user.name", AUTHOR.0)?;
        config.set_str("user.email", AUTHOR.1)?;
    }
    // Nobody is to be asked for a passphrase by a demo.
    config.set_bool("commit.gpgsign", false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_example_becomes_a_clean_repository_with_the_real_addresses() {
        let folder = tempfile::tempdir().unwrap();
        let stand_ins = StandIns::start().await.unwrap();
        let id = materialise(folder.path(), &stand_ins).unwrap();

        let repository = Repository::open(folder.path()).unwrap();
        let head = repository.head().unwrap();
        assert_eq!(head.name().unwrap(), "refs/heads/main");
        let commit = head.peel_to_commit().unwrap();
        assert_eq!(commit.id().to_string(), id);
        assert_eq!(commit.author().name().unwrap(), AUTHOR.0);
        assert!(repository.statuses(None).unwrap().is_empty());

        let manifest = fs::read_to_string(folder.path().join("signalbox.yaml")).unwrap();
        for (placeholder, address) in addresses(&stand_ins) {
            assert!(!manifest.contains(placeholder));
            assert!(manifest.contains(&address.to_string()));
        }
    }
}
