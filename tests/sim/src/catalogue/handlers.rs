//! Runs that handle how others ended, and flows that fail and recover.

use signalbox_core::run::Reason;

use super::flow::{Asked, Ends, FLOW, Flow, number};

pub(super) const FLOWS: &[Flow] = &[
    Flow {
        name: "noted",
        // It fails for every other run: if handlers were handled, `echoed` would.
        file: "inputs: { run: { type: string, required: true } }\non_failure: echoed\n\
               run: 'state::add(run::id(), 1); \
               if \"02468ace\".contains(inputs.run.sub_string(-1)) { throw \"I too\" } 1'\n",
        adds: 1,
        ends: |given| match given.text("run").chars().next_back() {
            Some(last) if "02468ace".contains(last) => Ends::Fails(Reason::ScriptError),
            Some(_) | None => number(1),
        },
        ..FLOW
    },
    Flow {
        name: "echoed",
        file: "inputs: { run: { type: string, required: true } }\n\
               run: 'state::add(run::id(), 1)'\n",
        adds: 1,
        ends: |_| number(1),
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "moody",
        file: "inputs: { n: { type: integer, required: true } }\non_recovery: mended\n\
               run: 'state::add(run::id(), 1); if inputs.n % 2 == 1 { throw \"odd\" } inputs.n'\n",
        asked: Asked::Api,
        adds: 1,
        ends: |given| match given.int("n") {
            n if n % 2 == 1 => Ends::Fails(Reason::ScriptError),
            n => number(n),
        },
        recovers: true,
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "mended",
        file: "inputs: { run: { type: string, required: true } }\n\
               run: 'state::add(run::id(), 1)'\n",
        adds: 1,
        ends: |_| number(1),
        ..FLOW
    },
];
