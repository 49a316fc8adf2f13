//! What workspaces let one another do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use signalbox_core::broker::Target;
use signalbox_core::catalog::{Callers, Export, ServiceUse};
use signalbox_core::codes::Code;
use signalbox_core::ids::{FlowName, ServiceName, WorkspaceName};

use crate::faults::Faults;
use crate::fields::{self, Fields};
use crate::mark::Mark;
use crate::units;
use crate::yaml::Tree;

const DAY: Duration = Duration::from_hours(24);

/// `exports`: the services of the platform. Adds the flows behind them to `flows`.
pub(super) fn exports(
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

/// `may_start`: the flows of domains that the platform may start.
pub(super) fn may_start(
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

/// `accepts`: the flows that the platform may start here. Adds them to `flows`.
pub(super) fn accepts(
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

/// `uses`: the services of the platform that a domain relies on.
pub(super) fn uses(fields: &Fields<'_>, faults: &mut Faults) -> BTreeSet<ServiceUse> {
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
