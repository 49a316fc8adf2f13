//! A server that keeps its callers waiting.

use std::sync::{Arc, Condvar, Mutex};

use serde_json::json;
use signalbox_testkit::{HttpStub, Request, Response};

use crate::PATIENCE;

/// An HTTP server whose answers come once it is open: so a run is caught in the middle, for as long
/// as a test wants.
#[derive(Debug)]
pub struct Gate {
    stub: HttpStub,
    open: Arc<(Mutex<bool>, Condvar)>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::closed()
    }
}

impl Gate {
    /// A closed one.
    pub fn closed() -> Self {
        let open = Arc::new((Mutex::new(false), Condvar::new()));
        let seen = Arc::clone(&open);
        let stub = HttpStub::start(move |_| {
            let (state, changed) = &*seen;
            let state = state.lock().expect("no panic in here");
            drop(changed.wait_timeout_while(state, PATIENCE, |open| !*open));
            Response::json(200, &json!({ "passed": true }))
        });
        Self { stub, open }
    }

    /// Answers whoever waits, and whoever comes.
    pub fn open(&self) {
        let (state, changed) = &*self.open;
        *state.lock().expect("no panic in here") = true;
        changed.notify_all();
    }

    /// Keeps whoever comes from now on.
    pub fn close(&self) {
        *self.open.0.lock().expect("no panic in here") = false;
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.stub.url()
    }

    /// The grant that lets a workspace reach it, for a root manifest.
    pub fn grant(&self) -> String {
        format!("network: [\"{}\"]", self.url())
    }

    /// The Rhai expression that asks it.
    pub fn ask(&self) -> String {
        format!("http::get(\"{}/\", #{{ timeout: 120 }}).json()", self.url())
    }

    /// Waits until so many have come, and gives them all.
    #[track_caller]
    pub fn wait_for(&self, number: usize) -> Vec<Request> {
        self.stub.wait_for(number)
    }

    /// Who has come until now.
    pub fn requests(&self) -> Vec<Request> {
        self.stub.requests()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}
