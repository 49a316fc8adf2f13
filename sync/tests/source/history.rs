use std::fs;

use signalbox_core::clock::Timestamp;
use signalbox_sync::{Error, Source};
use signalbox_testkit::Repo;

use crate::{folder, open, open_at, revision};

fn head(source: &Source) -> String {
    source.head().expect("a head").to_string()
}

#[test]
fn an_empty_repository_says_so_until_the_first_push() {
    let (work, bare) = (Repo::new(), Repo::bare());
    let source = open(&bare);
    let error = source.head().expect_err("no commit");
    assert!(matches!(&error, Error::Empty { branch } if branch == "main"), "{error}");
    assert!(error.is_temporary());

    let first = work.commit("one");
    work.push(&bare);
    assert_eq!(head(&source), first);
}

#[test]
fn every_push_is_seen_by_an_open_source() {
    let (work, bare) = (Repo::new(), Repo::bare());
    let source = open(&bare);
    for round in 0..5 {
        work.write("a/b", format!("{round}"));
        let commit = work.commit("next");
        work.push(&bare);
        if round == 2 {
            bare.git(&["pack-refs", "--all"]);
            bare.git(&["repack", "-adq"]);
        }
        assert_eq!(head(&source), commit);
        let files = folder(&source, &commit, "a").files;
        assert_eq!(&*files["b"].content, round.to_string().as_bytes());
    }
}

#[test]
fn a_forced_push_back_is_followed_and_the_lost_commit_reported_when_it_is_collected() {
    let (work, bare) = (Repo::new(), Repo::bare());
    let first = work.commit("one");
    work.write("a", "2");
    let second = work.commit("two");
    work.push(&bare);
    let source = open(&bare);
    assert_eq!(head(&source), second);

    work.git(&["reset", "--quiet", "--hard", &first]);
    work.push(&bare);
    bare.git(&["gc", "--quiet", "--prune=now"]);
    assert_eq!(head(&source), first);
    let error = open(&bare).commit(&revision(&second)).expect_err("collected");
    assert!(matches!(error, Error::CommitMissing { .. }), "{error}");
}

#[test]
fn a_deleted_branch_is_reported_and_found_again() {
    let repo = Repo::new();
    let commit = repo.commit("one");
    repo.git(&["branch", "live"]);
    let source = open_at(&repo, Some("live"), "").expect("a repository");
    assert_eq!(head(&source), commit);

    repo.git(&["branch", "-D", "live"]);
    let error = source.head().expect_err("deleted");
    assert!(matches!(&error, Error::BranchGone { branch } if branch == "live"), "{error}");
    repo.git(&["branch", "live"]);
    assert_eq!(head(&source), commit);
}

#[test]
fn the_branch_of_head_going_away_is_not_an_empty_repository() {
    let repo = Repo::new();
    let commit = repo.commit("one");
    repo.git(&["branch", "other"]);
    let bare = repo.clone_bare();
    bare.git(&["update-ref", "-d", "refs/heads/main"]);
    let error = open(&bare).head().expect_err("gone");
    assert!(matches!(&error, Error::BranchGone { branch } if branch == "main"), "{error}");
    assert_eq!(head(&open_at(&bare, Some("other"), "").expect("open")), commit);
}

#[test]
fn a_detached_head_is_its_commit() {
    let repo = Repo::new();
    let first = repo.commit("one");
    repo.commit("two");
    repo.git(&["checkout", "--quiet", "--detach", &first]);
    assert_eq!(head(&open(&repo)), first);
}

#[test]
fn a_tag_named_like_the_branch_is_not_the_branch() {
    let repo = Repo::new();
    repo.commit("one");
    repo.git(&["tag", "live"]);
    let second = repo.commit("two");
    repo.git(&["branch", "live"]);
    assert_eq!(head(&open_at(&repo, Some("live"), "").expect("open")), second);
}

#[test]
fn a_branch_that_names_no_commit_is_an_error() {
    let repo = Repo::new();
    let blob = repo.blob("x");
    let tag_free = repo.path().join(".git/refs/heads");
    fs::create_dir_all(&tag_free).expect("folder");
    fs::write(tag_free.join("odd"), format!("{blob}\n")).expect("ref");
    fs::write(tag_free.join("lost"), format!("{}\n", "1".repeat(40))).expect("ref");
    let head = |branch| open_at(&repo, Some(branch), "").expect("open").head().expect_err("odd");
    assert!(matches!(head("odd"), Error::NotACommit { .. }));
    assert!(matches!(head("lost"), Error::Corrupt { .. }));
}

#[test]
fn words_are_resolved_to_commits() {
    let repo = Repo::new();
    repo.write("a", "1");
    let first = repo.commit("one");
    repo.git(&["tag", "-a", "v1", "-m", "annotated"]);
    let second = repo.commit("two");
    let source = open(&repo);
    let resolve = |rev: &str| source.resolve(rev).map(|found| found.to_string());
    for rev in ["v1", "HEAD~1", "main^", &first, &first[..10]] {
        assert_eq!(resolve(rev).expect(rev), first);
    }
    assert_eq!(resolve("main").expect("main"), second);
    for rev in ["", "nothing", "HEAD~9", "a\0b", "@{", "main..v1", &"1".repeat(40)] {
        assert!(matches!(resolve(rev), Err(Error::UnknownRevision { .. })), "{rev:?}");
    }
    assert!(matches!(resolve("HEAD:a"), Err(Error::NotACommit { .. })));
}

#[test]
fn a_commit_is_shown_in_one_clean_bounded_line() {
    let repo = Repo::new();
    let tree = repo.git_with(&["mktree"], b"");
    let commit = repo.git_with(
        &["hash-object", "-t", "commit", "--literally", "-w", "--stdin"],
        format!(
            "tree {tree}\nauthor M\u{1b}[2Jallory <m@x> -5 +0000\ncommitter C <c@x> 99999999999 +0000\n\n{}\nrest\n",
            "s".repeat(5_000)
        )
        .as_bytes(),
    );
    let shown = open(&repo).commit(&revision(&commit)).expect("a commit");
    assert_eq!(shown.author, "M[2Jallory");
    assert_eq!(shown.summary, "s".repeat(200));
    assert_eq!(shown.at, Timestamp(99_999_999_999_000_000));
}

#[test]
fn an_id_that_is_no_commit_is_an_error() {
    let repo = Repo::new();
    repo.commit("one");
    let source = open(&repo);
    let blob = revision(&repo.blob("x"));
    assert!(matches!(source.commit(&blob), Err(Error::NotACommit { .. })));
    for id in ["0".repeat(40), "1".repeat(40), "1".repeat(64)] {
        let missing = source.subtree(&revision(&id), "");
        assert!(matches!(missing, Err(Error::CommitMissing { .. })), "{missing:?}");
    }
}

#[test]
fn missing_and_damaged_objects_are_errors() {
    let repo = Repo::new();
    repo.write("w/a", "content of a file that is damaged later");
    let commit = repo.commit("one");
    let blob = repo.git(&["rev-parse", "HEAD:w/a"]);
    let object = repo.path().join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    let good = fs::read(&object).expect("a loose object");
    let read = || open(&repo).folder(&revision(&commit), "w");

    fs::remove_file(&object).expect("removed");
    assert!(matches!(read(), Err(Error::Corrupt { .. })), "missing");
    fs::write(&object, b"").expect("emptied");
    assert!(matches!(read(), Err(Error::Corrupt { .. })), "empty");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        fs::write(&object, &bad).expect("damaged");
        assert!(matches!(read(), Err(Error::Corrupt { .. })), "byte {at}");
    }
    fs::write(&object, &good).expect("repaired");
    assert!(read().expect("readable").is_ok());
}

#[test]
fn a_repository_that_is_removed_and_made_anew_is_followed() {
    let repo = Repo::new();
    repo.commit("one");
    let source = open(&repo);
    head(&source);
    fs::rename(repo.path(), repo.path().with_extension("away")).expect("moved");
    assert!(matches!(source.head(), Err(Error::NotARepository { .. })));
    fs::create_dir(repo.path()).expect("folder");
    repo.git(&["init", "--quiet", "-b", "main", "."]);
    let commit = repo.commit("another");
    assert_eq!(head(&source), commit);
}
