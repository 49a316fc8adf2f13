//! Which side of a broken contract goes back.

#![expect(clippy::unwrap_used, reason = "what the tests share may fail as they may")]

mod support;

use signalbox_core::codes::Code;
use signalbox_core::ids::WorkspaceName;
use signalbox_workspaces::contract::{self, Verdict};
use signalbox_workspaces::plan;
use support::{Files, files, good, push};

const ROOT: &str = "
version: 1
workspaces:
  ops: { kind: platform, path: ops }
  shop: { kind: domain, path: shop }
  news: { kind: domain, path: news }
";
const ALERT: &str = "inputs: { text: { type: string, required: true } }\nrun: inputs.text\n";
const SEND: &str = "exports: { alerts.send: { flow: alert, callers: [domains] } }\n";
const CALL: &str = "call: { service: alerts.send, inputs: { text: hello } }\n";
const NOTHING: &str = "run: inputs\n";

/// A platform that exports `alerts.send`, a domain that calls it and one that does not.
fn start() -> Files {
    files(&[
        ("signalbox.yaml", ROOT),
        ("ops/workspace.yaml", SEND),
        ("ops/flows/alert.yaml", ALERT),
        ("shop/workspace.yaml", "uses: [alerts.send@1]\n"),
        ("shop/flows/scan.yaml", CALL),
        ("news/flows/read.yaml", NOTHING),
    ])
}

fn with(files: &Files, changes: &[(&str, &str)]) -> Files {
    let mut files = files.clone();
    for (path, text) in changes {
        files.insert((*path).to_owned(), text.as_bytes().to_vec());
    }
    files
}

fn rejected(verdict: &Verdict) -> Vec<(&str, Vec<Code>)> {
    let codes = |list: &Vec<signalbox_core::diagnostic::Diagnostic>| {
        list.iter().map(|found| found.code).collect()
    };
    verdict.rejected.iter().map(|(name, list)| (name.as_str(), codes(list))).collect()
}

fn name(text: &str) -> WorkspaceName {
    text.parse().unwrap()
}

/// Whether the verdict leaves each named workspace in its live state and no other.
fn keeps(verdict: &Verdict, live: &Files, new: &Files, kept: &[&str]) {
    let (live, new) = (good(live), good(new));
    for (workspace, state) in &verdict.live.workspaces {
        let expected = if kept.contains(&workspace.as_str()) { &live } else { &new };
        assert_eq!(Some(state), expected.get(workspace), "{workspace}");
    }
}

#[test]
fn a_consistent_repository_goes_live_whole() {
    let verdict = push(None, &start(), false);
    assert_eq!(rejected(&verdict), []);
    assert_eq!(verdict.live.workspaces.len(), 3);
    assert!(verdict.warnings.is_empty(), "{:?}", verdict.warnings);
}

#[test]
fn platform_that_removes_an_export_in_use_goes_back_and_the_domain_stays() {
    let new = with(&start(), &[("ops/workspace.yaml", "")]);
    let verdict = push(Some(&start()), &new, false);
    let found = rejected(&verdict);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "ops");
    assert!(found[0].1.iter().all(|code| *code == Code::BreaksCallers), "{found:?}");
    keeps(&verdict, &start(), &new, &["ops"]);
}

#[test]
fn export_and_its_callers_can_go_together() {
    let new = with(
        &start(),
        &[
            ("ops/workspace.yaml", ""),
            ("shop/workspace.yaml", ""),
            ("shop/flows/scan.yaml", NOTHING),
        ],
    );
    assert_eq!(rejected(&push(Some(&start()), &new, false)), []);
}

#[test]
fn domain_that_calls_what_this_push_removes_goes_back_alone() {
    let before = with(&start(), &[("shop/workspace.yaml", ""), ("shop/flows/scan.yaml", NOTHING)]);
    let new = with(&start(), &[("ops/workspace.yaml", "")]);
    let verdict = push(Some(&before), &new, false);
    assert_eq!(
        rejected(&verdict),
        [("shop", vec![Code::UnknownService, Code::UnknownService])],
        "the use and the call; the platform took away what nobody live used"
    );
}

#[test]
fn incompatible_inputs_are_refused_while_a_domain_uses_them() {
    let narrower =
        "inputs: { text: { type: string, required: true }, to: { required: true } }\nrun: inputs\n";
    let new = with(&start(), &[("ops/flows/alert.yaml", narrower)]);
    let verdict = push(Some(&start()), &new, false);
    assert_eq!(rejected(&verdict)[0].0, "ops");
    let told = &verdict.rejected[&name("ops")];
    assert!(told.iter().any(|found| found.message.contains("`shop` use it")), "{told:?}");

    // The caller changes with it.
    let call = "call: { service: alerts.send, inputs: { text: hello, to: me } }\n";
    let both = with(&new, &[("shop/flows/scan.yaml", call)]);
    assert_eq!(rejected(&push(Some(&start()), &both, false)), []);

    // Nobody uses it.
    let unused = [("shop/workspace.yaml", ""), ("shop/flows/scan.yaml", NOTHING)];
    let verdict = push(Some(&with(&start(), &unused)), &with(&new, &unused), false);
    assert_eq!(rejected(&verdict), []);
}

#[test]
fn a_wider_export_goes_live() {
    let wider = "inputs: { text: { type: string }, to: string }\nrun: inputs\n";
    let new = with(&start(), &[("ops/flows/alert.yaml", wider)]);
    assert_eq!(rejected(&push(Some(&start()), &new, false)), []);
}

#[test]
fn a_new_version_may_break_those_who_ask_for_any_but_not_those_who_name_the_old_one() {
    let narrower =
        "inputs: { text: { type: string, required: true, max_length: 100 } }\nrun: inputs\n";
    let second = "exports: { alerts.send: { flow: alert, version: 2, callers: [domains] } }\n";
    let change = [("ops/flows/alert.yaml", narrower), ("ops/workspace.yaml", second)];
    let any = with(&start(), &[("shop/workspace.yaml", "uses: [alerts.send]\n")]);
    assert_eq!(rejected(&push(Some(&any), &with(&any, &change), false)), []);
    let verdict = push(Some(&start()), &with(&start(), &change), false);
    assert_eq!(rejected(&verdict)[0].0, "ops");
    assert_eq!(rejected(&verdict).len(), 1);
}

#[test]
fn whoever_relies_on_a_rejected_change_goes_back_too() {
    // The platform drops `alerts.send`, which `shop` uses, and adds `alerts.page`, which `news`
    // starts to use in the same push; `shop` changes something else.
    let page = "exports: { alerts.page: { flow: alert, callers: [domains] } }\n";
    let new = with(
        &start(),
        &[
            ("ops/workspace.yaml", page),
            ("news/workspace.yaml", "uses: [alerts.page]\n"),
            ("news/flows/read.yaml", "call: { service: alerts.page, inputs: { text: a } }\n"),
        ],
    );
    let verdict = push(Some(&start()), &new, false);
    let names: Vec<_> = rejected(&verdict).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["news", "ops"]);
    keeps(&verdict, &start(), &new, &["news", "ops"]);
    let help = verdict.rejected[&name("news")][0].help.clone().unwrap();
    assert!(help.contains("`ops` was rejected"), "{help}");
}

#[test]
fn a_domain_with_a_bad_call_does_not_hold_the_others() {
    let new = with(
        &start(),
        &[
            ("news/flows/read.yaml", "call: { workspace: shop, flow: scan }\n"),
            ("shop/flows/more.yaml", NOTHING),
        ],
    );
    let verdict = push(Some(&start()), &new, false);
    assert_eq!(rejected(&verdict), [("news", vec![Code::WrongDirection])]);
    keeps(&verdict, &start(), &new, &["news"]);
}

#[test]
fn atomic_holds_every_change_back() {
    let new = with(
        &start(),
        &[
            ("news/flows/read.yaml", "call: { workspace: shop, flow: scan }\n"),
            ("shop/flows/more.yaml", NOTHING),
        ],
    );
    let verdict = push(Some(&start()), &new, true);
    assert_eq!(
        rejected(&verdict),
        [("news", vec![Code::WrongDirection]), ("shop", vec![Code::AtomicHeld])]
    );
    keeps(&verdict, &start(), &new, &["news", "ops", "shop"]);
}

#[test]
fn a_flow_that_the_platform_starts_cannot_be_taken_away_under_it() {
    let live = with(
        &start(),
        &[
            ("ops/workspace.yaml", "may_start: { news: [read] }\n"),
            ("ops/flows/alert.yaml", "call: { workspace: news, flow: read }\n"),
            ("shop/workspace.yaml", ""),
            ("shop/flows/scan.yaml", NOTHING),
            ("news/workspace.yaml", "accepts: [read]\n"),
        ],
    );
    assert_eq!(rejected(&push(None, &live, false)), []);
    let closed = with(&live, &[("news/workspace.yaml", "")]);
    assert_eq!(rejected(&push(Some(&live), &closed, false)), [("news", vec![Code::BreaksCallers])]);

    // Nor can the whole workspace.
    let mut gone = live.clone();
    gone.retain(|path, _| !path.starts_with("news/"));
    let root = ROOT.replace("  news: { kind: domain, path: news }\n", "");
    let gone = with(&gone, &[("signalbox.yaml", &root)]);
    let verdict = push(Some(&live), &gone, false);
    assert_eq!(rejected(&verdict), [("news", vec![Code::BreaksCallers])]);
    assert!(verdict.live.workspaces.contains_key(&name("news")));
}

#[test]
fn the_side_that_closes_a_circle_goes_back() {
    let live = with(
        &start(),
        &[
            ("ops/workspace.yaml", &format!("{SEND}may_start: {{ shop: [scan] }}\n")),
            ("shop/workspace.yaml", "uses: [alerts.send]\naccepts: [scan]\n"),
        ],
    );
    assert_eq!(rejected(&push(None, &live, false)), []);
    let closing =
        with(&live, &[("ops/flows/alert.yaml", "call: { workspace: shop, flow: scan }\n")]);
    let verdict = push(Some(&live), &closing, false);
    assert_eq!(rejected(&verdict), [("ops", vec![Code::CallCycle])]);
}

#[test]
fn a_second_platform_waits_for_the_first_to_go() {
    let root = ROOT.replace("  ops:", "  base:");
    let renamed = with(&start(), &[("signalbox.yaml", &root)]);
    let verdict = push(Some(&start()), &renamed, false);
    assert_eq!(rejected(&verdict), []);
    let platforms = verdict.live.workspaces.values();
    let platforms: Vec<_> =
        platforms.filter(|ws| ws.kind.as_str() == "platform").map(|ws| ws.name.as_str()).collect();
    assert_eq!(platforms, ["base"]);
}

#[test]
fn a_digest_follows_what_others_declare_and_nothing_else() {
    let catalog = |files: &Files| push(None, files, false).live;
    let shop = name("shop");
    let before = contract::Contracts::of(&catalog(&start())).around(&shop);
    let same = [
        with(&start(), &[("shop/flows/scan.yaml", NOTHING), ("shop/workspace.yaml", "")]),
        with(&start(), &[("ops/flows/alert.yaml", &format!("# a comment\n{ALERT}"))]),
    ];
    for files in same {
        assert_eq!(contract::Contracts::of(&catalog(&files)).around(&shop), before);
    }
    let other = [
        with(&start(), &[("ops/workspace.yaml", &SEND.replace("[domains]", "[shop]"))]),
        with(&start(), &[("ops/flows/alert.yaml", NOTHING)]),
        with(&start(), &[("news/workspace.yaml", "uses: [alerts.send]\n")]),
    ];
    let mut kept = contract::Contracts::of(&catalog(&start()));
    for files in other {
        let fresh = contract::Contracts::of(&catalog(&files)).around(&shop);
        assert_ne!(fresh, before);
        kept.update(&catalog(&files));
        assert_eq!(kept.around(&shop), fresh, "what is kept from before is not what there is");
    }
}

#[test]
fn a_plan_follows_sources_through_imports() {
    let live = with(
        &start(),
        &[
            ("news/flows/read.yaml", "script: scripts/read.rhai\n"),
            ("news/flows/old.yaml", NOTHING),
            ("news/flows/same.yaml", NOTHING),
            (
                "news/scripts/read.rhai",
                "import \"libraries/deep\" as deep;\nfn main(inputs) { 1 }\n",
            ),
            ("news/libraries/deep.rhai", "fn one() { 1 }\n"),
        ],
    );
    let mut new = with(
        &live,
        &[("news/libraries/deep.rhai", "fn one() { 2 }\n"), ("news/flows/new.rhai", "inputs")],
    );
    new.remove("news/flows/old.yaml");
    let (live, new) = (good(&live), good(&new));
    let news = name("news");
    let changes = plan::changes(Some(&live[&news]), Some(&new[&news]));
    let names = |list: &[signalbox_core::ids::FlowName]| {
        list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&changes.added), "new");
    assert_eq!(names(&changes.changed), "read");
    assert_eq!(names(&changes.removed), "old");
}
