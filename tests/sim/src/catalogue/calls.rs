//! Runs that have other runs do something: over the broker, in their workspace, as successors.

use signalbox_core::Value;

use super::flow::{Asked, Ends, FLOW, Flow, number};

/// How long the callers of `sim.hasty` wait, in seconds.
pub(crate) const HASTY: i64 = 60;

pub(super) const FLOWS: &[Flow] = &[
    Flow {
        name: "double",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'state::add(run::id(), 1); inputs.n * 2'\n",
        adds: 1,
        ends: |given| number(given.int("n") * 2),
        ..FLOW
    },
    Flow {
        name: "nested",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'broker::request(\"shop/relay\", #{ n: inputs.n })'\n",
        asked: Asked::Api,
        calls: 1,
        ends: |given| number(given.int("n") * 2),
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "relay",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'broker::request(\"sim.double\", #{ n: inputs.n })'\n",
        calls: 1,
        ends: |given| number(given.int("n") * 2),
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "calls",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'let a = broker::request(\"sim.double\", #{ n: inputs.n }); \
               let b = broker::request(\"sim.double\", #{ n: a }); state::add(run::id(), 1); b'\n",
        asked: Asked::Api,
        adds: 1,
        calls: 2,
        ends: |given| number(given.int("n") * 4),
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "hasty",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'broker::request(\"sim.hasty\", #{ n: inputs.n })'\n",
        asked: Asked::Api,
        calls: 1,
        ends: |given| number(given.int("n") * 2),
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "starts",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'broker::start(\"sim.double\", #{ n: inputs.n })'\n",
        asked: Asked::Api,
        calls: 1,
        ends: |_| Ends::RunId,
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "unlucky",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'let said = \"\"; try { said = broker::request(\"sim.broken\", #{ }); } \
               catch (e) { said = \"caught\"; } said'\n",
        asked: Asked::Api,
        calls: 1,
        ends: |_| Ends::Result(Value::from("caught")),
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "patient-caller",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'broker::request(\"sim.naps\", #{ n: inputs.n })'\n",
        asked: Asked::Api,
        calls: 1,
        ends: |_| number(2),
        ..FLOW
    },
    Flow {
        name: "tree",
        file: "inputs: { n: { type: integer, required: true } }\nsteps:\n  \
               - { id: a, flow: double, inputs: { n: \"${inputs.n}\" } }\n  \
               - { id: b, run: 'flow::run(\"double\", #{ n: steps.a })' }\n  \
               - { id: c, run: 'let nap = flow::start(\"naps\", #{ n: 1 }); flow::wait(nap); \
               state::add(run::id(), 1); steps.b' }\n",
        asked: Asked::Api,
        adds: 1,
        starts: 3,
        ends: |given| number(given.int("n") * 4),
        ..FLOW
    },
    Flow {
        name: "goes-on",
        file: "inputs: { n: { type: integer, required: true }, left: { type: integer, default: 2 } }\n\
               run: 'state::add(run::id(), 1); \
               if inputs.left > 0 { continue_as(#{ n: inputs.n, left: inputs.left - 1 }) } inputs.n'\n",
        asked: Asked::Api,
        adds: 1,
        ends: |given| {
            if given.int("left") > 0 { Ends::Successor } else { number(given.int("n")) }
        },
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "hears",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'broker::request(\"sim.goes\", #{ n: inputs.n })'\n",
        asked: Asked::Api,
        calls: 1,
        ..FLOW
    },
];
