//! Runs that do several things at once.

use super::flow::{Asked, FLOW, Flow, numbers};

pub(super) const FLOWS: &[Flow] = &[
    Flow {
        name: "aside",
        file: "inputs: { n: { type: integer, required: true } }\nrun: |\n  \
               parallel([\n    \
               || { state::add(run::id(), 1); sleep(2); inputs.n },\n    \
               || { sleep(1); state::add(run::id(), 1); sleep(1); state::add(run::id(), 1); 2 },\n    \
               || 3\n  ])\n",
        asked: Asked::Api,
        adds: 3,
        ends: |given| numbers([given.int("n"), 2, 3]),
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "each",
        file: "inputs: { n: { type: integer, required: true } }\nsteps:\n  \
               - { id: a, foreach: '[1, 2, 3]', parallel: 2, \
               run: 'state::add(run::id(), item); sleep(item); item * 10' }\n",
        asked: Asked::Api,
        adds: 6,
        ends: |_| numbers([10, 20, 30]),
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "crossing",
        file: "inputs: { n: { type: integer, required: true } }\nsteps:\n  \
               - { id: a, run: 'broker::request(\"sim.double\", #{ n: inputs.n })' }\n  \
               - { id: b, needs: [], run: 'sleep(2); state::add(run::id(), 1)' }\n  \
               - { id: c, needs: [a, b], run: 'state::add(run::id(), 1); [steps.a, steps.b]' }\n",
        asked: Asked::Api,
        adds: 2,
        calls: 1,
        ends: |given| numbers([given.int("n") * 2, 1]),
        ..FLOW
    },
];
