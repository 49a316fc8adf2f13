//! What runs find around them.

use std::collections::BTreeMap;

/// What a program's runs find around them.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The workspace's environment.
    pub(crate) env: BTreeMap<String, String>,
    /// Names of the secrets that scripts may hold handles of.
    pub(crate) secrets: Vec<String>,
    /// Names and types of the connectors.
    pub(crate) connectors: BTreeMap<String, String>,
}
