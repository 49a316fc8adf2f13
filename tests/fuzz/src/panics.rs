//! Panics that somebody catches.
//!
//! Rhai and the YAML parser have states that they hold to be unreachable; the product catches their
//! panics and answers with a fault. A panic of its own code is a defect wherever it ends.

use std::panic::PanicHookInfo;
use std::sync::{Mutex, PoisonError};

/// The folders of this repository's code, as the compiler names them.
const OWN: [&str; 4] = ["runner/", "sync/", "workspaces/", "tests/"];

/// What the first own panic said.
static TOLD: Mutex<Option<String>> = Mutex::new(None);

pub(crate) fn watch() {
    std::panic::set_hook(Box::new(note));
}

fn note(info: &PanicHookInfo<'_>) {
    let own = info.location().is_some_and(|at| OWN.iter().any(|own| at.file().starts_with(own)));
    if own {
        TOLD.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| info.to_string());
    }
}

pub(crate) fn forget() {
    *TOLD.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

pub(crate) fn told() -> Option<String> {
    TOLD.lock().unwrap_or_else(PoisonError::into_inner).take()
}
