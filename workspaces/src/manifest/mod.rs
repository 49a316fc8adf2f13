//! The workspace file: what a workspace says of itself, and what it lets others do.

mod connectors;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use signalbox_core::broker::Target;
use signalbox_core::catalog::{About, Callers, Connector, Export, Kind, ServiceUse};
use signalbox_core::codes::Code;
use signalbox_core::ids::{FlowName, ServiceName, WorkspaceName};
use signalbox_core::secret;

use crate::faults::Faults;
use crate::fields::{self, Fields};
use crate::root::{check_path, is_inside};
use crate::units;
use crate::yaml::{Entry, Mark, Node, Tree};

const KNOWN: [&str; 11] = [
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
    "flow_folders",
];
const DAY: Duration = Duration::from_hours(24);

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
    pub(crate) flow_folders: Vec<(String, Option<Mark>)>,
    /// Flows of its own that the file names, and where.
    pub(crate) named_flows: Vec<(FlowName, Mark)>,
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
            flow_folders: vec![("flows".to_owned(), None)],
            named_flows: Vec::new(),
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
    let env = env(&fields, faults);
    let secrets = secrets(&fields, faults);
    let connectors = connectors::read(&fields, &env, &secrets, faults);
    Manifest {
        about: About {
            title: fields.text("title", faults),
            description: fields.text("description", faults),
            owner: fields.text("owner", faults),
            ..About::default()
        },
        connectors,
        exports: exports(&fields, &mut named_flows, faults),
        may_start: may_start(&fields, faults),
        accepts: accepts(&fields, &mut named_flows, faults),
        uses: uses(&fields, faults),
        flow_folders: flow_folders(&fields, faults),
        named_flows,
        env,
        secrets,
    }
}

fn refuse_other_kind(fields: &Fields<'_>, kind: Kind, faults: &mut Faults) {
    let (names, owner) = match kind {
        Kind::Platform => (["accepts", "uses"], "a domain"),
        Kind::Domain => (["exports", "may_start"], "the platform"),
    };
    for entry in names.into_iter().filter_map(|name| fields.entry(name)) {
        let message = format!("only {owner} can have `{}`", entry.key);
        faults.error(Code::WrongKind, entry.mark, message);
    }
}

fn env(fields: &Fields<'_>, faults: &mut Faults) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for Entry { key, mark, node } in fields.map("env", faults) {
        if !is_env_name(key) {
            let message = format!("`{}` is not a name for `env`", fields::shown(key));
            let rule = "1 to 64 of a-z, A-Z, 0-9 and `_`, not starting with a digit".to_owned();
            faults.error_with_help(Code::InvalidName, *mark, message, Some(rule));
        }
        let text = match &node.tree {
            Tree::Text(text) => text.text.clone(),
            Tree::Int(number) => number.to_string(),
            Tree::Float(number) => number.to_string(),
            Tree::Bool(truth) => truth.to_string(),
            Tree::Null | Tree::List(_) | Tree::Map(_) | Tree::Bad => {
                fields::wrong_type(node, key, "text, a number or a truth value", faults);
                continue;
            }
        };
        env.insert(key.clone(), text);
    }
    env
}

fn is_env_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn secrets(fields: &Fields<'_>, faults: &mut Faults) -> BTreeSet<String> {
    let mut secrets = BTreeSet::new();
    for node in fields.list("secrets", faults) {
        let Some(name) = fields::text(node, "secrets", faults) else { continue };
        if secret::is_name(name) {
            secrets.insert(name.to_owned());
        } else {
            let message = format!("`{}` is not a name for a secret", fields::shown(name));
            let rule = "1 to 64 of A-Z, 0-9 and `_`, starting with a letter".to_owned();
            faults.error_with_help(Code::InvalidName, node.mark, message, Some(rule));
        }
    }
    secrets
}

fn exports(
    fields: &Fields<'_>,
    flows: &mut Vec<(FlowName, Mark)>,
    faults: &mut Faults,
) -> BTreeMap<ServiceName, Export> {
    let known = ["flow", "version", "callers", "rate_limit", "timeout"];
    let mut exports = BTreeMap::new();
    for entry in fields.map("exports", faults) {
        let name = fields::name_of(&entry.key, entry.mark, faults);
        let Some(fields) = Fields::open(&entry.node, "an export", &known, faults) else { continue };
        let fields = fields.named_at(entry.mark);
        fields.required("flow", faults);
        let flow: Option<FlowName> = fields.name("flow", faults);
        if let (Some(flow), Some(node)) = (&flow, fields.get("flow")) {
            flows.push((flow.clone(), node.mark));
        }
        let version = fields.int("version", 1..=i64::from(u32::MAX), faults).unwrap_or(1);
        let callers = callers(&fields, faults);
        let rate_limit = fields.unit("rate_limit", "a rate like `60/m`", units::rate, faults);
        let timeout = fields.duration("timeout", Duration::from_millis(1)..=7 * DAY, faults);
        if let (Some(name), Some(flow), Some(callers)) = (name, flow, callers) {
            let version = u32::try_from(version).unwrap_or(1);
            exports.insert(name, Export { flow, version, callers, rate_limit, timeout });
        }
    }
    exports
}

fn callers(fields: &Fields<'_>, faults: &mut Faults) -> Option<Callers> {
    let node = fields.required("callers", faults)?;
    let items = fields.list("callers", faults);
    let mut names = BTreeSet::new();
    let mut domains = false;
    for item in items {
        match fields::text(item, "callers", faults) {
            Some("domains") => domains = true,
            Some(name) => names.extend(fields::name_of(name, item.mark, faults)),
            None => {}
        }
    }
    if domains && items.len() > 1 {
        let message = "`domains` means every domain; no other can stand beside it";
        faults.error(Code::InvalidValue, node.mark, message);
    }
    Some(if domains { Callers::Domains } else { Callers::Only(names) })
}

fn may_start(
    fields: &Fields<'_>,
    faults: &mut Faults,
) -> BTreeMap<WorkspaceName, BTreeSet<FlowName>> {
    let mut may_start = BTreeMap::new();
    for entry in fields.map("may_start", faults) {
        let name = fields::name_of(&entry.key, entry.mark, faults);
        let Tree::List(items) = &entry.node.tree else {
            fields::wrong_type(&entry.node, &entry.key, "a list of flows", faults);
            continue;
        };
        let flows = items.iter().filter_map(|item| fields::parsed(item, &entry.key, faults));
        let flows = flows.collect();
        if let Some(name) = name {
            may_start.insert(name, flows);
        }
    }
    may_start
}

fn accepts(
    fields: &Fields<'_>,
    flows: &mut Vec<(FlowName, Mark)>,
    faults: &mut Faults,
) -> BTreeSet<FlowName> {
    let mut accepts = BTreeSet::new();
    for item in fields.list("accepts", faults) {
        if let Some(flow) = fields::parsed::<FlowName>(item, "accepts", faults) {
            flows.push((flow.clone(), item.mark));
            accepts.insert(flow);
        }
    }
    accepts
}

fn uses(fields: &Fields<'_>, faults: &mut Faults) -> BTreeSet<ServiceUse> {
    let mut uses = BTreeSet::new();
    for item in fields.list("uses", faults) {
        match fields::parsed(item, "uses", faults) {
            Some(Target::Service(service, version)) => {
                uses.insert(ServiceUse { service, version });
            }
            Some(Target::Flow(flow)) => {
                let message = format!("`{flow}` is a flow; a domain uses exported services");
                faults.error(Code::InvalidValue, item.mark, message);
            }
            None => {}
        }
    }
    uses
}

fn flow_folders(fields: &Fields<'_>, faults: &mut Faults) -> Vec<(String, Option<Mark>)> {
    if fields.get("flow_folders").is_none() {
        return Manifest::default().flow_folders;
    }
    let mut folders: Vec<(String, Option<Mark>)> = Vec::new();
    for item in fields.list("flow_folders", faults) {
        let Some(text) = fields::text(item, "flow_folders", faults) else { continue };
        if let Err(reason) = check_path(text) {
            let message = format!("`{}` is not a folder's path: it {reason}", fields::shown(text));
            faults.error(Code::InvalidValue, item.mark, message);
        } else if let Some((other, _)) =
            folders.iter().find(|(other, _)| is_inside(text, other) || is_inside(other, text))
        {
            let message = format!("`{text}` and `{other}` overlap");
            faults.error(Code::InvalidValue, item.mark, message);
        } else {
            folders.push((text.to_owned(), Some(item.mark)));
        }
    }
    folders
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
