//! The check of scripts.

use rhai::Engine;
use signalbox_core::check::CheckRequest;

use crate::protocol::FromCell;

/// Placeholder.
pub(crate) fn check(_: &Engine, _: &CheckRequest, _: &mut dyn FnMut(FromCell)) {}
