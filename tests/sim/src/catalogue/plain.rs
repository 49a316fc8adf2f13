//! Runs by themselves: steps, effects, failures.

use signalbox_core::run::Reason;

use super::flow::{Asked, Ends, FLOW, Flow, number, numbers};

/// A state that a run reads when its cell is to die: see [`crate::cells`].
pub(crate) const DEADLY: &str = "die";

pub(super) const FLOWS: &[Flow] = &[
    Flow {
        name: "pure",
        file: "inputs: { n: { type: integer, required: true } }\nrun: inputs.n + 1 + 0 * VERSION\n",
        asked: Asked::Api,
        ends: |given| number(given.int("n") + 1),
        ..FLOW
    },
    Flow {
        name: "steps",
        file: "inputs: { n: { type: integer, required: true } }\nsteps:\n  \
               - { id: a, run: 'state::add(run::id(), 1); VERSION' }\n  \
               - { id: b, run: 'state::add(run::id(), 1); VERSION' }\n  \
               - { id: c, run: 'state::add(run::id(), 1); [steps.a, steps.b, VERSION]' }\n",
        asked: Asked::Api,
        adds: 3,
        ends: |given| numbers([given.version; 3]),
        ..FLOW
    },
    Flow {
        name: "reads",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'for i in 0..3 { state::get(`x${i}`); } state::add(run::id(), 2)'\n",
        asked: Asked::Api,
        adds: 2,
        ends: |_| number(2),
        ..FLOW
    },
    Flow {
        name: "fails",
        file: "inputs: { n: { type: integer } }\n\
               on_failure: noted\n\
               run: 'state::add(run::id(), 1); throw \"as asked\"'\n",
        asked: Asked::Api,
        adds: 1,
        ends: |_| Ends::Fails(Reason::ScriptError),
        handled: true,
        ..FLOW
    },
    Flow {
        name: "deadly",
        file: "inputs: { n: { type: integer, required: true } }\n\
               on_failure: noted\n\
               run: 'state::add(run::id(), 1); state::get(\"die\"); 0'\n",
        asked: Asked::Api,
        adds: 1,
        ends: |_| Ends::Fails(Reason::CellLost),
        handled: true,
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "taken",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'state::add(run::id(), 1); inputs.n'\n",
        asked: Asked::Webhook("orders"),
        adds: 1,
        ..FLOW
    },
];
