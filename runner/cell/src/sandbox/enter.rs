//! The walls of a cell, put up in the order in which they must be.

use std::io;

use rustix::process::DumpableBehavior;
use signalbox_core::isolation::Level;

use super::namespaces::Apart;
use super::{Error, calls, failed, identity, inherited, landlocked, limits, namespaces};

/// What the runner asks of a cell's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Memory of a run, in bytes.
    pub memory: u64,
    /// The level below which the process must not evaluate anything.
    pub least: Level,
}

/// The walls that stand before the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Walls {
    apart: Apart,
    least: Level,
    landlock: bool,
}

/// How far a process is walled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The level.
    pub level: Level,
    /// Whether landlock holds besides: a second wall behind others, which no level needs.
    pub landlock: bool,
}

/// Restricts this process for good. Call it before there is a second thread.
///
/// # Errors
/// The first restriction that the kernel refuses and that every level has, or that is missing for
/// the level demanded.
pub(crate) fn enter(options: &Options) -> Result<Walls, Error> {
    inherited::clear_environment();
    inherited::close_descriptors().map_err(failed("close what was inherited"))?;
    let parent = rustix::process::getppid();
    let apart = wall_off()?;
    if apart == Apart::No && options.least >= Level::L3 {
        return Err(too_weak(options.least));
    }
    // Only now: a change of ids takes both back.
    inherited::die_with(parent)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(failed("forbid core dumps and tracing"))?;
    rustix::thread::set_no_new_privs(true).map_err(failed("forbid new privileges"))?;
    limits::set(options.memory)?;
    Ok(Walls { apart, least: options.least, landlock: landlocked::forbid_everything() })
}

/// Namespaces and ids. Root makes namespaces without a user namespace, which is the smaller thing
/// to trust the kernel with, if it may; everyone else needs one, and so does root without rights.
fn wall_off() -> Result<Apart, Error> {
    if !identity::may_become_nobody() {
        return namespaces::leave(true);
    }
    let apart = namespaces::leave(false)?;
    identity::drop_root()?;
    match apart {
        Apart::Yes => Ok(Apart::Yes),
        Apart::No => namespaces::leave(true),
    }
}

/// Puts up the last wall, around every thread of the process: no new thread, no other system call
/// than those that evaluating needs. For the evaluating thread, once it runs.
///
/// # Errors
/// The kernel refuses, and the level demanded needs it.
pub(crate) fn close(walls: Walls) -> Result<Reached, Error> {
    limits::forbid_threads()?;
    let level = match (calls::forbid(), walls.apart) {
        (Ok(()), Apart::Yes) => Level::L3,
        (Ok(()), Apart::No) => Level::L2,
        (Err(error), _) if walls.least > Level::L1 => return Err(error),
        (Err(_), _) => Level::L1,
    };
    if level < walls.least {
        return Err(too_weak(walls.least));
    }
    Ok(Reached { level, landlock: walls.landlock })
}

fn too_weak(least: Level) -> Error {
    let what = match least {
        Level::L1 => "reach isolation level L1",
        Level::L2 => "reach isolation level L2",
        Level::L3 => "reach isolation level L3: the kernel gives no namespaces",
    };
    failed(what)(io::Error::from(io::ErrorKind::Unsupported))
}
