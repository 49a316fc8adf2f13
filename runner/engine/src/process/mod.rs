//! The processes that evaluate and check scripts, and the sockets to them.

mod spawner;
mod wire;

pub(crate) use spawner::Spawner;
pub(crate) use wire::Wire;
