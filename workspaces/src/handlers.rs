//! `on_failure`, `on_recovery`, `on_success` of flows, their schedules, and workspaces.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_core::broker::Target;
use signalbox_core::catalog::{Flow, Kind, LiteralCall, ServiceUse};
use signalbox_core::codes::Code;
use signalbox_core::handler::{self, Event, Handler, Handlers};
use signalbox_core::ids::FlowName;
use signalbox_core::inputs::Schema;

use crate::faults::{Faults, near};
use crate::fields::{self, Fields};
use crate::groups::{self, Group};
use crate::mark::Mark;

/// What a flow that does not take its facts is helped with.
pub(crate) const FACTS: &str = "a handler's inputs are among `event`, `workspace`, `flow`, `run`, \
                                `state`, `reason`, `error`, `attempt`, `trigger`, `started_at`, \
                                `ended_at`, `alert_type`, `severity` and `message`; `error` is \
                                there for failures, `started_at` for runs that have begun";

/// What is wrong with a handler's inputs.
pub(crate) fn unfit(schema: &Schema, event: Event, name: &str) -> Option<String> {
    let unfit = handler::faults(schema, event);
    let unfit: Vec<_> = unfit.iter().map(|f| format!("`{}` {}", f.input, f.message)).collect();
    let field = event.field();
    let why = unfit.join("; ");
    (!unfit.is_empty())
        .then(|| format!("`{name}` in `{field}` does not take what it is told: {why}"))
}

/// A handler as a file names it.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) event: Event,
    pub(crate) name: String,
    pub(crate) at: Mark,
}

/// The handlers that the files name for a flow.
#[derive(Debug, Default)]
pub(crate) struct OfFlow {
    /// For all its runs.
    pub(crate) own: Vec<Named>,
    /// For those of each of its schedules, in their order.
    pub(crate) schedules: Vec<Vec<Named>>,
}

/// Reads the handlers of a flow, a schedule or a workspace: one for each name of each event.
pub(crate) fn read(fields: &Fields<'_>, events: &[Event], faults: &mut Faults) -> Vec<Named> {
    let mut named = Vec::new();
    for event in events {
        let Some(node) = fields.get(event.field()) else { continue };
        let names = groups::names(node, event.field(), faults);
        named.extend(names.into_iter().map(|(name, at)| Named { event: *event, name, at }));
    }
    named
}

/// What names are looked up in.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) kind: Kind,
    pub(crate) uses: &'a BTreeSet<ServiceUse>,
    pub(crate) schemas: BTreeMap<FlowName, Schema>,
    pub(crate) groups: &'a BTreeMap<String, Group>,
}

impl Scope<'_> {
    /// Gives a flow and its schedules the handlers that its own file names.
    pub(crate) fn resolve_own(
        &self,
        name: &FlowName,
        handlers: &OfFlow,
        flow: &mut Flow,
        at: (&str, &mut Faults),
    ) {
        let Flow { handlers: own, schedules, calls, .. } = flow;
        let (file, faults) = at;
        self.resolve(name, &handlers.own, (own, calls), (file, faults));
        for (schedule, named) in schedules.iter_mut().zip(&handlers.schedules) {
            self.resolve(name, named, (&mut schedule.handlers, calls), (file, faults));
        }
    }

    fn resolve(
        &self,
        name: &FlowName,
        handlers: &[Named],
        (to, calls): (&mut Handlers, &mut Vec<LiteralCall>),
        (file, faults): (&str, &mut Faults),
    ) {
        for named in handlers {
            if named.name == name.as_str() {
                let message = "a flow cannot handle how it ends itself";
                faults.error(Code::InvalidValue, named.at, message);
            } else if let Some(handler) = self.find(named, faults) {
                give((to, calls), named, name, &handler, file);
            }
        }
    }

    /// Gives a flow the handlers of its workspace for what it has none of its own for. A handler is
    /// not its own. What is wrong with them was told when the workspace's file was read.
    pub(crate) fn resolve_usual(
        &self,
        name: &FlowName,
        usual: &[Named],
        flow: &mut Flow,
        file: &str,
    ) {
        let Flow { handlers, calls, .. } = flow;
        let mut has = |event: Event| handlers.place(event).is_none_or(|place| place.is_some());
        let given: Vec<_> = Event::OF_RUNS.into_iter().filter(|event| has(*event)).collect();
        for named in usual.iter().filter(|named| !given.contains(&named.event)) {
            if let Some(handler) = self.find(named, &mut Faults::of(file)) {
                give((handlers, calls), named, name, &handler, file);
            }
        }
    }

    /// The handler of a name: a flow of the workspace, a group, or a service that a domain uses.
    pub(crate) fn find(&self, named: &Named, faults: &mut Faults) -> Option<Handler> {
        let found = self.look_up(&named.name, named.event != Event::CallFailure);
        if found.is_none() {
            self.unknown(&named.name, named.event.field(), named.at, faults);
        }
        for handler in found.iter().flat_map(Handler::each) {
            let Handler::Flow(flow) = handler else { continue };
            let schema = self.schemas.get(flow);
            let unfit = schema.and_then(|schema| unfit(schema, named.event, flow.as_str()));
            if let Some(message) = unfit {
                let help = Some(FACTS.to_owned());
                faults.error_with_help(Code::InputsDoNotFit, named.at, message, help);
            }
        }
        found
    }

    /// What a name stands for: a flow of the workspace, a group of handlers, or a service that a
    /// domain uses. What is wrong with a group was told where it stands.
    pub(crate) fn look_up(&self, name: &str, services: bool) -> Option<Handler> {
        let Some(group) = self.groups.get(name) else { return self.look_up_one(name, services) };
        let members = group.members.iter();
        let found = members.filter_map(|(member, _)| self.look_up_one(member, services));
        Some(found.fold(Handler::All(Vec::new()), |all, one| all.and(&one)))
    }

    /// What a name stands for that is no group's.
    pub(crate) fn look_up_one(&self, name: &str, services: bool) -> Option<Handler> {
        let flow = name.parse::<FlowName>().ok().filter(|flow| self.schemas.contains_key(flow));
        if let Some(flow) = flow {
            return Some(Handler::Flow(flow));
        }
        match name.parse::<Target>() {
            Ok(Target::Service(service, _)) => {
                let used = services && self.kind == Kind::Domain;
                let used = used && self.uses.iter().any(|used| used.service == service);
                used.then(|| Handler::Service(name.to_owned()))
            }
            Ok(Target::Flow(_)) | Err(_) => None,
        }
    }

    /// Reports what is wrong with the groups themselves.
    pub(crate) fn check_groups(&self, faults: &mut Faults) {
        for (name, group) in self.groups {
            if name.parse::<FlowName>().is_ok_and(|flow| self.schemas.contains_key(&flow)) {
                let message = format!("`{name}` is a flow, too: a group needs a name of its own");
                faults.error(Code::InvalidName, group.at, message);
            }
            for (member, at) in &group.members {
                if self.look_up_one(member, true).is_some() {
                    continue;
                }
                if self.groups.contains_key(member) {
                    let message = format!("`{member}` is a group, and no group can be in a group");
                    faults.error(Code::InvalidValue, *at, message);
                } else {
                    self.unknown(member, groups::FIELD, *at, faults);
                }
            }
        }
    }

    /// Reports a name that stands for nothing.
    pub(crate) fn unknown(&self, name: &str, field: &str, at: Mark, faults: &mut Faults) {
        let shown = fields::shown(name);
        let message = match self.kind {
            Kind::Platform => {
                format!("`{shown}` in `{field}` is no flow or group of the workspace")
            }
            Kind::Domain => format!(
                "`{shown}` in `{field}` is neither a flow or group of the workspace nor a service \
                 in `uses`"
            ),
        };
        let known = self.schemas.keys().map(FlowName::as_str);
        let services = self.uses.iter().map(|used| used.service.as_str());
        let groups = self.groups.keys().map(String::as_str);
        let help = near(name, known.chain(services).chain(groups));
        faults.error_with_help(Code::UnknownReference, at, message, help);
    }
}

/// Adds a handler to those of an event. Of a group, the flow is none for itself. A service that
/// handles is a call that can be seen: the contract check looks at it.
fn give(
    (handlers, calls): (&mut Handlers, &mut Vec<LiteralCall>),
    named: &Named,
    flow: &FlowName,
    handler: &Handler,
    file: &str,
) {
    let Some(place) = handlers.place(named.event) else { return };
    for handler in handler.each() {
        match handler {
            Handler::Flow(of) if of == flow => continue,
            Handler::Flow(_) | Handler::All(_) => {}
            Handler::Service(target) => calls.push(LiteralCall {
                target: target.clone(),
                inputs: None,
                file: file.to_owned(),
                line: named.at.line,
                column: named.at.column,
                handles: Some(named.event),
                tells: None,
            }),
        }
        let before = place.take();
        *place = Some(match before {
            Some(before) => before.and(handler),
            None => handler.clone(),
        });
    }
}
