//! Hands queued runs to cells, fairly between workspaces.
//!
//! One loop owns every pool. It claims no more than cells can take soon, so that a workspace with
//! a hundred thousand queued runs holds nothing that another needs. It wakes only when runs were
//! queued, a cell said something, or the engine stops.

mod fair;
mod pool;
mod turns;

pub(crate) use turns::run;
