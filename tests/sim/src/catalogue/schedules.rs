//! Runs of schedules, one schedule for each flow.
//!
//! Where slots are to overlap, the run of each full minute takes longer than the next slot needs to
//! come, and the others end at once: so a moment comes in each minute at which nothing is under way.

use signalbox_core::run::Reason;
use signalbox_core::schedule::Overlap;

use super::flow::{Ends, FLOW, Flow, Missed, Moments, SLOTS, Slots, number};

pub(super) const FLOWS: &[Flow] = &[
    Flow {
        workspace: "shop",
        name: "ticks",
        file: "schedules:\n  - { cron: \"*/30 * * * * *\", timezone: UTC }\n\
               run: 'if `${run::slot()}`.contains(\":00.0\") { sleep(35) } state::add(run::id(), 1)'\n",
        adds: 1,
        ends: |_| number(1),
        slots: Some(SLOTS),
        ..FLOW
    },
    Flow {
        name: "queues",
        file: "schedules:\n  - { cron: \"*/30 * * * * *\", overlap: queue }\n\
               run: 'if `${run::slot()}`.contains(\":00.0\") { sleep(35) } state::add(run::id(), 1)'\n",
        adds: 1,
        ends: |_| number(1),
        slots: Some(Slots { overlap: Overlap::Queue, ..SLOTS }),
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "replaces",
        file: "schedules:\n  - { cron: \"*/30 * * * * *\", overlap: cancel_running }\n\
               run: 'if `${run::slot()}`.contains(\":00.0\") { sleep(35) } state::add(run::id(), 1)'\n",
        adds: 1,
        ends: |_| number(1),
        slots: Some(Slots { overlap: Overlap::CancelRunning, ..SLOTS }),
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "catches-up",
        file: "schedules:\n  - { cron: \"* * * * *\", overlap: queue, jitter: 5s, \
               missed: { run: all, window: 10m, cap: 8 } }\n\
               run: 'state::add(run::id(), 1)'\n",
        adds: 1,
        ends: |_| number(1),
        slots: Some(Slots {
            moments: Moments::Every(60),
            jitter: 5,
            missed: Missed::All { window: 600, cap: 8 },
            overlap: Overlap::Queue,
        }),
        ..FLOW
    },
    Flow {
        name: "seldom",
        file: "schedules:\n  - { cron: \"*/10 * * * *\", \
               dynamic: '!slot.contains(\":10:00\") && !slot.contains(\":30:00\") \
               && !slot.contains(\":50:00\")' }\n\
               run: 'state::add(run::id(), 1)'\n",
        adds: 1,
        ends: |given| match given.slot {
            Some(slot) if slot % 1_200 == 600 => Ends::Skipped(Reason::NotWanted),
            Some(_) | None => number(1),
        },
        slots: Some(Slots { moments: Moments::Every(600), ..SLOTS }),
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "punctual",
        file: "schedules:\n  - { cron: \"*/5 * * * *\", missed: none }\n\
               run: 'state::add(run::id(), 1)'\n",
        adds: 1,
        ends: |_| number(1),
        slots: Some(Slots { moments: Moments::Every(300), missed: Missed::None, ..SLOTS }),
        ..FLOW
    },
    Flow {
        workspace: "shop",
        name: "once",
        file: "schedules:\n  - { at: \"2026-03-01T00:00:40Z\" }\nrun: 'state::add(run::id(), 1)'\n",
        adds: 1,
        ends: |_| number(1),
        slots: Some(Slots { moments: Moments::Once(1_772_323_240), ..SLOTS }),
        ..FLOW
    },
];
