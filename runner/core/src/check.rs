//! What is asked of a script check and what it finds: data only. The check itself runs in a
//! sandboxed child, because compiling hostile code is an attack surface of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;

/// Scripts to check. Their texts came as `ToCell::Source` of tree 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckRequest {
    /// What to check.
    pub scripts: Vec<CheckScript>,
    /// Names of the secrets that the workspace declares.
    pub secrets: Vec<String>,
    /// Names of the connectors that the workspace declares.
    pub connectors: Vec<String>,
}

/// One piece of Rhai to check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckScript {
    /// What it is called in [`Facts`].
    pub name: String,
    /// Where it is, for diagnostics: path from the repository's root.
    pub file: String,
    /// Line and column of `file` at which the code begins; 1, 1 for a whole file.
    pub origin: (u32, u32),
    /// What it is.
    pub kind: ScriptKind,
    /// The variables that it sees beside those of its kind: `item` and `index`, `error`.
    pub sees: Vec<String>,
    /// The code; for files the text that came as a source under this path.
    pub code: ScriptCode,
}

/// Where the code to check is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ScriptCode {
    /// Here.
    Inline(String),
    /// It came as a source with this path from the workspace's folder.
    Source(String),
}

/// What a piece of Rhai is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptKind {
    /// A `script:` file, or a bare flow: must have `main(inputs)`.
    Script,
    /// A library: only what it defines counts.
    Library,
    /// `run:` of a step: sees `inputs` and `steps`.
    Run,
    /// `when:` or the inside of a `${...}`: an expression that sees `inputs` and `steps`.
    Expression,
    /// `dynamic:` of a schedule: an expression that sees `slot` and `inputs`.
    Dynamic,
}

/// What a check found in one piece of Rhai.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The name from the request.
    pub name: String,
    /// Every fault.
    pub diagnostics: Vec<Diagnostic>,
    /// Libraries that it imports, by path from the workspace's folder with `.rhai`.
    pub imports: Vec<String>,
    /// Calls through the broker whose target is a literal.
    pub calls: Vec<FoundCall>,
}

/// A call through the broker that can be seen in a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundCall {
    /// What is named.
    pub target: String,
    /// Whether it names a flow of the workspace itself, past the broker.
    pub own: bool,
    /// The inputs' keys when they are a literal map, each with its value in canonical bytes when
    /// that is literal too.
    pub inputs: Option<BTreeMap<String, Option<Vec<u8>>>>,
    /// Line in the file, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}
