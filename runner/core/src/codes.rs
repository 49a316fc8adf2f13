//! The codes of whatever an operator meets. Each has a page in `docs/errors/`.
//!
//! 01xx manifests and flows · 02xx scripts · 03xx the contract between workspaces · 04xx the tree
//! and its source · 05xx runs · 06xx requests · 07xx the runner and its machine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $title:literal;)*) => {
        /// An error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as shown: `SB0103`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// What the code means, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }
        }
    };
}

codes! {
    YamlSyntax = "SB0101", "not valid YAML";
    WrongType = "SB0102", "a value of the wrong type";
    UnknownField = "SB0103", "unknown field";
    MissingField = "SB0104", "a required field is missing";
    DuplicateKey = "SB0105", "a key is given twice";
    InvalidName = "SB0106", "a name that is not allowed";
    InvalidValue = "SB0107", "a value that is not allowed";
    Version = "SB0108", "an unknown version of the manifest";
    PlatformCount = "SB0109", "not exactly one platform workspace";
    Overlap = "SB0110", "the folders of two workspaces overlap";
    FileMissing = "SB0111", "a file or folder that is referred to does not exist";
    DuplicateFlow = "SB0112", "two files define the same flow";
    FlowShape = "SB0113", "a flow or step with no action, or with more than one";
    DuplicateStep = "SB0114", "two steps have the same id";
    Cron = "SB0115", "a schedule that cannot be read or never fires";
    TimeZone = "SB0116", "an unknown time zone";
    UnknownReference = "SB0117", "a name that nothing in the workspace has";
    WrongKind = "SB0118", "a field that this kind of workspace cannot have";
    Template = "SB0119", "a `${...}` that cannot be read";
    ManifestMissing = "SB0120", "no root manifest";
    UnknownConnectorType = "SB0121", "an unknown type of connector";
    InputDefault = "SB0122", "a default that its own rule refuses";
    OpenWebhook = "SB0123", "a webhook that anybody may send to";
    GrantMissing = "SB0129", "a connector without the grant that it needs";

    ScriptSyntax = "SB0201", "a script that does not compile";
    UnknownFunction = "SB0202", "an unknown function or module";
    UnknownImport = "SB0203", "an import that the workspace does not have";
    ImportCycle = "SB0204", "libraries that import each other in a circle";
    NoMain = "SB0205", "a script without `main(inputs)`";
    UnknownMethod = "SB0206", "a method that no value has";
    ScriptTooLarge = "SB0207", "a script that is too large";
    CheckLost = "SB0208", "a script that could not be checked in time";
    UnknownVariable = "SB0209", "an unknown variable";
    UndeclaredName = "SB0210", "a secret or connector that the workspace does not declare";

    UnknownService = "SB0301", "a service that the platform does not export";
    WrongDirection = "SB0302", "a call in a direction that is never allowed";
    NotAccepted = "SB0303", "a flow that its domain does not accept to be started";
    NotDeclared = "SB0304", "a call that the caller did not declare";
    UnknownVersion = "SB0305", "a version of a service that is not exported";
    InputsDoNotFit = "SB0306", "inputs that do not fit the callee";
    CallCycle = "SB0307", "calls that lead back to their beginning";
    BreaksCallers = "SB0308", "an export that changes incompatibly while it is in use";
    UnknownFlow = "SB0309", "a flow that does not exist";
    UnknownWorkspace = "SB0310", "a workspace that does not exist";
    CallerNotAllowed = "SB0311", "a caller that the export does not list";
    CallDepth = "SB0312", "a chain of calls that is too long";
    RateLimited = "SB0313", "more calls than the export allows";
    CallFailed = "SB0314", "the called run did not succeed";
    CallTimedOut = "SB0315", "the called run did not end in time";
    CalleeNotLive = "SB0316", "the called workspace has nothing live";

    TreePath = "SB0401", "a path in the tree that is not allowed";
    TreeEntry = "SB0402", "an entry of the tree that is not a plain file";
    TreeLimit = "SB0403", "a tree or file over its bound";
    NotUtf8 = "SB0404", "a file that is not UTF-8";
    CaseCollision = "SB0405", "two paths that differ only in case";
    SourceUnreachable = "SB0406", "the source cannot be read";
    AtomicHeld = "SB0407", "held back by `atomic: repository`";

    ScriptError = "SB0501", "a script failed";
    RunTimedOut = "SB0502", "a run took too long";
    LimitExceeded = "SB0503", "a run went over a bound";
    CellLost = "SB0504", "the cell of a run died";
    Incompatible = "SB0505", "a replay that does not match its journal";
    Denied = "SB0506", "an effect that was not granted";
    SecretMissing = "SB0507", "a secret that is not set";
    SecretMisused = "SB0508", "a secret's handle where it means nothing";
    EffectFailed = "SB0509", "an effect failed";
    Cancelled = "SB0510", "a run was cancelled";
    BadValue = "SB0511", "a value that cannot leave a script";
    StepTimedOut = "SB0512", "a step took too long";

    BadRequest = "SB0601", "a request that cannot be read";
    InvalidInputs = "SB0602", "inputs that the flow refuses";
    NotFound = "SB0603", "no such thing";
    Unauthorized = "SB0604", "no token, or a wrong one";
    ForbiddenOrigin = "SB0605", "a request from a place that may not ask";
    TooLarge = "SB0606", "a request over its bound";
    QueueFull = "SB0607", "the workspace's queue is full";
    IdempotencyConflict = "SB0608", "an idempotency key used for something else";
    MediaType = "SB0609", "a body that is not JSON";
    Conflict = "SB0610", "not possible in the present state";
    MethodNotAllowed = "SB0611", "a method that the route does not have";
    SenderUnproven = "SB0612", "a webhook's sender who did not prove who they are";
    WebhookUnavailable = "SB0613", "a webhook that cannot be answered now";
    WebhookRunFailed = "SB0614", "the run that a webhook's sender waited for did not succeed";
    WebhookRate = "SB0615", "more deliveries than the webhook takes";

    DataNewer = "SB0701", "a data directory of a newer version";
    DataInUse = "SB0702", "a data directory in use by another process";
    DataUnusable = "SB0703", "a data directory that cannot be used";
    StoreFailed = "SB0704", "the store failed";
    ShuttingDown = "SB0705", "the runner is stopping";
    Starting = "SB0706", "the runner is still starting";
    IsolationTooWeak = "SB0707", "cells that cannot be walled in as demanded";
    Internal = "SB0799", "a fault of Signalbox itself";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.as_str().to_owned()
    }
}

impl FromStr for Code {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = |code: &&Self| code.as_str().eq_ignore_ascii_case(text);
        Self::ALL.iter().find(known).copied().ok_or_else(|| format!("`{text}` is not a code"))
    }
}

impl TryFrom<String> for Code {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}
