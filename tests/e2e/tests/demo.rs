//! The demo is a test of the whole road: the example, a commit, three workspaces, and the chain of
//! calls from the platform's schedule to Slack and back.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary under test: what `cargo xtask test` built, or what was last built with its profile.
fn binary() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/ci/signalbox");
    let path = std::env::var_os("SIGNALBOX_BIN").map_or(built, PathBuf::from);
    assert!(
        path.is_file(),
        "there is no binary at {}: run `cargo xtask test`, or `cargo build --profile ci`",
        path.display()
    );
    path
}

/// Runs the demo to its end in an environment without anything, `home` and a search path aside.
fn demo(home: &Path, arguments: &[&str]) -> Output {
    let temporary = home.join("tmp");
    std::fs::create_dir_all(&temporary).expect("a folder and a program of this test");
    Command::new(binary())
        .args(["demo", "--once", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("TMPDIR", &temporary)
        .env("PATH", "/usr/bin:/bin")
        .current_dir(home)
        .output()
        .expect("a folder and a program of this test")
}

/// The entries of a folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .expect("a folder and a program of this test")
        .map(|entry| entry.expect("a folder and a program of this test").path())
        .collect()
}

#[test]
fn every_link_of_the_chain_holds_and_nothing_is_left_behind() {
    let home = tempfile::tempdir().expect("a folder and a program of this test");
    let output = demo(home.path(), &[]);
    let stdout = String::from_utf8(output.stdout).expect("a folder and a program of this test");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");

    let links = [
        "live       revision",
        "fired      homeops-platform/monitoring/market-hours",
        "started    homeops-financial/atom-nightly-scan, let through by platform_starts_accepted",
        "read       bars from the market data API",
        "asked      alerts.send of homeops-platform, let through by domain_uses_export",
        "delivered  to Slack, #trading-alerts: [HIGH] trading-signal: Strong signal:",
        r#"returned   {"delivered":2,"failed":0} to the scan"#,
        r#"succeeded  homeops-financial/atom-nightly-scan with {"alerts":1,"signals":2}"#,
        "succeeded  homeops-platform/monitoring/market-hours with",
        "every link held",
    ];
    let mut rest = stdout.as_str();
    for link in links {
        let at = rest.find(link).unwrap_or_else(|| panic!("`{link}` is missing in\n{stdout}"));
        rest = &rest[at + link.len()..];
    }
    for workspace in ["homeops-financial", "homeops-media", "homeops-platform"] {
        let live = stdout
            .lines()
            .find(|line| line.contains("live       "))
            .expect("a folder and a program of this test");
        assert!(live.contains(workspace), "{live}");
    }
    assert!(!stdout.contains('\u{1b}'), "colours where nobody sees them:\n{stdout}");
    assert_eq!(entries(&home.path().join("tmp")), Vec::<PathBuf>::new());
}

#[test]
fn kept_folder_is_a_committed_repository() {
    let home = tempfile::tempdir().expect("a folder and a program of this test");
    let output = demo(home.path(), &["--keep"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");

    let kept = entries(&home.path().join("tmp"));
    let [folder] = kept.as_slice() else { panic!("one folder, not {kept:?}") };
    assert!(
        stderr.contains(folder.to_str().expect("a folder and a program of this test")),
        "{stderr}"
    );
    let status = Command::new("git")
        .args(["status", "--porcelain", "--branch"])
        .env("HOME", home.path())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .current_dir(folder.join("homeops"))
        .output()
        .expect("a folder and a program of this test");
    assert_eq!(String::from_utf8_lossy(&status.stdout).trim(), "## main");
}
