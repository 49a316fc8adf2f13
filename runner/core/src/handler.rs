//! Handlers: flows that are started by how another run ended.
//!
//! A handler is told facts. It gets those that its inputs name, or all of them when it names none,
//! so that a flow which was written for people's messages can be a handler as it is.

use std::collections::BTreeMap;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::clock::Timestamp;
use crate::ids::{FlowName, FlowRef, RunId};
use crate::inputs::Schema;
pub use crate::occasion::Event;
use crate::run::RunError;
use crate::secret::hide_markers;
use crate::text::cut;
use crate::value::Value;

/// Longest `message` of the facts, in bytes.
const MAX_MESSAGE: usize = 1_000;

/// Who handles an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handler {
    /// A flow of the same workspace, at the same revision.
    Flow(FlowName),
    /// A service of the platform, `name` or `name@version`, called through the broker.
    Service(String),
    /// Each of these, of which none is such a list: a list of handlers, or a group of them.
    All(Vec<Handler>),
}

impl Handler {
    /// The flows and services that it is.
    pub fn each(&self) -> impl Iterator<Item = &Self> {
        let (one, all) = match self {
            Self::Flow(_) | Self::Service(_) => (Some(self), &[][..]),
            Self::All(all) => (None, &all[..]),
        };
        one.into_iter().chain(all)
    }

    /// This, and what another one is.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut all: Vec<_> = self.each().cloned().collect();
        for new in other.each() {
            if !all.contains(new) {
                all.push(new.clone());
            }
        }
        match <[Self; 1]>::try_from(all) {
            Ok([one]) => one,
            Err(all) => Self::All(all),
        }
    }
}

/// Reads a list of flows; earlier versions wrote none or one.
///
/// # Errors
/// When it is neither.
pub fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<FlowName>, D::Error> {
    struct Flows;
    impl<'de> Visitor<'de> for Flows {
        type Value = Vec<FlowName>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a flow or a list of flows")
        }

        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
            Ok(vec![name.parse().map_err(E::custom)?])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut flows = Vec::new();
            while let Some(flow) = list.next_element()? {
                flows.push(flow);
            }
            Ok(flows)
        }
    }
    from.deserialize_any(Flows)
}

/// The handlers of a flow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handlers {
    /// `on_failure`
    #[serde(default)]
    pub failure: Option<Handler>,
    /// `on_recovery`
    #[serde(default)]
    pub recovery: Option<Handler>,
    /// `on_success`
    #[serde(default)]
    pub success: Option<Handler>,
}

impl Handlers {
    /// These, and those of a less specific level for what is not among them.
    #[must_use]
    pub fn or(&self, less: &Self) -> Self {
        let either = |a: &Option<Handler>, b: &Option<Handler>| a.clone().or_else(|| b.clone());
        Self {
            failure: either(&self.failure, &less.failure),
            recovery: either(&self.recovery, &less.recovery),
            success: either(&self.success, &less.success),
        }
    }

    /// Whether failures or recoveries are told to somebody of its own: then the failures that a
    /// recovery ends are its own, too.
    pub fn tell_of_failures(&self) -> bool {
        self.failure.is_some() || self.recovery.is_some()
    }

    /// The place of an event's handler; `None` for an event that is no run's.
    pub fn place(&mut self, event: Event) -> Option<&mut Option<Handler>> {
        match event {
            Event::Failure => Some(&mut self.failure),
            Event::Recovery => Some(&mut self.recovery),
            Event::Success => Some(&mut self.success),
            Event::CallFailure => None,
        }
    }
}

/// What a handler is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts<'a> {
    /// What happened.
    pub event: Event,
    /// The flow that it happened to.
    pub flow: &'a FlowRef,
    /// The run.
    pub run: &'a RunId,
    /// The state that the run is in; `refused` for a call that was.
    pub state: &'a str,
    /// Why, from the closed list of reasons, or the broker's rule.
    pub reason: Option<&'a str>,
    /// How it failed.
    pub error: Option<&'a RunError>,
    /// The attempt that ended.
    pub attempt: u32,
    /// What had started the run.
    pub trigger: &'a str,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The service that was called, for a call.
    pub service: Option<&'a str>,
    /// Who called, for a call: the flow and its run.
    pub caller: Option<(&'a FlowRef, &'a RunId)>,
}

impl Facts<'_> {
    /// The inputs of a handler: the facts that it takes. What is not known is left out.
    pub fn inputs(&self, schema: &Schema) -> Value {
        let mut all = self.all();
        if !schema.fields.is_empty() {
            all.retain(|name, _| schema.fields.contains_key(name));
        }
        Value::Map(all)
    }

    fn all(&self) -> BTreeMap<String, Value> {
        let (alert_type, severity) = match self.event {
            Event::Failure => ("run_failed", "high"),
            Event::Recovery => ("run_recovered", "low"),
            Event::Success => ("run_succeeded", "low"),
            Event::CallFailure => ("call_failed", "high"),
        };
        let text = |text: &str| Some(Value::String(text.to_owned()));
        let time = |at: Timestamp| Some(Value::String(at.to_string()));
        let facts = [
            ("event", text(self.event.as_str())),
            ("workspace", text(self.flow.workspace.as_str())),
            ("flow", text(self.flow.flow.as_str())),
            ("run", text(self.run.as_str())),
            ("state", text(self.state)),
            ("reason", self.reason.and_then(text)),
            ("error", self.error.map(error)),
            ("attempt", Some(Value::Int(i64::from(self.attempt)))),
            ("trigger", text(self.trigger)),
            ("started_at", self.started_at.and_then(time)),
            ("ended_at", time(self.ended_at)),
            ("service", self.service.and_then(text)),
            ("caller", self.caller.map(caller)),
            ("alert_type", text(alert_type)),
            ("severity", text(severity)),
            ("message", Some(Value::String(self.message()))),
        ];
        facts.into_iter().filter_map(|(name, fact)| Some((name.to_owned(), fact?))).collect()
    }

    /// One line for people.
    fn message(&self) -> String {
        let flow = self.flow;
        let why = self.error.map(|error| format!(": {} {}", error.code, error.message));
        let why = why.unwrap_or_default();
        let message = match self.event {
            Event::Failure => format!("{flow} failed{why}"),
            Event::Recovery => format!("{flow} succeeds again"),
            Event::Success => format!("{flow} succeeded"),
            Event::CallFailure => {
                let who = self.caller.map_or_else(String::new, |(flow, _)| format!(" of {flow}"));
                format!("the call{who} of {} {}{why}", self.service.unwrap_or("?"), self.state)
            }
        };
        cut(hide_markers(&message), MAX_MESSAGE)
    }
}

fn error(error: &RunError) -> Value {
    let number = |number: Option<u32>| number.map_or(Value::Null, |n| Value::Int(i64::from(n)));
    Value::map([
        ("code", Value::String(error.code.as_str().to_owned())),
        ("message", Value::String(cut(hide_markers(&error.message), MAX_MESSAGE))),
        ("file", error.file.clone().map_or(Value::Null, Value::String)),
        ("line", number(error.line)),
        ("column", number(error.column)),
    ])
}

fn caller((flow, run): (&FlowRef, &RunId)) -> Value {
    Value::map([
        ("workspace", Value::String(flow.workspace.to_string())),
        ("flow", Value::String(flow.flow.to_string())),
        ("run", Value::String(run.to_string())),
    ])
}

/// What a flow refuses of the facts that it would be told of an event, as far as it can be said
/// before there are any.
pub fn faults(schema: &Schema, event: Event) -> Vec<crate::inputs::Fault> {
    let (Ok(workspace), Ok(flow)) = ("workspace".parse(), "flow".parse()) else {
        return Vec::new();
    };
    let flow = FlowRef { workspace, flow };
    let run = RunId::from_parts(0, [0; 10]);
    let failed = matches!(event, Event::Failure | Event::CallFailure);
    let plain = RunError::plain(crate::codes::Code::ScriptError, "a message");
    let called = event == Event::CallFailure;
    let facts = Facts {
        event,
        flow: &flow,
        run: &run,
        state: if failed { "failed" } else { "succeeded" },
        reason: failed.then_some("script_error"),
        error: failed.then_some(&plain),
        attempt: 1,
        trigger: "schedule",
        // A run can fail, and a call be refused, before anything began.
        started_at: (!failed).then_some(Timestamp(0)),
        ended_at: Timestamp(0),
        service: called.then_some("service"),
        caller: called.then_some((&flow, &run)),
    };
    schema.faults_of(&facts.inputs(schema))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::{Field, Type};

    fn schema(fields: &[(&str, Type)]) -> Schema {
        let field = |kind| Field { required: true, ..Field::of(kind) };
        let fields = fields.iter().map(|(name, kind)| ((*name).to_owned(), field(*kind)));
        Schema { fields: fields.collect() }
    }

    #[test]
    fn a_handler_gets_the_facts_that_it_names() {
        let flow: FlowRef = "shop/order".parse().unwrap();
        let run = RunId::from_parts(1, [1; 10]);
        let error = RunError::plain(crate::codes::Code::ScriptError, "boom");
        let facts = Facts {
            event: Event::Failure,
            flow: &flow,
            run: &run,
            state: "failed",
            reason: Some("script_error"),
            error: Some(&error),
            attempt: 3,
            trigger: "schedule",
            started_at: None,
            ended_at: Timestamp(0),
            service: None,
            caller: None,
        };
        let some = facts.inputs(&schema(&[("message", Type::String), ("attempt", Type::Integer)]));
        let expected = [
            ("message", Value::String("shop/order failed: SB0501 boom".into())),
            ("attempt", Value::Int(3)),
        ];
        assert_eq!(some, Value::map(expected));
        let all = facts.inputs(&Schema::default());
        assert_eq!(
            all.get("error").and_then(|e| e.get("code")),
            Some(&Value::String("SB0501".into()))
        );
        assert_eq!(all.get("started_at"), None, "what is not known is left out");
    }

    #[test]
    fn handlers_are_put_together_and_each_is_there_once() {
        let flow = |name: &str| Handler::Flow(name.parse().unwrap());
        let both = flow("a").and(&flow("b"));
        assert_eq!(both, Handler::All(vec![flow("a"), flow("b")]));
        assert_eq!(both.and(&flow("a")), both);
        assert_eq!(flow("a").and(&flow("a")), flow("a"));
        assert_eq!(Handler::All(vec![flow("a")]).and(&flow("b")), both);
    }

    #[test]
    fn what_earlier_versions_wrote_of_call_failures_is_read() {
        let read = |json: &str| {
            let mut from = serde_json::Deserializer::from_str(json);
            one_or_more(&mut from).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(read("null"), Vec::<String>::new());
        assert_eq!(read("\"a/b\""), ["a/b"]);
        assert_eq!(read("[\"a/b\", \"c\"]"), ["a/b", "c"]);
    }

    #[test]
    fn what_no_fact_can_fill_is_found_before_there_are_any() {
        let fits = |fields: &[(&str, Type)], event| faults(&schema(fields), event).is_empty();
        assert!(fits(&[("message", Type::String), ("error", Type::Object)], Event::Failure));
        assert!(!fits(&[("error", Type::Object)], Event::Recovery), "there is no error then");
        assert!(!fits(&[("ticket", Type::String)], Event::Failure));
        assert!(!fits(&[("attempt", Type::String)], Event::Failure));
        assert!(fits(&[("caller", Type::Object)], Event::CallFailure));
        let started = [("started_at", Type::String)];
        assert!(!fits(&started, Event::Failure), "it may never have begun");
        assert!(fits(&started, Event::Success));
        assert!(faults(&Schema::default(), Event::Success).is_empty());
    }
}
