//! The whole road, by the real binary: each promise of DESIGN with tests that try to break it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what the tests share may fail as they may")]
#![expect(clippy::format_collect, reason = "texts are made once, where they are read best")]

mod alarms;
mod bad_input;
mod bounds;
mod branches;
mod broker_depth;
mod broker_run;
mod broker_sync;
mod broker_wait;
mod chains;
mod commands;
mod commands_lists;
mod completion;
mod crash;
mod crash_loop;
mod crash_replay;
mod dead_letters;
mod deploy;
mod disk_full;
mod egress;
mod egress_headers;
mod extremes;
mod faults;
mod handlers;
mod hostile;
mod idempotency;
mod idle;
mod isolation;
mod leftovers;
mod lifecycle;
mod load;
mod noisy;
mod pinned;
mod poison;
mod poison_crowd;
mod probe;
mod rollback;
mod schedule_options;
mod schedule_pauses;
mod schedules;
mod secrets;
mod secrets_keyed;
mod secrets_places;
mod sources;
mod stop_loop;
mod streams;
mod system;
mod timed;
mod turns;
mod values;
mod waits;
mod walls;
mod webhooks;
mod webhooks_hostile;
