//! What is live: workspaces, their flows, and what each may do. Immutable, swapped whole.
//!
//! These types are what `workspaces` makes of a revision's files, what the store keeps of a
//! deployment, and what the engine runs. All of them round-trip through JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::alarm::Absence;
use crate::handler::{Event, Handler, Handlers};
use crate::health::Thresholds;
use crate::ids::{Digest, FlowName, Revision, ServiceName, WorkspaceName};
use crate::inputs::Schema;
use crate::isolation::Level;
pub use crate::rate::RateLimit;
use crate::retry::Retry;
use crate::run::Trigger;
use crate::schedule::{Calendar, Schedule};
use crate::value::Value;
use crate::webhook::Webhook;

/// Version of everything that turns files into a [`Workspace`]. Part of a workspace's identity: a
/// runner that checks more than the one before looks at everything again.
pub const VALIDATOR_VERSION: u32 = 4;

/// Platform or domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// How the system runs. Exactly one workspace is it.
    Platform,
    /// What the system does.
    Domain,
}

impl Kind {
    /// `platform` or `domain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Domain => "domain",
        }
    }
}

/// A workspace at one revision, checked and complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workspace {
    /// Its name.
    pub name: WorkspaceName,
    /// Platform or domain.
    pub kind: Kind,
    /// The workspace's folder in the repository.
    pub path: String,
    /// The commit it was read from.
    pub revision: Revision,
    /// The id of its folder's tree at that commit.
    pub tree: String,
    /// Digest of its entry in the root manifest.
    pub config_hash: Digest,
    /// From the workspace file; for people.
    pub about: About,
    /// What it was granted by the root manifest.
    pub grants: Grants,
    /// Its own environment, read with `env("NAME")`.
    pub env: BTreeMap<String, String>,
    /// Names of the secrets that its scripts and connectors may use.
    pub secrets: BTreeSet<String>,
    /// Its connectors by name.
    pub connectors: BTreeMap<String, Connector>,
    /// Services by name; platform only.
    pub exports: BTreeMap<ServiceName, Export>,
    /// Domain flows that it starts; platform only.
    pub may_start: BTreeMap<WorkspaceName, BTreeSet<FlowName>>,
    /// Its own flows that the platform may start; domain only.
    pub accepts: BTreeSet<FlowName>,
    /// Services that it calls; domain only.
    pub uses: BTreeSet<ServiceUse>,
    /// Requests from outside that start its flows, by name.
    #[serde(default)]
    pub webhooks: BTreeMap<String, Webhook>,
    /// The flows that are told of calls by domains that failed or were refused; platform only.
    #[serde(default, deserialize_with = "crate::handler::one_or_more")]
    pub on_call_failure: Vec<FlowName>,
    /// What is still healthy, and who is told when it is not.
    #[serde(default)]
    pub health: Option<Health>,
    /// The isolation level below which none of its runs is evaluated.
    #[serde(default)]
    pub isolation: Option<Level>,
    /// Its flows.
    pub flows: BTreeMap<FlowName, Flow>,
    /// Digest of every script and library, by path from the workspace's folder.
    pub sources: BTreeMap<String, Digest>,
    /// Its calendars by name, for schedules.
    #[serde(default)]
    pub calendars: BTreeMap<String, Calendar>,
}

impl Workspace {
    /// A workspace in the folder of its name that has nothing and declares nothing.
    pub fn new(name: WorkspaceName, kind: Kind, revision: Revision) -> Self {
        Self {
            path: name.to_string(),
            name,
            kind,
            revision,
            tree: String::new(),
            config_hash: Digest([0; 32]),
            about: About::default(),
            grants: Grants::default(),
            env: BTreeMap::new(),
            secrets: BTreeSet::new(),
            connectors: BTreeMap::new(),
            exports: BTreeMap::new(),
            may_start: BTreeMap::new(),
            accepts: BTreeSet::new(),
            uses: BTreeSet::new(),
            webhooks: BTreeMap::new(),
            on_call_failure: Vec::new(),
            health: None,
            isolation: None,
            flows: BTreeMap::new(),
            sources: BTreeMap::new(),
            calendars: BTreeMap::new(),
        }
    }

    /// What makes two states of a workspace the same: nothing is to be done between them.
    pub fn identity(&self) -> Digest {
        identity(&self.tree, self.config_hash)
    }

    /// The calendar of a schedule, if it has one.
    pub fn calendar_of(&self, schedule: &Schedule) -> Option<&Calendar> {
        self.calendars.get(schedule.calendar.as_ref()?)
    }
}

/// The identity of a workspace from its tree and its entry in the root manifest.
pub fn identity(tree: &str, config_hash: Digest) -> Digest {
    Digest::of_parts([
        tree.as_bytes(),
        config_hash.0.as_slice(),
        VALIDATOR_VERSION.to_le_bytes().as_slice(),
    ])
}

/// What a workspace says of itself, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Short name for pages; the workspace's name when not given.
    pub title: Option<String>,
    /// One sentence.
    pub description: Option<String>,
    /// Who is asked when it breaks.
    pub owner: Option<String>,
    /// `production`, `staging`, ...; from the root manifest.
    pub environment: Option<String>,
    /// From the root manifest.
    pub tags: Vec<String>,
}

/// What a workspace says of its health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// What is still healthy.
    pub thresholds: Thresholds,
    /// Who is told when it is not, and when it is again.
    pub notify: Vec<Handler>,
    /// The services among them, for the check of contracts.
    pub calls: Vec<LiteralCall>,
}

/// What the root manifest gives to a workspace. Default: nothing, within the default limits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// Hosts, `host:port` or origins that its effects may reach.
    pub network: Vec<NetworkGrant>,
    /// What it may learn of the machine that the runner is on.
    #[serde(default)]
    pub host: BTreeSet<HostGrant>,
    /// How much it may use.
    pub limits: Limits,
}

/// One place in the network that a workspace may reach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NetworkGrant {
    /// `http` or `https`; both when not given.
    pub scheme: Option<String>,
    /// A host name in lower case, or a literal address without brackets.
    pub host: String,
    /// The port; the scheme's own when not given.
    pub port: Option<u16>,
}

/// Something about the runner's machine that a workspace may learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostGrant {
    /// Load, memory, disks, uptime: what `system` connectors read.
    Metrics,
}

impl HostGrant {
    /// Every one of them.
    pub const ALL: [Self; 1] = [Self::Metrics];

    /// As written in the root manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
        }
    }
}

/// How much a workspace may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of one cell, in bytes.
    pub memory: u64,
    /// Runs that are evaluated side by side.
    pub concurrency: u32,
    /// Longest active time of one run; a flow's `timeout` may be shorter.
    pub run_time: Duration,
    /// Rhai operations of one run.
    pub operations: u64,
    /// Runs that may wait.
    pub queue: u32,
}

impl Default for Limits {
    /// DESIGN §6.7.
    fn default() -> Self {
        Self {
            memory: crate::bounds::MEMORY,
            concurrency: 16,
            run_time: Duration::from_mins(30),
            operations: crate::bounds::OPERATIONS,
            queue: crate::bounds::QUEUE,
        }
    }
}

/// A named, configured client of an outside system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connector {
    /// Its type.
    pub kind: ConnectorKind,
    /// Its settings by field; texts may hold `${secrets.NAME}` and `${env.NAME}`, which the runner
    /// fills in at the last moment.
    pub settings: BTreeMap<String, String>,
    /// `headers` of an `http` connector.
    pub headers: BTreeMap<String, String>,
}

/// The types of connectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectorKind {
    /// `base_url`, `headers`; methods `get post put patch delete`.
    Http,
    /// `webhook_url`, `channel`; method `send`.
    Slack,
    /// `level`; method `send`: a log line of the run.
    Log,
    /// No settings; methods `cpu memory disk disks load uptime`, of the runner's machine.
    System,
    /// No settings; methods `tcp http dns certificate`: whether something answers.
    Probe,
}

/// A flow of the platform that domains may call by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Export {
    /// The platform's flow behind it.
    pub flow: FlowName,
    /// The version that callers ask for with `name@version`.
    pub version: u32,
    /// Who may call.
    pub callers: Callers,
    /// Most calls in a time, over all callers together.
    pub rate_limit: Option<RateLimit>,
    /// How long a caller waits for the result at most.
    pub timeout: Option<Duration>,
}

/// Who may call a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Callers {
    /// Every domain that declares the use: `[domains]`.
    Domains,
    /// These workspaces.
    Only(BTreeSet<WorkspaceName>),
}

/// A service that a domain declares to call: `alerts.send@1`, or `alerts.send` for whatever
/// version there is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceUse {
    /// The service.
    pub service: ServiceName,
    /// The version that is wanted.
    pub version: Option<u32>,
}

/// A flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Its file, by path from the workspace's folder.
    pub file: String,
    /// One sentence for people.
    pub summary: Option<String>,
    /// What it takes.
    pub inputs: Schema,
    /// When it fires.
    pub schedules: Vec<Schedule>,
    /// Longest active time of a run.
    pub timeout: Option<Duration>,
    /// Longest time from a run's acceptance to its end, with all waiting.
    #[serde(default)]
    pub deadline: Option<Duration>,
    /// Whether and when a run that failed is tried again.
    #[serde(default)]
    pub retry: Option<Retry>,
    /// How its runs take turns.
    #[serde(default)]
    pub turns: crate::turn::Settings,
    /// What a cell does for it.
    pub plan: Plan,
    /// What is started by how its runs end.
    #[serde(default)]
    pub handlers: Handlers,
    /// How long it may go without a success.
    #[serde(default)]
    pub absence: Option<Absence>,
    /// Calls to other workspaces that can be seen in its steps and scripts.
    pub calls: Vec<LiteralCall>,
    /// Starts of flows of the same workspace that can be seen there; each target is a flow's name.
    #[serde(default)]
    pub starts: Vec<LiteralCall>,
}

impl Flow {
    /// A flow that takes nothing, does nothing and is started by nobody.
    pub fn new(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            summary: None,
            inputs: Schema::default(),
            schedules: Vec::new(),
            timeout: None,
            deadline: None,
            retry: None,
            turns: crate::turn::Settings::default(),
            plan: Plan::default(),
            handlers: Handlers::default(),
            absence: None,
            calls: Vec::new(),
            starts: Vec::new(),
        }
    }

    /// The handlers of a run that was started by this: those of its schedule before the flow's.
    /// With them comes the schedule, when its failures and recoveries are told apart from those of
    /// the flow's other runs.
    pub fn handlers_of(&self, trigger: &Trigger) -> (Handlers, Option<String>) {
        let schedule = match trigger.root() {
            Trigger::Schedule { schedule, .. } => {
                self.schedules.iter().find(|known| known.id() == *schedule)
            }
            Trigger::Call { .. }
            | Trigger::Handler { .. }
            | Trigger::Alarm { .. }
            | Trigger::Webhook { .. }
            | Trigger::Api
            | Trigger::Retry { .. }
            | Trigger::Flow { .. }
            | Trigger::Continue { .. } => None,
        };
        let Some(schedule) = schedule else { return (self.handlers.clone(), None) };
        let apart = schedule.handlers.tell_of_failures().then(|| schedule.id());
        (schedule.handlers.or(&self.handlers), apart)
    }

    /// Whether a recovery is told to anybody: of the runs of the schedule that is told apart, or of
    /// all others.
    pub fn awaits_recovery(&self, schedule: Option<&str>) -> bool {
        let Some(id) = schedule else { return self.handlers.recovery.is_some() };
        let apart = |known: &&Schedule| known.handlers.tell_of_failures() && known.id() == id;
        let found = self.schedules.iter().find(apart);
        found.is_some_and(|own| own.handlers.or(&self.handlers).recovery.is_some())
    }
}

/// What a cell interprets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What the flow returns: a template; the last step's result when not given.
    pub output: Option<Value>,
    /// The `retry_if` of the flow's own `retry`: an error of which it is not true is not retryable.
    #[serde(default)]
    pub retry_if: Option<String>,
    /// Every script and library that the steps can reach, by path from the workspace's folder.
    pub sources: BTreeSet<String>,
}

/// A named part of a flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Unique in its flow.
    pub id: String,
    /// A Rhai expression; the step is skipped (its result is null) unless it is true.
    pub when: Option<String>,
    /// What it does.
    pub action: Action,
    /// Where it stands in the flow's file, for errors: line, from 1.
    pub line: u32,
    /// The steps of the same list that must have ended before it; the one before it when not given.
    #[serde(default)]
    pub needs: Option<Vec<String>>,
    /// How it is repeated.
    #[serde(default)]
    pub repeat: Option<Repeat>,
    /// When it is tried again. Each item or round of a repeated step has tries of its own.
    #[serde(default)]
    pub retry: Option<Retry>,
    /// Longest active time of one try; of the whole step when it is repeated.
    #[serde(default)]
    pub timeout: Option<Duration>,
    /// Whether its error becomes its result, `{ error: { code, message } }`, and the flow goes on.
    #[serde(default)]
    pub continue_on_error: bool,
    /// A Rhai expression, evaluated after the step: when it is true, the list of steps around it
    /// ends well with this step's result, and so does the loop when the list is that of a `while`.
    #[serde(default)]
    pub stop_if: Option<String>,
}

impl Step {
    /// A step that is executed once, after the one before it.
    pub fn new(id: impl Into<String>, action: Action, line: u32) -> Self {
        Self {
            id: id.into(),
            when: None,
            action,
            line,
            needs: None,
            repeat: None,
            retry: None,
            timeout: None,
            continue_on_error: false,
            stop_if: None,
        }
    }

    /// The lists of steps inside of it.
    pub fn lists(&self) -> impl Iterator<Item = &[Self]> {
        let (cases, last): (&[Case], &[Self]) = match &self.action {
            Action::Steps { steps } => (&[], steps),
            Action::Switch { cases, otherwise } => (cases, otherwise),
            Action::Run { .. }
            | Action::Script { .. }
            | Action::Call { .. }
            | Action::Flow { .. }
            | Action::Sleep { .. } => (&[], &[]),
        };
        cases.iter().map(|case| case.steps.as_slice()).chain(std::iter::once(last))
    }
}

/// How a step is repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Once for each item of a list; the result is the list of results.
    Foreach {
        /// A Rhai expression that gives the list.
        items: String,
        /// How many items are under way at once, from 1 to [`MAX_PARALLEL`].
        parallel: u32,
    },
    /// As long as something holds; the result is the last round's.
    While {
        /// A Rhai expression.
        condition: String,
        /// Most rounds. That the condition still holds after so many is an error.
        max: u32,
    },
}

/// Most branches of one run that are under way at once: DESIGN §6.1.
pub const MAX_PARALLEL: u32 = 8;

/// One way of a `switch`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// A Rhai expression; the first case of which it is true is taken.
    pub when: String,
    /// What is done.
    pub steps: Vec<Step>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Rhai in place; its value is the step's result. `inputs` and `steps` are variables.
    Run {
        /// The code.
        code: String,
        /// Line of the flow's file on which the code begins, so that errors point there.
        line: u32,
    },
    /// A file whose `main(inputs)` is called.
    Script {
        /// Path from the workspace's folder.
        path: String,
        /// A template for what `main` is given; the flow's inputs when not given.
        inputs: Option<Value>,
    },
    /// A call of another workspace, through the broker.
    Call {
        /// `service`, `service@version` or `workspace/flow`.
        target: String,
        /// A template for the inputs.
        inputs: Value,
    },
    /// Another flow of the same workspace, as a run of its own.
    Flow {
        /// Its name.
        flow: String,
        /// A template for the inputs.
        inputs: Value,
    },
    /// A pause. The result is null.
    Sleep {
        /// A template for how long: a number of seconds, or a duration.
        duration: Value,
    },
    /// Steps in a list of their own. The result is that of the last.
    Steps {
        /// The steps.
        steps: Vec<Step>,
    },
    /// One of several lists of steps. The result is that of its last step; null when none is taken.
    Switch {
        /// In the order in which they are looked at.
        cases: Vec<Case>,
        /// What is done when there is no case.
        otherwise: Vec<Step>,
    },
}

/// A call that can be seen without running anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiteralCall {
    /// `service`, `service@version` or `workspace/flow`.
    pub target: String,
    /// The inputs' keys, with the value of those that are literal; `None` where nothing is known.
    pub inputs: Option<BTreeMap<String, Option<Value>>>,
    /// File, from the repository's root.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// For a service that handles: what, so that its inputs are the facts of that.
    #[serde(default)]
    pub handles: Option<Event>,
    /// For a service that tells of alarms: of which, likewise.
    #[serde(default)]
    pub tells: Option<crate::occasion::Kind>,
}

/// Every live workspace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    /// By name.
    pub workspaces: BTreeMap<WorkspaceName, std::sync::Arc<Workspace>>,
}

impl Catalog {
    /// The platform workspace, if it is live.
    pub fn platform(&self) -> Option<&Workspace> {
        self.workspaces.values().find(|ws| ws.kind == Kind::Platform).map(AsRef::as_ref)
    }

    /// A flow by workspace and name.
    pub fn find_flow(&self, workspace: &WorkspaceName, flow: &FlowName) -> Option<&Flow> {
        self.workspaces.get(workspace)?.flows.get(flow)
    }
}
