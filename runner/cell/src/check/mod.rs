//! The check of scripts: compiles them and looks at what they call, without evaluating anything.

mod calls;
mod checker;
mod names;
mod syntax;
mod walk;

use rhai::Engine;
use signalbox_core::check::CheckRequest;

use crate::protocol::FromCell;
use crate::script::library;
use checker::Checker;
use names::Names;

/// Checks every script of a request: one frame of facts for each, then the last frame.
pub(crate) fn check(engine: &Engine, request: &CheckRequest, send: &mut dyn FnMut(FromCell)) {
    library::set_current(0);
    let names = Names::of(engine);
    for script in &request.scripts {
        let facts = Checker::new(engine, request, &names, script).check();
        send(FromCell::Facts(Box::new(facts)));
    }
    send(FromCell::Checked);
}
