//! Runs that take turns: keys, debounce, priority.

use super::flow::{Asked, FLOW, Flow, number};

pub(super) const FLOWS: &[Flow] = &[
    Flow {
        name: "in-line",
        file: "inputs: { n: { type: integer, required: true }, k: { type: integer, required: true } }\n\
               concurrency: { limit: 1, key: \"${inputs.k}\", when_full: queue }\n\
               run: 'state::add(run::id(), 1); sleep(2); state::add(run::id(), 1)'\n",
        asked: Asked::Keyed,
        adds: 2,
        ends: |_| number(2),
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "turned-away",
        file: "inputs: { n: { type: integer, required: true }, k: { type: integer, required: true } }\n\
               concurrency: { limit: 2, key: \"${inputs.k}\", when_full: skip }\n\
               run: 'state::add(run::id(), 1); sleep(4); state::add(run::id(), 1)'\n",
        asked: Asked::Keyed,
        adds: 2,
        ends: |_| number(2),
        ..FLOW
    },
    Flow {
        name: "pushed-out",
        file: "inputs: { n: { type: integer, required: true }, k: { type: integer, required: true } }\n\
               concurrency: { limit: 1, key: \"${inputs.k}\", when_full: cancel_running }\n\
               run: 'state::add(run::id(), 1); sleep(4); state::add(run::id(), 1)'\n",
        asked: Asked::Keyed,
        adds: 2,
        ends: |_| number(2),
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "last-word",
        file: "inputs: { n: { type: integer, required: true } }\ndebounce: 3s\n\
               run: 'state::add(run::id(), 1); inputs.n'\n",
        asked: Asked::Api,
        adds: 1,
        ..FLOW
    },
    Flow {
        name: "urgent",
        file: "inputs: { n: { type: integer, required: true } }\npriority: 10\n\
               run: 'state::add(run::id(), 1); inputs.n'\n",
        asked: Asked::Api,
        adds: 1,
        ..FLOW
    },
    Flow {
        name: "unhurried",
        file: "inputs: { n: { type: integer, required: true } }\npriority: -10\n\
               run: 'state::add(run::id(), 1); inputs.n'\n",
        asked: Asked::Api,
        adds: 1,
        ..FLOW
    },
];
