//! The doors of a runner: the machine itself.

use std::path::PathBuf;
use std::sync::Arc;

use crate::alarm::KernelAlarms;
use crate::doors::Doors;
use crate::options::Error;
use crate::process::Spawner;
use crate::random::KernelRandom;

/// The doors to the machine. `cell` is the program that is started as a cell, with its first
/// arguments.
pub(crate) fn doors(cell: &(PathBuf, Vec<String>)) -> Result<Doors, Error> {
    Ok(Doors {
        cells: Arc::new(Spawner::start(cell.clone())?),
        alarms: Arc::new(KernelAlarms),
        random: Arc::new(KernelRandom),
    })
}
