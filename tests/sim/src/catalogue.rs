//! The flows that are simulated, and what each of them promises.
//!
//! A new feature is simulated by a row here: its file, what one run of it adds to the counter that
//! has the run's id as its name, how many calls it makes, and how it ends.

use signalbox_core::Value;
use signalbox_core::run::Reason;

/// The file in which a script finds the revision it belongs to.
const VERSION: &str = "VERSION";

/// A state that a run reads when its cell is to die: see [`crate::cells`].
pub(crate) const DEADLY: &str = "die";
/// Seconds between two slots of the schedule.
pub(crate) const EVERY: i64 = 20;
/// How long the callers of `sim.hasty` wait.
pub(crate) const HASTY: i64 = 60;

/// How a run ends when nothing but the simulated faults happens to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ends {
    /// With this result.
    Result(Value),
    /// With the id of a run that it started.
    RunId,
    /// Badly, for this reason.
    Fails(Reason),
}

/// A flow.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) workspace: &'static str,
    pub(crate) name: &'static str,
    file: &'static str,
    /// Whether it is started by requests, and not only by others or by its schedule.
    pub(crate) requested: bool,
    /// What a run that ends as it should has added to its counter.
    pub(crate) adds: i64,
    /// Calls that a run which ends as it should has made.
    pub(crate) calls: usize,
    /// How it ends, with its input and the version of its revision.
    pub(crate) ends: fn(i64, i64) -> Ends,
}

fn number(n: i64) -> Ends {
    Ends::Result(Value::Int(n))
}

/// Every flow.
pub(crate) const FLOWS: &[Flow] = &[
    Flow {
        workspace: "ops",
        name: "pure",
        file: "inputs: { n: { type: integer, required: true } }\nrun: inputs.n + 1 + 0 * VERSION\n",
        requested: true,
        adds: 0,
        calls: 0,
        ends: |n, _| number(n + 1),
    },
    Flow {
        workspace: "ops",
        name: "steps",
        file: "inputs: { n: { type: integer, required: true } }\nsteps:\n  \
               - { id: a, run: 'state::add(run::id(), 1); VERSION' }\n  \
               - { id: b, run: 'state::add(run::id(), 1); VERSION' }\n  \
               - { id: c, run: 'state::add(run::id(), 1); [steps.a, steps.b, VERSION]' }\n",
        requested: true,
        adds: 3,
        calls: 0,
        ends: |_, version| Ends::Result(Value::List(vec![Value::Int(version); 3])),
    },
    Flow {
        workspace: "ops",
        name: "reads",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'for i in 0..3 { state::get(`x${i}`); } state::add(run::id(), 2)'\n",
        requested: true,
        adds: 2,
        calls: 0,
        ends: |_, _| number(2),
    },
    Flow {
        workspace: "ops",
        name: "fails",
        file: "inputs: { n: { type: integer } }\n\
               run: 'state::add(run::id(), 1); throw \"as asked\"'\n",
        requested: true,
        adds: 1,
        calls: 0,
        ends: |_, _| Ends::Fails(Reason::ScriptError),
    },
    Flow {
        workspace: "ops",
        name: "deadly",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'state::add(run::id(), 1); state::get(\"die\"); 0'\n",
        requested: true,
        adds: 1,
        calls: 0,
        ends: |_, _| Ends::Fails(Reason::CellLost),
    },
    Flow {
        workspace: "ops",
        name: "double",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'state::add(run::id(), 1); inputs.n * 2'\n",
        requested: false,
        adds: 1,
        calls: 0,
        ends: |n, _| number(n * 2),
    },
    Flow {
        workspace: "ops",
        name: "nested",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'broker::request(\"shop/relay\", #{ n: inputs.n })'\n",
        requested: true,
        adds: 0,
        calls: 1,
        ends: |n, _| number(n * 2),
    },
    Flow {
        workspace: "shop",
        name: "relay",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'broker::request(\"sim.double\", #{ n: inputs.n })'\n",
        requested: false,
        adds: 0,
        calls: 1,
        ends: |n, _| number(n * 2),
    },
    Flow {
        workspace: "shop",
        name: "calls",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'let a = broker::request(\"sim.double\", #{ n: inputs.n }); \
               let b = broker::request(\"sim.double\", #{ n: a }); state::add(run::id(), 1); b'\n",
        requested: true,
        adds: 1,
        calls: 2,
        ends: |n, _| number(n * 4),
    },
    Flow {
        workspace: "shop",
        name: "hasty",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'broker::request(\"sim.hasty\", #{ n: inputs.n })'\n",
        requested: true,
        adds: 0,
        calls: 1,
        ends: |n, _| number(n * 2),
    },
    Flow {
        workspace: "shop",
        name: "starts",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'broker::start(\"sim.double\", #{ n: inputs.n })'\n",
        requested: true,
        adds: 0,
        calls: 1,
        ends: |_, _| Ends::RunId,
    },
    Flow {
        workspace: "shop",
        name: "unlucky",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'let said = \"\"; try { said = broker::request(\"sim.broken\", #{ }); } \
               catch (e) { said = \"caught\"; } said'\n",
        requested: true,
        adds: 0,
        calls: 1,
        ends: |_, _| Ends::Result(Value::from("caught")),
    },
    Flow {
        workspace: "shop",
        name: "ticks",
        file: "schedules:\n  - { cron: \"*/20 * * * * *\", timezone: UTC }\n\
               run: 'state::add(run::id(), 1)'\n",
        requested: false,
        adds: 1,
        calls: 0,
        ends: |_, _| number(1),
    },
];

const ROOT: &str = "version: 1
workspaces:
  ops: { kind: platform, path: ops, grants: { limits: { concurrency: 2 } } }
  shop: { kind: domain, path: shop, grants: { limits: { concurrency: 2 } } }
";
const OPS: &str = "exports:
  sim.double: { flow: double, callers: [domains] }
  sim.hasty: { flow: double, callers: [domains], timeout: 1m }
  sim.broken: { flow: fails, callers: [domains] }
may_start:
  shop: [relay]
";
const SHOP: &str = "accepts: [relay]\nuses: [sim.double, sim.hasty, sim.broken]\n";

/// Every file of a version of the repository, by path.
pub(crate) fn files(version: i64) -> Vec<(String, String)> {
    let mut files = vec![
        ("signalbox.yaml".to_owned(), ROOT.to_owned()),
        ("ops/workspace.yaml".to_owned(), format!("description: version {version}\n{OPS}")),
        ("shop/workspace.yaml".to_owned(), format!("description: version {version}\n{SHOP}")),
    ];
    files.extend(FLOWS.iter().map(|flow| {
        let path = format!("{}/flows/{}.yaml", flow.workspace, flow.name);
        (path, flow.file.replace(VERSION, &version.to_string()))
    }));
    files
}

/// A flow by its name.
pub(crate) fn find(workspace: &str, name: &str) -> Option<&'static Flow> {
    FLOWS.iter().find(|flow| flow.workspace == workspace && flow.name == name)
}
