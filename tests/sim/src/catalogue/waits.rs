//! Runs that wait for a moment: asleep, before another attempt, against a deadline.

use signalbox_core::run::Reason;

use super::flow::{Asked, Ends, FLOW, Flow, number};

pub(super) const FLOWS: &[Flow] = &[
    Flow {
        name: "naps",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'state::add(run::id(), 1); sleep(1 + inputs.n % 20); state::add(run::id(), 1)'\n",
        asked: Asked::Api,
        adds: 2,
        ends: |_| number(2),
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "alarm-clock",
        file: "inputs: { n: { type: integer, required: true } }\n\
               run: 'sleep_until(time::add(now(), 5)); state::add(run::id(), 1)'\n",
        asked: Asked::Api,
        adds: 1,
        ends: |_| number(1),
        ..FLOW
    },
    Flow {
        name: "tries",
        file: "inputs: { n: { type: integer, required: true } }\n\
               retry: { attempts: 3, backoff: fixed, initial: 2s, jitter: false }\n\
               run: 'let n = state::add(run::id(), 1); if n < 3 { throw \"not yet\" } n'\n",
        asked: Asked::Api,
        adds: 3,
        attempts: 3,
        pause: 2,
        ends: |_| number(3),
        ..FLOW
    },
    Flow {
        name: "gives-up",
        file: "inputs: { n: { type: integer, required: true } }\n\
               retry: { attempts: 2, initial: 3s }\non_failure: noted\n\
               run: 'state::add(run::id(), 1); throw \"never\"'\n",
        asked: Asked::Api,
        adds: 2,
        attempts: 2,
        ends: |_| Ends::Fails(Reason::ScriptError),
        handled: true,
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "stubborn",
        file: "inputs: { n: { type: integer, required: true } }\nsteps:\n  \
               - { id: first, run: 'state::add(run::id(), 1)' }\n  \
               - { id: again, retry: { attempts: 3, initial: 1s, max: 4s }, \
               run: 'sleep(1); let n = state::add(run::id(), 1); if n < 4 { throw \"not yet\" } n' }\n",
        asked: Asked::Api,
        adds: 4,
        ends: |_| number(4),
        ..FLOW
    },
    Flow {
        name: "late",
        file: "inputs: { n: { type: integer, required: true } }\ndeadline: 15s\n\
               run: 'state::add(run::id(), 1); sleep(3600); 0'\n",
        asked: Asked::Api,
        adds: 1,
        ends: |_| Ends::Fails(Reason::TimedOut),
        ..FLOW
    },
];
