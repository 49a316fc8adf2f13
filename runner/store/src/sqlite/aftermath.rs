//! What the end of a run starts, in the transaction that ends it.

use rusqlite::params;
use signalbox_core::clock::Timestamp;
use signalbox_core::journal::Key;
use signalbox_core::run::NewRun;

use super::effects::{record_call, start_call};
use super::turns;
use super::tx::Tx;
use crate::contract::{Aftermath, Error, Handling, Recovery};

/// Starts what is to be started.
pub(super) fn perform(
    tx: &mut Tx<'_>,
    ended: i64,
    at: Timestamp,
    aftermath: Aftermath,
) -> Result<(), Error> {
    let Aftermath { started, recovery } = aftermath;
    for (ordinal, handling) in (0..).zip(started) {
        start(tx, ended, ordinal, handling)?;
    }
    match recovery {
        None => Ok(()),
        Some(Recovery::Awaited) => {
            tx.connection
                .prepare_cached(
                    "INSERT INTO failing (flow, since) SELECT flow, ? FROM runs WHERE seq = ?
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![at.0, ended])?;
            Ok(())
        }
        Some(Recovery::Over(handling)) => {
            let over = tx
                .connection
                .prepare_cached(
                    "DELETE FROM failing WHERE flow = (SELECT flow FROM runs WHERE seq = ?)",
                )?
                .execute([ended])?;
            if over == 0 { Ok(()) } else { start(tx, ended, u32::MAX, *handling) }
        }
    }
}

fn start(tx: &mut Tx<'_>, ended: i64, ordinal: u32, handling: Handling) -> Result<(), Error> {
    let key = Key { scope: "handler".to_owned(), attempt: 1, ordinal };
    match handling {
        Handling::Run(run) => enqueue(tx, *run),
        Handling::Call(call) => start_call(tx, ended, &key, *call).map(drop),
        Handling::Refused(record) => record_call(tx, ended, &key, &record, None),
    }
}

/// A handler has its place whatever the queue holds: what it tells of has just left it. It takes its
/// turn like any other run.
pub(super) fn enqueue(tx: &mut Tx<'_>, run: NewRun) -> Result<(), Error> {
    turns::place(tx, run, None).map(drop)
}
