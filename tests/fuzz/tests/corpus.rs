//! Every seed and every input that is kept, given to its target without libFuzzer.

#![expect(clippy::unwrap_used, reason = "what the tests share may fail as they may")]

use std::path::Path;

use signalbox_fuzz::{TARGETS, Target};

const HERE: &str = env!("CARGO_MANIFEST_DIR");
/// Most inputs of a target, and most bytes of them all: each costs every clone of the repository.
const MOST: (usize, usize) = (300, 1 << 20);

/// The kept inputs of a target, by name.
fn kept(target: Target) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(HERE).join("corpus").join(target.name);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn kept_inputs_break_no_promise() {
    signalbox_fuzz::watch_panics();
    let mut broken = Vec::new();
    for target in TARGETS {
        for (name, bytes) in kept(target) {
            if let Err(said) = target.try_run(&bytes) {
                broken.push(format!("corpus/{}/{name}: {said}", target.name));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn seeds_break_no_promise() {
    signalbox_fuzz::watch_panics();
    let repository = Path::new(HERE).join("../..");
    for target in TARGETS {
        let seeds = target.seeds(&repository);
        assert!(!seeds.is_empty(), "{} begins with nothing", target.name);
        for seed in seeds {
            let shown = String::from_utf8_lossy(&seed.0).into_owned();
            assert_eq!(target.try_run(&seed.0), Ok(()), "{}: {shown}", target.name);
        }
    }
}

#[test]
fn what_is_kept_is_small() {
    for target in TARGETS {
        let kept = kept(target);
        let bytes: usize = kept.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(!kept.is_empty(), "{} keeps nothing", target.name);
        let (files, most) = MOST;
        assert!(kept.len() <= files && bytes <= most, "{} keeps too much", target.name);
    }
}
