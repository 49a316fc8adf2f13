//! The file as a whole.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_core::catalog::{About, Connector, Export, Kind, ServiceUse};
use signalbox_core::codes::Code;
use signalbox_core::handler::Event;
use signalbox_core::ids::{FlowName, ServiceName, WorkspaceName};
use signalbox_core::isolation::Level;
use signalbox_core::webhook::Webhook;

use super::{calls, connectors, environment, folders, webhooks};
use crate::alarms::{self, ParsedHealth};
use crate::faults::Faults;
use crate::fields::Fields;
use crate::groups::{self, Group};
use crate::handlers::{self, Named};
use crate::mark::Mark;
use crate::yaml::Node;

const KNOWN: [&str; 19] = [
    "title",
    "description",
    "owner",
    "env",
    "secrets",
    "connectors",
    "exports",
    "may_start",
    "accepts",
    "uses",
    "webhooks",
    "on_failure",
    "on_recovery",
    "on_success",
    "on_call_failure",
    "health",
    "isolation",
    "notification_groups",
    "flow_folders",
];

/// What a workspace can name a handler for.
const EVENTS: [Event; 4] = [Event::Failure, Event::Recovery, Event::Success, Event::CallFailure];

/// A workspace file, with the places of what is resolved later.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) about: About,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) connectors: BTreeMap<String, Connector>,
    pub(crate) exports: BTreeMap<ServiceName, Export>,
    pub(crate) may_start: BTreeMap<WorkspaceName, BTreeSet<FlowName>>,
    pub(crate) accepts: BTreeSet<FlowName>,
    pub(crate) uses: BTreeSet<ServiceUse>,
    pub(crate) webhooks: BTreeMap<String, Webhook>,
    pub(crate) handlers: Vec<Named>,
    pub(crate) health: Option<ParsedHealth>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) isolation: Option<Level>,
    pub(crate) flow_folders: Vec<(String, Option<Mark>)>,
    /// Flows of its own that the file names, and where.
    pub(crate) named_flows: Vec<(FlowName, Mark)>,
    /// Where the inputs of webhooks are said.
    pub(crate) webhook_marks: BTreeMap<String, Mark>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            about: About::default(),
            env: BTreeMap::new(),
            secrets: BTreeSet::new(),
            connectors: BTreeMap::new(),
            exports: BTreeMap::new(),
            may_start: BTreeMap::new(),
            accepts: BTreeSet::new(),
            uses: BTreeSet::new(),
            webhooks: BTreeMap::new(),
            handlers: Vec::new(),
            health: None,
            groups: BTreeMap::new(),
            isolation: None,
            flow_folders: folders::usual(),
            named_flows: Vec::new(),
            webhook_marks: BTreeMap::new(),
        }
    }
}

/// Reads the tree of a workspace file.
pub(crate) fn read(node: &Node, kind: Kind, faults: &mut Faults) -> Manifest {
    let Some(fields) = Fields::open(node, "a workspace file", &KNOWN, faults) else {
        return Manifest::default();
    };
    refuse_other_kind(&fields, kind, faults);
    let mut named_flows = Vec::new();
    let env = environment::env(&fields, faults);
    let secrets = environment::secrets(&fields, faults);
    let connectors = connectors::read(&fields, &env, &secrets, faults);
    let webhooks = webhooks::read(&fields, &secrets, faults);
    named_flows.extend(webhooks.iter().map(|found| (found.webhook.flow.clone(), found.flow_at)));
    let webhook_marks = webhooks.iter().map(|found| (found.name.clone(), found.inputs_at));
    Manifest {
        webhook_marks: webhook_marks.collect(),
        about: About {
            title: fields.text("title", faults),
            description: fields.text("description", faults),
            owner: fields.text("owner", faults),
            ..About::default()
        },
        connectors,
        exports: calls::exports(&fields, &mut named_flows, faults),
        may_start: calls::may_start(&fields, faults),
        accepts: calls::accepts(&fields, &mut named_flows, faults),
        uses: calls::uses(&fields, faults),
        webhooks: webhooks.into_iter().map(|found| (found.name, found.webhook)).collect(),
        handlers: handlers::read(&fields, &EVENTS, faults),
        health: alarms::health(&fields, faults),
        groups: groups::read(&fields, faults),
        isolation: isolation(&fields, faults),
        flow_folders: folders::read(&fields, faults),
        named_flows,
        env,
        secrets,
    }
}

/// The level that a workspace demands: `isolation: { min: L2 }`.
fn isolation(fields: &Fields<'_>, faults: &mut Faults) -> Option<Level> {
    let entry = fields.entry("isolation")?;
    let fields = Fields::open(&entry.node, "`isolation`", &["min"], faults)?.named_at(entry.mark);
    fields.required("min", faults)?;
    fields.unit("min", "`L1`, `L2` or `L3`", |text| text.parse().ok(), faults)
}

fn refuse_other_kind(fields: &Fields<'_>, kind: Kind, faults: &mut Faults) {
    let (names, owner): (&[&str], _) = match kind {
        Kind::Platform => (&["accepts", "uses"], "a domain"),
        Kind::Domain => (&["exports", "may_start", "on_call_failure"], "the platform"),
    };
    for entry in names.iter().filter_map(|name| fields.entry(name)) {
        let message = format!("only {owner} can have `{}`", entry.key);
        faults.error(Code::WrongKind, entry.mark, message);
    }
}

/// The about of the root manifest, with what the workspace file says put before it.
pub(crate) fn merge(own: About, root: &About) -> About {
    About {
        title: own.title.or_else(|| root.title.clone()),
        description: own.description.or_else(|| root.description.clone()),
        owner: own.owner.or_else(|| root.owner.clone()),
        environment: root.environment.clone(),
        tags: root.tags.clone(),
    }
}
