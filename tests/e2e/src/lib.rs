//! End-to-end tests: the real binary on real repositories
//!
//! A [`Scene`] is the content of a repository; a [`Road`] is the repository with the data folder of
//! a runner; a [`Runner`] is the real binary on it. Nothing is shared between two roads, so tests
//! run side by side. Whatever is waited for has a deadline of [`PATIENCE`].

mod cells;
mod eventually;
mod gate;
mod lists;
mod road;
mod runner;
mod said;
mod scene;
mod small_disk;

pub use cells::{Cell, cells, descendants, is_alive, kill9};
pub use eventually::{Die, PATIENCE, eventually, pause, rounds, told};
pub use gate::Gate;
pub use lists::{column, diagnostics, strings};
pub use road::{Road, binary};
pub use runner::Runner;
pub use said::Said;
pub use scene::{DOMAIN, PLATFORM, Scene, root};
pub use small_disk::SmallDisk;
