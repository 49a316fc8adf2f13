//! Promise 7 over random topologies, against a model that knows nothing of the code: three
//! workspaces of numbers, and the sentence itself.

#![expect(clippy::unwrap_used, reason = "what the tests share may fail as they may")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use signalbox_core::broker::{Target, decide};
use signalbox_core::catalog::{
    Callers, Catalog, Export, Flow, Kind, LiteralCall, Plan, ServiceUse, Workspace,
};
use signalbox_core::ids::{FlowName, FlowRef, ServiceName, WorkspaceName};
use signalbox_core::inputs::Schema;
use signalbox_workspaces::contract::{Candidate, Verdict, check};

const DOMAINS: usize = 3;
const FLOWS: usize = 3;
const SERVICES: usize = 2;

/// A repository in numbers. Workspace 0 is the platform, the others are domains.
#[derive(Debug, Clone)]
struct Model {
    /// Which workspaces there are.
    present: [bool; DOMAINS + 1],
    /// Which flows a workspace has.
    flows: [[bool; FLOWS]; DOMAINS + 1],
    /// The flow behind each service, and which domains may call it.
    exports: [Option<(usize, [bool; DOMAINS])>; SERVICES],
    uses: [[bool; SERVICES]; DOMAINS],
    may_start: [[bool; FLOWS]; DOMAINS],
    accepts: [[bool; FLOWS]; DOMAINS],
    /// Calls: from a workspace's flow to what.
    calls: Vec<(usize, usize, Call)>,
}

#[derive(Debug, Clone, Copy)]
enum Call {
    Service(usize),
    Flow(usize, usize),
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        (0..SERVICES).prop_map(Call::Service),
        (0..=DOMAINS, 0..FLOWS).prop_map(|(workspace, flow)| Call::Flow(workspace, flow)),
    ]
}

fn often() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.8)
}

/// A call in a direction that can be allowed.
fn legal_call() -> impl Strategy<Value = (usize, usize, Call)> {
    prop_oneof![
        (0..FLOWS, 1..=DOMAINS, 0..FLOWS).prop_map(|(from, to, flow)| (
            0,
            from,
            Call::Flow(to, flow)
        )),
        (1..=DOMAINS, 0..FLOWS, 0..SERVICES).prop_map(|(by, from, s)| (by, from, Call::Service(s))),
    ]
}

prop_compose! {
    /// Everything is declared and accepted: only a circle can be wrong.
    fn open()(
        behind in prop::array::uniform2(0..FLOWS),
        calls in prop::collection::vec(legal_call(), 1..7),
    ) -> Model {
        Model {
            present: [true; DOMAINS + 1],
            flows: [[true; FLOWS]; DOMAINS + 1],
            exports: behind.map(|flow| Some((flow, [true; DOMAINS]))),
            uses: [[true; SERVICES]; DOMAINS],
            may_start: [[true; FLOWS]; DOMAINS],
            accepts: [[true; FLOWS]; DOMAINS],
            calls,
        }
    }
}

fn model() -> impl Strategy<Value = Model> {
    prop_oneof![any_model(), open()]
}

prop_compose! {
    fn any_model()(
        present in prop::array::uniform4(prop::bool::weighted(0.9)),
        flows in prop::array::uniform4(prop::array::uniform3(often())),
        exports in prop::array::uniform2(
            prop::option::weighted(0.9, (0..FLOWS, prop::array::uniform3(often())))
        ),
        uses in prop::array::uniform3(prop::array::uniform2(often())),
        may_start in prop::array::uniform3(prop::array::uniform3(often())),
        accepts in prop::array::uniform3(prop::array::uniform3(often())),
        calls in prop::collection::vec((0..=DOMAINS, 0..FLOWS, call()), 0..5),
    ) -> Model {
        Model { present, flows, exports, uses, may_start, accepts, calls }
    }
}

impl Model {
    fn has(&self, workspace: usize, flow: usize) -> bool {
        self.present[workspace] && self.flows[workspace][flow]
    }

    /// The flow that a call of a workspace may start. Platform → domain only what the platform
    /// declares and the domain accepts; domain → platform only exported services that it uses;
    /// domain → domain never.
    fn allowed(&self, from: usize, call: Call) -> Option<(usize, usize)> {
        if !self.present[from] {
            return None;
        }
        match call {
            Call::Service(service) => {
                let (flow, callers) = self.exports[service]?;
                let domain = from.checked_sub(1)?;
                (self.uses[domain][service] && callers[domain] && self.has(0, flow))
                    .then_some((0, flow))
            }
            Call::Flow(to, flow) => {
                let domain = to.checked_sub(1).filter(|_| from == 0)?;
                (self.may_start[domain][flow] && self.accepts[domain][flow] && self.has(to, flow))
                    .then_some((to, flow))
            }
        }
    }

    fn edges(&self) -> BTreeSet<((usize, usize), (usize, usize))> {
        let real = self.calls.iter().filter(|(from, flow, _)| self.has(*from, *flow));
        real.filter_map(|(from, flow, call)| Some(((*from, *flow), self.allowed(*from, *call)?)))
            .collect()
    }

    /// By closure over all pairs: is any flow reachable from itself?
    fn has_cycle(&self) -> bool {
        let mut reach = self.edges();
        loop {
            let more: Vec<_> = reach
                .iter()
                .flat_map(|(a, b)| {
                    reach.iter().filter(move |(c, _)| c == b).map(move |(_, d)| (*a, *d))
                })
                .filter(|pair| !reach.contains(pair))
                .collect();
            if more.is_empty() {
                return reach.iter().any(|(a, b)| a == b);
            }
            reach.extend(more);
        }
    }

    /// Whether everything in it may be live together.
    fn is_sound(&self) -> bool {
        let real = |(from, flow, _): &&(usize, usize, Call)| self.has(*from, *flow);
        let refused = |(from, _, call): &(usize, usize, Call)| self.allowed(*from, *call).is_none();
        let unknown_use = (0..DOMAINS).any(|domain| {
            let unknown = |service: usize| {
                self.uses[domain][service] && !(self.present[0] && self.exports[service].is_some())
            };
            self.present[domain + 1] && (0..SERVICES).any(unknown)
        });
        !self.calls.iter().filter(real).any(refused) && !unknown_use && !self.has_cycle()
    }

    fn workspaces(&self) -> BTreeMap<WorkspaceName, Arc<Workspace>> {
        let present = (0..=DOMAINS).filter(|index| self.present[*index]);
        present.map(|index| (workspace_name(index), Arc::new(self.workspace(index)))).collect()
    }

    fn workspace(&self, index: usize) -> Workspace {
        let flow = |flow: usize| (flow_name(flow), self.flow(index, flow));
        let kind = if index == 0 { Kind::Platform } else { Kind::Domain };
        let mut workspace = Workspace {
            flows: (0..FLOWS).filter(|f| self.flows[index][*f]).map(flow).collect(),
            ..support::workspace(workspace_name(index).as_str(), kind)
        };
        let listed = |flags: &[bool]| -> BTreeSet<FlowName> {
            (0..flags.len()).filter(|at| flags[*at]).map(flow_name).collect()
        };
        if let Some(domain) = index.checked_sub(1) {
            workspace.accepts = listed(&self.accepts[domain]);
            let used = (0..SERVICES).filter(|service| self.uses[domain][*service]);
            let used = used.map(|s| ServiceUse { service: service_name(s), version: None });
            workspace.uses = used.collect();
        } else {
            for (domain, flows) in self.may_start.iter().enumerate() {
                workspace.may_start.insert(workspace_name(domain + 1), listed(flows));
            }
            for (service, export) in self.exports.iter().enumerate() {
                let Some((flow, callers)) = export else { continue };
                let callers = (0..DOMAINS).filter(|d| callers[*d]).map(|d| workspace_name(d + 1));
                let export = Export {
                    flow: flow_name(*flow),
                    version: 1,
                    callers: Callers::Only(callers.collect()),
                    rate_limit: None,
                    timeout: None,
                };
                workspace.exports.insert(service_name(service), export);
            }
        }
        workspace
    }

    fn flow(&self, index: usize, flow: usize) -> Flow {
        let calls = self.calls.iter().filter(|(from, at, _)| (*from, *at) == (index, flow));
        let calls = calls.map(|(_, _, call)| LiteralCall {
            target: target(*call).to_string(),
            inputs: None,
            file: format!("w{index}/flows/f{flow}.yaml"),
            line: 1,
            column: 1,
            handles: None,
            tells: None,
        });
        Flow {
            file: format!("flows/f{flow}.yaml"),
            summary: None,
            inputs: Schema::default(),
            schedules: Vec::new(),
            timeout: None,
            deadline: None,
            retry: None,
            turns: signalbox_core::turn::Settings::default(),
            plan: Plan::default(),
            handlers: signalbox_core::handler::Handlers::default(),
            absence: None,
            calls: calls.collect(),
            starts: Vec::new(),
        }
    }
}

fn workspace_name(index: usize) -> WorkspaceName {
    format!("w{index}").parse().unwrap()
}

fn flow_name(index: usize) -> FlowName {
    format!("f{index}").parse().unwrap()
}

fn service_name(index: usize) -> ServiceName {
    format!("s{index}").parse().unwrap()
}

fn target(call: Call) -> Target {
    match call {
        Call::Service(service) => Target::Service(service_name(service), None),
        Call::Flow(workspace, flow) => {
            Target::Flow(FlowRef { workspace: workspace_name(workspace), flow: flow_name(flow) })
        }
    }
}

fn push(live: Option<&Model>, new: &Model, atomic: bool) -> Verdict {
    let live = live.map(Model::workspaces).unwrap_or_default();
    let new = new.workspaces();
    let states = live.keys().chain(new.keys()).map(|name| {
        (name.clone(), Candidate { new: new.get(name).cloned(), live: live.get(name).cloned() })
    });
    check(&states.collect(), atomic)
}

/// Nothing in the set breaks promise 7: every call is allowed and none leads back.
fn sound(catalog: &Catalog) -> bool {
    let states = catalog.workspaces.iter().map(|(name, workspace)| {
        (name.clone(), Candidate { new: Some(workspace.clone()), live: None })
    });
    let verdict = check(&states.collect(), false);
    verdict.rejected.is_empty() && verdict.live == *catalog
}

/// The live state that a model leaves: what is accepted of it on an empty machine.
fn settled(model: &Model) -> Model {
    let verdict = push(None, model, false);
    let mut settled = model.clone();
    for index in 0..=DOMAINS {
        settled.present[index] = verdict.live.workspaces.contains_key(&workspace_name(index));
    }
    settled
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_broker_allows_exactly_what_the_promise_allows(model in model()) {
        let catalog = Catalog { workspaces: model.workspaces() };
        for from in 0..=DOMAINS {
            let services = (0..SERVICES).map(Call::Service);
            let flows = (0..=DOMAINS).flat_map(|w| (0..FLOWS).map(move |f| Call::Flow(w, f)));
            for call in services.chain(flows) {
                let decided = decide(&catalog, &workspace_name(from), &target(call)).ok();
                let expected = model.allowed(from, call).filter(|_| model.present[0] || from > 0);
                let callee = expected.filter(|(to, _)| model.present[*to]).map(|(to, flow)| {
                    FlowRef { workspace: workspace_name(to), flow: flow_name(flow) }
                });
                prop_assert_eq!(decided.map(|permit| permit.callee), callee, "{} {:?}", from, call);
            }
        }
    }

    #[test]
    fn what_goes_live_on_an_empty_machine_is_sound_and_a_sound_repository_goes_live_whole(
        model in model(),
    ) {
        let verdict = push(None, &model, false);
        prop_assert_eq!(verdict.rejected.is_empty(), model.is_sound());
        prop_assert!(settled(&model).is_sound());
        prop_assert!(sound(&verdict.live));
    }

    #[test]
    fn a_push_never_leaves_an_unsound_set_and_never_rejects_what_did_not_change(
        (before, after, atomic) in (model(), model(), any::<bool>()),
    ) {
        let live = settled(&before);
        let verdict = push(Some(&live), &after, atomic);
        prop_assert!(sound(&verdict.live), "{:?}", verdict.rejected);
        let (old, new) = (live.workspaces(), after.workspaces());
        for index in 0..=DOMAINS {
            let name = workspace_name(index);
            let kept = verdict.live.workspaces.get(&name);
            let (old, new) = (old.get(&name), new.get(&name));
            if verdict.rejected.contains_key(&name) {
                prop_assert_ne!(old, new, "{} did not change", name);
                prop_assert_eq!(kept, old);
            } else {
                prop_assert_eq!(kept, new);
            }
        }
        let whole = verdict.live.workspaces == old || verdict.live.workspaces == new;
        prop_assert!(!atomic || whole);
        prop_assert_eq!(verdict, push(Some(&live), &after, atomic), "the same again");
    }

    #[test]
    fn a_sound_repository_replaces_a_sound_one_whole((before, after) in (model(), model())) {
        let verdict = push(Some(&settled(&before)), &settled(&after), false);
        prop_assert_eq!(verdict.rejected, BTreeMap::new());
    }
}
