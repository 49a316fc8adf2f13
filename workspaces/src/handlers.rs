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
    (!unfit.is_empty()).then(|| format!("`{name}` in `{field}` does not take what it is told: {why}"))
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

/// Reads the handlers of a flow, a schedule or a workspace.
pub(crate) fn read(fields: &Fields<'_>, events: &[Event], faults: &mut Faults) -> Vec<Named> {
    let one = |event: &Event| {
        let node = fields.get(event.field())?;
        let name = fields::text(node, event.field(), faults)?.to_owned();
        Some(Named { event: *event, name, at: node.mark })
    };
    events.iter().filter_map(one).collect()
}

/// What names are looked up in.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) kind: Kind,
    pub(crate) uses: &'a BTreeSet<ServiceUse>,
    pub(crate) schemas: BTreeMap<FlowName, Schema>,
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
                give((to, calls), named, handler, file);
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
        for named in usual.iter().filter(|named| named.name != name.as_str()) {
            let given = flow.handlers.place(named.event).is_none_or(|place| place.is_some());
            if let (false, Some(handler)) = (given, self.find(named, &mut Faults::of(file))) {
                give((&mut flow.handlers, &mut flow.calls), named, handler, file);
            }
        }
    }

    /// The handler of a name: a flow of the workspace, or a service that a domain uses.
    pub(crate) fn find(&self, named: &Named, faults: &mut Faults) -> Option<Handler> {
        let field = named.event.field();
        let flow = named.name.parse::<FlowName>().ok();
        if let Some((flow, schema)) =
            flow.as_ref().and_then(|flow| self.schemas.get_key_value(flow))
        {
            if let Some(message) = unfit(schema, named.event, named.name.as_str()) {
                let help = Some(FACTS.to_owned());
                faults.error_with_help(Code::InputsDoNotFit, named.at, message, help);
            }
            return Some(Handler::Flow(flow.clone()));
        }
        let found = self.look_up(&named.name, named.event != Event::CallFailure);
        if found.is_none() {
            self.unknown(&named.name, field, named.at, faults);
        }
        found
    }

    /// What a name stands for: a flow of the workspace, or a service that a domain uses.
    pub(crate) fn look_up(&self, name: &str, services: bool) -> Option<Handler> {
        let flow = name.parse::<FlowName>().ok().filter(|flow| self.schemas.contains_key(flow));
        if let Some(flow) = flow {
            return Some(Handler::Flow(flow));
        }
        let used = |service| self.uses.iter().any(|used| used.service == service);
        match name.parse::<Target>() {
            Ok(Target::Service(service, _))
                if services && self.kind == Kind::Domain && used(service.clone()) =>
            {
                Some(Handler::Service(name.to_owned()))
            }
            Ok(Target::Service(..) | Target::Flow(_)) | Err(_) => None,
        }
    }

    /// Reports a name that stands for nothing.
    pub(crate) fn unknown(&self, name: &str, field: &str, at: Mark, faults: &mut Faults) {
        let shown = fields::shown(name);
        let message = match self.kind {
            Kind::Platform => format!("`{shown}` in `{field}` is no flow of the workspace"),
            Kind::Domain => format!(
                "`{shown}` in `{field}` is neither a flow of the workspace nor a service in `uses`"
            ),
        };
        let known = self.schemas.keys().map(FlowName::as_str);
        let services = self.uses.iter().map(|used| used.service.as_str());
        let help = near(name, known.chain(services));
        faults.error_with_help(Code::UnknownReference, at, message, help);
    }
}

/// Sets a handler. A service that handles is a call that can be seen: the contract check looks at it.
fn give(
    (handlers, calls): (&mut Handlers, &mut Vec<LiteralCall>),
    named: &Named,
    handler: Handler,
    file: &str,
) {
    if let Handler::Service(target) = &handler {
        calls.push(LiteralCall {
            target: target.clone(),
            inputs: None,
            file: file.to_owned(),
            line: named.at.line,
            column: named.at.column,
            handles: Some(named.event),
        });
    }
    if let Some(place) = handlers.place(named.event) {
        *place = Some(handler);
    }
}
