//! Nothing that a repository can hold makes the reader panic, hang or report without a place.

#![expect(clippy::unwrap_used, reason = "what the tests share may fail as they may")]

mod support;

use proptest::prelude::*;
use signalbox_workspaces::{ROOT_FILE, WORKSPACE_FILE, parse_root};
use support::{Files, report};

const ROOT: &str = "version: 1
workspaces:
  ops: { kind: platform, path: ops, tags: [a], grants: { network: ['a:1'], limits: { memory: 64MiB } } }
  shop: { kind: domain, path: shop }
";
const OPS: &str = "title: x
env: { A: 1 }
secrets: [KEY]
connectors:
  api: { type: http, base_url: 'https://a/${env.A}', headers: { X: '${secrets.KEY}' } }
exports:
  a.b: { flow: a, version: 1, callers: [domains], rate_limit: 60/m, timeout: 30s }
may_start: { shop: [x] }
";
const FLOW: &str = "summary: \"one\"
inputs:
  a: { type: string, enum: [x, y], default: x, max_length: 3 }
  b: number
output: { x: '${steps.one}' }
schedules: [{ cron: '0 7 * * *', timezone: UTC }]
steps:
  - { id: one, when: 'inputs.a == \"x\"', run: 'inputs.a' }
  - id: two
    run: |
      let x = 1;
      x
  - { id: three, call: { workspace: shop, flow: x, inputs: { a: '${inputs.a}' } } }
";

fn repository(root: &[u8], ops: &[u8], flow: &[u8]) -> Files {
    Files::from([
        (ROOT_FILE.to_owned(), root.to_vec()),
        (format!("ops/{WORKSPACE_FILE}"), ops.to_vec()),
        ("ops/flows/a.yaml".to_owned(), flow.to_vec()),
        ("ops/flows/b.rhai".to_owned(), flow.to_vec()),
        ("shop/flows/x.yaml".to_owned(), b"run: inputs\n".to_vec()),
    ])
}

/// A text with some of its bytes replaced, taken out, doubled or put in from elsewhere.
fn mutated(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        "[-:?#&*!|>'\"%@`{}\\[\\], \n\t~]{1,4}",
        Just("&a ".to_owned()),
        Just("*a".to_owned()),
        Just("<<: ".to_owned()),
        Just("---\n".to_owned()),
        Just("!!str ".to_owned()),
        Just("${".to_owned()),
        Just("? ".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("999999999999999999999".to_owned()),
        Just(".nan".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    let edit = (any::<prop::sample::Index>(), 0_usize..12, pieces);
    prop::collection::vec(edit, 0..6).prop_map(move |edits| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, length, piece) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, piece.into_bytes());
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files_are_told_about_and_nothing_else_happens(
        (root, ops, flow) in (mutated(ROOT), mutated(OPS), mutated(FLOW)),
    ) {
        report(&repository(&root, ops.as_slice(), &flow));
        report(&repository(ROOT.as_bytes(), &ops, &flow));
    }

    #[test]
    fn arbitrary_bytes_are_no_manifest(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for diagnostic in parse_root(&bytes, ROOT_FILE).err().into_iter().flatten() {
            prop_assert!(!diagnostic.message.is_empty());
        }
        report(&repository(ROOT.as_bytes(), &bytes, &bytes));
    }

    #[test]
    fn arbitrary_yaml_characters_are_read_or_refused(
        text in "([-:?#&*!|>'\"%@`{}\\[\\], \n\t~a1]|: |- |\\? |\n  ){0,120}",
    ) {
        report(&repository(text.as_bytes(), OPS.as_bytes(), FLOW.as_bytes()));
        report(&repository(ROOT.as_bytes(), text.as_bytes(), text.as_bytes()));
    }
}

/// On a stack as small as any thread's, and quickly.
fn flow_is_refused(flow: String) -> String {
    let read = move || report(&repository(ROOT.as_bytes(), b"", flow.as_bytes()));
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(read).unwrap();
    thread.join().unwrap()
}

#[test]
fn deep_nesting_of_every_kind_is_refused() {
    let texts = [
        "[".repeat(100_000),
        "{a: ".repeat(50_000),
        "- ".repeat(300_000),
        "? ".repeat(300_000),
        ": ".repeat(300_000),
        "-\t".repeat(300_000),
        (0..1_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<Vec<_>>().concat(),
        (0..1_000).map(|depth| format!("{}-\n", " ".repeat(depth))).collect::<Vec<_>>().concat(),
        format!("{}{}", "- ".repeat(64), "[".repeat(250)),
        format!("a:\n{}", "- ".repeat(60) + &"{a: ".repeat(200)),
    ];
    for text in texts {
        let start: String = text.chars().take(20).collect();
        assert!(flow_is_refused(text).contains("SB0101"), "{start:?}");
    }
}

#[test]
fn aliases_and_anchors_cannot_multiply_a_file() {
    let bomb: String = (1..10)
        .map(|level| format!("a{level}: &a{level} [{}]\n", format!("*a{},", level - 1).repeat(9)))
        .collect::<Vec<_>>()
        .concat();
    assert!(flow_is_refused(format!("a0: &a0 [x]\n{bomb}")).contains("SB0101"));
    let nested = "&a [".repeat(60) + &"1,".repeat(200_000) + &"]".repeat(60);
    assert!(flow_is_refused(nested).contains("too many anchors"));
    let merge = "base: &b { a: 1 }\nrun: inputs\ninputs: { <<: *b }\n".to_owned();
    assert!(flow_is_refused(merge).contains("an alias"));
}

#[test]
fn oversized_files_are_refused_unread() {
    let large = format!("# {}\nrun: inputs\n", "x".repeat(1 << 20));
    assert!(flow_is_refused(large).contains("SB0403"));
}

#[test]
fn many_faults_stay_bounded() {
    let twice = (0..20_000).map(|n| format!("k{}: 1\n", n / 2)).collect::<Vec<_>>().concat();
    let told = flow_is_refused(twice);
    assert!(told.contains("SB0101") || told.contains("SB0105"));
}

/// To YAML it ends a line; to editors, and to whoever shows the line of a fault, it does not.
#[test]
fn a_carriage_return_without_a_line_feed_is_refused_where_it_stands() {
    let told = flow_is_refused("summary: x\r\nrun: inputs\rscedule: 1\n".to_owned());
    assert!(told.contains("flows/a.yaml:2\n"), "{told}");
    assert!(told.contains("a carriage return without a line feed"), "{told}");
    let windows = "summary: x\r\nrun: inputs\r\n".to_owned();
    assert!(!flow_is_refused(windows).contains("carriage"));
}

#[test]
fn what_is_missing_at_the_end_is_missed_behind_the_last_character() {
    let told = flow_is_refused("summary: x\nals:' ".to_owned());
    assert!(told.contains("flows/a.yaml:2:7\n"), "{told}");
}

#[test]
fn lines_are_counted_alike_however_they_end() {
    let deep = |end: &str| {
        let line = |depth| format!("{}a:{end}{end}", " ".repeat(depth));
        flow_is_refused((0..100).map(line).collect())
    };
    assert!(deep("\n").contains("flows/a.yaml:129\n"), "{}", deep("\n"));
    assert_eq!(deep("\r\n"), deep("\n"));
}
