//! The broker's whole table: every combination of who calls, what is named and what is declared.

#![expect(clippy::unwrap_used, reason = "what the tests share may fail as they may")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signalbox_core::broker::{Rule, Target, decide};
use signalbox_core::catalog::{
    Callers, Catalog, Export, Flow, Kind, LiteralCall, Plan, ServiceUse,
};
use signalbox_core::codes::Code;
use signalbox_core::ids::{FlowName, WorkspaceName};
use signalbox_core::inputs::{Field, Schema, Type};
use signalbox_core::value::Value;
use signalbox_workspaces::contract::{Candidate, check};

fn flow() -> Flow {
    let text = Field { required: true, ..Field::of(Type::String) };
    Flow {
        file: "flows/f.yaml".to_owned(),
        summary: None,
        inputs: Schema { fields: BTreeMap::from([("text".to_owned(), text)]) },
        schedules: Vec::new(),
        timeout: None,
        deadline: None,
        retry: None,
        turns: signalbox_core::turn::Settings::default(),
        plan: Plan::default(),
        handlers: signalbox_core::handler::Handlers::default(),
        absence: None,
        calls: Vec::new(),
        starts: Vec::new(),
    }
}

fn name(text: &str) -> FlowName {
    text.parse().unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Declared {
    Not,
    AnyVersion,
    Version(u32),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Inputs {
    Fit,
    Wrong,
    Missing,
    Unknown,
}

/// One row: everything that the decision may depend on.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// The caller: the platform, or the domain `shop`.
    by_platform: bool,
    target: &'static str,
    /// The callee's flow is there.
    exists: bool,
    /// `may_start` or `uses` lists it; for `uses`: in which version.
    declared: Declared,
    /// `accepts` lists it, or `callers` does.
    agreed: bool,
    inputs: Inputs,
}

const TARGETS: [&str; 9] = [
    "mail.send",
    "mail.send@1",
    "mail.send@2",
    "mail.none",
    "ops/f",
    "news/f",
    "shop/f",
    "nobody/f",
    "Not A Name",
];

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for by_platform in [true, false] {
        for target in TARGETS {
            for exists in [true, false] {
                for declared in [
                    Declared::Not,
                    Declared::AnyVersion,
                    Declared::Version(1),
                    Declared::Version(2),
                ] {
                    for agreed in [true, false] {
                        for inputs in [Inputs::Fit, Inputs::Wrong, Inputs::Missing, Inputs::Unknown]
                        {
                            rows.push(Row {
                                by_platform,
                                target,
                                exists,
                                declared,
                                agreed,
                                inputs,
                            });
                        }
                    }
                }
            }
        }
    }
    rows
}

fn catalog(row: &Row) -> Catalog {
    let mut ops = support::workspace("ops", Kind::Platform);
    let mut shop = support::workspace("shop", Kind::Domain);
    let mut news = support::workspace("news", Kind::Domain);
    let caller = if row.by_platform { &mut ops } else { &mut shop };
    let inputs = match row.inputs {
        Inputs::Fit => Some(BTreeMap::from([("text".to_owned(), Some(Value::from("a")))])),
        Inputs::Wrong => Some(BTreeMap::from([("text".to_owned(), Some(Value::Int(1)))])),
        Inputs::Missing => Some(BTreeMap::new()),
        Inputs::Unknown => None,
    };
    let call = LiteralCall {
        target: row.target.to_owned(),
        inputs,
        file: "x.yaml".to_owned(),
        line: 3,
        column: 7,
        handles: None,
        tells: None,
    };
    caller.flows.insert(name("caller"), Flow { calls: vec![call], ..flow() });
    if row.exists {
        for workspace in [&mut ops, &mut shop, &mut news] {
            workspace.flows.insert(name("f"), flow());
        }
    }
    let callers = if row.agreed { "shop" } else { "news" };
    let export = Export {
        flow: name("f"),
        version: 1,
        callers: Callers::Only([callers.parse().unwrap()].into()),
        rate_limit: None,
        timeout: None,
    };
    ops.exports.insert("mail.send".parse().unwrap(), export);
    let version = match row.declared {
        Declared::Version(version) => Some(version),
        Declared::Not | Declared::AnyVersion => None,
    };
    if row.declared != Declared::Not {
        shop.uses.insert(ServiceUse { service: "mail.send".parse().unwrap(), version });
        for domain in ["shop", "news", "nobody"] {
            ops.may_start.insert(domain.parse().unwrap(), [name("f")].into());
        }
    }
    if row.agreed {
        shop.accepts.insert(name("f"));
        news.accepts.insert(name("f"));
    }
    let all = [ops, shop, news].map(|workspace| (workspace.name.clone(), Arc::new(workspace)));
    Catalog { workspaces: all.into() }
}

/// Promise 7, row by row; written from its words and not from the broker's code. `None`: allowed.
fn refusal(row: &Row) -> Option<Rule> {
    match (row.by_platform, row.target) {
        (_, "Not A Name") => Some(Rule::InvalidTarget),
        (true, "mail.send" | "mail.send@1" | "mail.send@2" | "mail.none" | "ops/f") => {
            Some(Rule::PlatformToItself)
        }
        (_, "nobody/f") => Some(Rule::UnknownWorkspace),
        (true, _) if !row.exists => Some(Rule::UnknownFlow),
        (true, _) if row.declared == Declared::Not => Some(Rule::NotInMayStart),
        (true, _) if !row.agreed => Some(Rule::NotAccepted),
        (false, "ops/f") => Some(Rule::FlowOfPlatform),
        (false, "news/f" | "shop/f") => Some(Rule::DomainToDomain),
        (false, "mail.none") => Some(Rule::UnknownService),
        (false, "mail.send@2") => Some(Rule::UnknownVersion),
        (false, _) if !matches!(row.declared, Declared::AnyVersion | Declared::Version(1)) => {
            Some(Rule::NotInUses)
        }
        (false, _) if !row.agreed => Some(Rule::CallerNotListed),
        (false, _) if !row.exists => Some(Rule::UnknownFlow),
        _ => None,
    }
}

fn caller(row: &Row) -> WorkspaceName {
    if row.by_platform { "ops" } else { "shop" }.parse().unwrap()
}

#[test]
fn the_broker_decides_every_row_as_promised() {
    let mut allowed = 0;
    let mut seen = BTreeSet::new();
    for row in rows() {
        let catalog = catalog(&row);
        let decided = match row.target.parse::<Target>() {
            Err(_) => Some(Rule::InvalidTarget),
            Ok(target) => match decide(&catalog, &caller(&row), &target) {
                Err(refusal) => Some(refusal.rule),
                Ok(permit) => {
                    assert!(permit.rule.code().is_none());
                    let across = (permit.callee.workspace == caller(&row), row.by_platform);
                    assert!(!across.0, "{row:?} stays inside of its workspace");
                    None
                }
            },
        };
        assert_eq!(decided, refusal(&row), "{row:?}");
        allowed += usize::from(decided.is_none());
        seen.extend(decided);
    }
    assert!(allowed > 0);
    assert_eq!(seen.len(), 12, "every rule that declarations can break: {seen:?}");
}

#[test]
fn the_contract_check_refuses_what_the_broker_refuses_and_inputs_that_do_not_fit() {
    for row in rows() {
        let catalog = catalog(&row);
        let unfit = matches!(row.inputs, Inputs::Wrong | Inputs::Missing);
        let expected = match refusal(&row) {
            Some(rule) => Some(rule.code().unwrap()),
            None => unfit.then_some(Code::InputsDoNotFit),
        };
        let states = catalog.workspaces.iter().map(|(name, workspace)| {
            (name.clone(), Candidate { new: Some(workspace.clone()), live: None })
        });
        let verdict = check(&states.collect(), false);
        let codes: Vec<_> = verdict.rejected.values().flatten().map(|found| found.code).collect();
        // A wanted version that is not there is refused where it is declared, call or no call.
        let declared = row.declared == Declared::Version(2);
        if let Some(code) = expected {
            assert!(codes.contains(&code), "{row:?}: {codes:?} lacks {code}");
            assert!(verdict.rejected.contains_key(&caller(&row)), "{row:?}");
        } else {
            assert!(codes.is_empty() || declared, "{row:?}: {codes:?}");
        }
        let live: Vec<_> = verdict.live.workspaces.keys().collect();
        assert!(live.iter().all(|name| !verdict.rejected.contains_key(*name)), "{row:?}");
        assert_eq!(live.len() + verdict.rejected.len(), 3, "{row:?}");
    }
}
