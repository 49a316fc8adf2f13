//! The doors of a runner: the machine itself, and how far a cell can be walled in on it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signalbox_cell::protocol::FromCell;
use signalbox_core::codes::Code;
use signalbox_core::isolation::Level;

use crate::alarm::KernelAlarms;
use crate::doors::{Cell, Cells as _, Doors};
use crate::options::Error;
use crate::process::{Spawner, Wire};
use crate::random::KernelRandom;

/// Memory of the cell that is tried, in bytes.
const MEMORY: u64 = 64 << 20;
/// How long it may take to be ready. It takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The doors to the machine, and the isolation level that its cells reach. `cell` is the program
/// that is started as a cell, with its first arguments.
///
/// # Errors
/// A cell does not reach the level that is demanded.
pub(crate) async fn doors(
    cell: &(PathBuf, Vec<String>),
    least: Level,
) -> Result<(Doors, Option<u8>), Error> {
    let spawner = Spawner::start(cell.clone(), least)?;
    let reached = match probe(&spawner).await {
        Ok(level) => Some(level),
        Err(said) if least > Level::L1 => {
            let message = format!("cells do not reach isolation level {least} here: {said}");
            return Err(Error::refused(Code::IsolationTooWeak, message));
        }
        Err(said) => {
            tracing::error!(said, "a cell could not be started");
            None
        }
    };
    if let Some(level) = Level::ALL.into_iter().find(|level| Some(level.number()) == reached) {
        spawner.demand(level);
    }
    let doors = Doors {
        cells: Arc::new(spawner),
        alarms: Arc::new(KernelAlarms),
        random: Arc::new(KernelRandom),
    };
    Ok((doors, reached))
}

/// The level that a cell reaches, by starting one; otherwise what it said at its end.
async fn probe(spawner: &Spawner) -> Result<u8, String> {
    let cell = spawner.start(MEMORY).await.map_err(|error| error.to_string())?;
    let Cell { mut process, reader, writer } = cell;
    let mut wire = Wire::new(reader, writer);
    let ready = async {
        loop {
            match wire.next_frame() {
                Ok(Some(FromCell::Ready { isolation, .. })) => return Some(isolation),
                Ok(None) if matches!(wire.exchange().await, Ok(true)) => {}
                Ok(_) | Err(_) => return None,
            }
        }
    };
    let ready = tokio::time::timeout(PATIENCE, ready).await;
    let ended = process.reap().await;
    match ready {
        Ok(Some(level)) => Ok(level),
        Ok(None) => Err(ended.to_string()),
        Err(_) => Err("it was not ready in time".to_owned()),
    }
}
