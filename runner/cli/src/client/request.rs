//! A request before it is sent.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

/// How long an answer may take, beyond the time that a request says it waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request that is to be sent.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) query: Vec<(&'a str, String)>,
    pub(super) body: Option<Value>,
    pub(super) patience: Duration,
}

impl<'a> Request<'a> {
    /// Asks for a path below `/api/v1`.
    pub(crate) fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, query: Vec::new(), body: None, patience: PATIENCE }
    }

    /// Sends a document to a path below `/api/v1`.
    pub(crate) fn post(path: &'a str, body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(path) }
    }

    /// Puts a document at a path below `/api/v1`.
    pub(crate) fn put(path: &'a str, body: Value) -> Self {
        Self { method: Method::PUT, body: Some(body), ..Self::get(path) }
    }

    /// Deletes what is at a path below `/api/v1`.
    pub(crate) fn delete(path: &'a str) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    /// Adds a parameter.
    pub(crate) fn with(mut self, name: &'a str, value: &impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Adds a parameter, if there is a value.
    pub(crate) fn with_some(self, name: &'a str, value: Option<&impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The server may take so much longer to answer.
    pub(crate) fn waits(mut self, time: Duration) -> Self {
        self.patience = self.patience.saturating_add(time);
        self
    }
}
