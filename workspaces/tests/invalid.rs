//! Every folder of `fixtures/invalid` is a repository with faults; its snapshot is what a person
//! reads about them.

mod support;

use std::path::Path;

#[test]
fn every_fault_of_a_bad_repository_is_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/invalid");
    let mut cases: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() > 30);
    let mut all = String::new();
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let report = support::report(&support::on_disk(&case));
        assert!(!report.is_empty(), "{name} has no faults");
        all.push_str(&report);
        insta::assert_snapshot!(name, report);
    }
    for code in signalbox_core::codes::Code::ALL {
        // That there is no root manifest is found by whoever looks for it.
        let ours = code.as_str().starts_with("SB01") && code.as_str() != "SB0120";
        assert!(!ours || all.contains(code.as_str()), "no fixture has {code}");
    }
}
