//! Alarms: what is wrong for a while, told once when it begins and once when it is over.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::handler::Handler;
use crate::health::Breach;
use crate::inputs::{Fault, Schema};
pub use crate::occasion::{Kind, Subject};
use crate::text;
use crate::value::Value;

/// How long a flow may go without a success, and who is told when it is longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    /// From the last success; when there is none, from when the flow went live with this.
    pub after: Duration,
    /// Who is told.
    pub notify: Vec<Handler>,
}

/// Why an alarm was raised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Why {
    /// These thresholds were not kept, over a window.
    Unhealthy {
        /// At least one.
        breaches: Vec<Breach>,
        /// The window.
        window: Duration,
    },
    /// There was no success for longer than this.
    Absent {
        /// How long it may be.
        after: Duration,
        /// From when that was counted: the last success, or when the flow went live. The alarm is
        /// over with a later success.
        counted_from: Timestamp,
    },
}

/// An alarm that is raised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Raised {
    /// What it is about.
    pub subject: Subject,
    /// When it was raised.
    pub since: Timestamp,
    /// Why.
    pub why: Why,
    /// Who was told: they are told of its end, too.
    pub told: Vec<Handler>,
}

impl Raised {
    /// One line for people.
    pub fn message(&self) -> String {
        let subject = &self.subject;
        match &self.why {
            Why::Unhealthy { breaches, window } => {
                let breaches: Vec<_> = breaches.iter().map(ToString::to_string).collect();
                let window = text::duration(window);
                format!("{subject} is unhealthy: within {window}, {}", breaches.join("; "))
            }
            Why::Absent { after, .. } => {
                format!("{subject} has not succeeded for {}", text::duration(after))
            }
        }
    }

    /// What its handlers are told at its beginning, or with `recovered` at its end: of all that
    /// there is to tell, what the handler's inputs name.
    pub fn inputs(&self, recovered: Option<Timestamp>, schema: &Schema) -> Value {
        let mut all = self.facts(recovered);
        if !schema.fields.is_empty() {
            all.retain(|name, _| schema.fields.contains_key(name));
        }
        Value::Map(all)
    }

    fn facts(&self, recovered: Option<Timestamp>) -> BTreeMap<String, Value> {
        let subject = &self.subject;
        let (alert_type, message) = match (&self.why, recovered) {
            (Why::Unhealthy { .. }, None) => ("workspace_unhealthy", self.message()),
            (Why::Unhealthy { .. }, Some(_)) => {
                ("workspace_healthy", format!("{subject} is healthy again"))
            }
            (Why::Absent { .. }, None) => ("flow_absent", self.message()),
            (Why::Absent { .. }, Some(_)) => ("flow_back", format!("{subject} succeeds again")),
        };
        let text = |text: &str| Some(Value::from(text));
        let time = |at: Timestamp| Some(Value::from(at.to_string().as_str()));
        let (breaches, window, last) = match &self.why {
            Why::Unhealthy { breaches, window } => {
                let list = breaches.iter().map(|breach| breach.to_value()).collect();
                (Some(Value::List(list)), window, None)
            }
            Why::Absent { after, counted_from } => (None, after, Some(*counted_from)),
        };
        let facts = [
            ("event", text(subject.kind().as_str())),
            ("alert_type", text(alert_type)),
            ("severity", text(if recovered.is_some() { "low" } else { "high" })),
            ("message", text(&message)),
            ("workspace", text(subject.workspace.as_str())),
            ("flow", subject.flow.as_ref().and_then(|flow| text(flow.as_str()))),
            ("since", time(self.since)),
            ("recovered", Some(Value::Bool(recovered.is_some()))),
            ("recovered_at", recovered.and_then(time)),
            ("breaches", breaches),
            ("window", text(&text::duration(window))),
            ("counted_from", last.and_then(time)),
        ];
        facts.into_iter().filter_map(|(name, fact)| Some((name.to_owned(), fact?))).collect()
    }
}

/// What a flow refuses of the facts that it would be told of an alarm, as far as it can be said
/// before there are any.
pub fn faults(schema: &Schema, kind: Kind) -> Vec<Fault> {
    let (Ok(workspace), Ok(flow)) = ("workspace".parse(), "flow".parse()) else {
        return Vec::new();
    };
    let window = Duration::from_hours(1);
    let (subject, why) = match kind {
        Kind::Health => {
            let why = Why::Unhealthy { breaches: Vec::new(), window };
            (Subject::health(workspace), why)
        }
        Kind::Absence => {
            let why = Why::Absent { after: window, counted_from: Timestamp(0) };
            (Subject::absence(workspace, flow), why)
        }
    };
    let raised = Raised { subject, since: Timestamp(0), why, told: Vec::new() };
    schema.faults_of(&raised.inputs(None, schema))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Measure;
    use crate::inputs::{Field, Type};

    fn schema(fields: &[(&str, Type)]) -> Schema {
        let field = |kind| Field { required: true, ..Field::of(kind) };
        let fields = fields.iter().map(|(name, kind)| ((*name).to_owned(), field(*kind)));
        Schema { fields: fields.collect() }
    }

    fn unhealthy() -> Raised {
        let breach = Breach { measure: Measure::ErrorRate, value: 0.125, limit: 0.05 };
        let failed = Breach { measure: Measure::FailedRuns, value: 61.0, limit: 50.0 };
        Raised {
            subject: Subject::health("shop".parse().unwrap()),
            since: Timestamp(0),
            why: Why::Unhealthy { breaches: vec![breach, failed], window: Duration::from_hours(1) },
            told: Vec::new(),
        }
    }

    fn absent() -> Raised {
        let after = Duration::from_hours(26);
        Raised {
            subject: Subject::absence("shop".parse().unwrap(), "nightly".parse().unwrap()),
            since: Timestamp(0),
            why: Why::Absent { after, counted_from: Timestamp(1) },
            told: Vec::new(),
        }
    }

    #[test]
    fn an_alarm_tells_what_its_handler_names() {
        let names = [("alert_type", Type::String), ("severity", Type::String)];
        let told = |raised: &Raised, recovered| raised.inputs(recovered, &schema(&names));
        let expected = |alert_type: &str, severity: &str| {
            Value::map([("alert_type", alert_type.into()), ("severity", severity.into())])
        };
        assert_eq!(told(&unhealthy(), None), expected("workspace_unhealthy", "high"));
        assert_eq!(told(&absent(), None), expected("flow_absent", "high"));
        let over = Some(Timestamp(5));
        assert_eq!(told(&unhealthy(), over), expected("workspace_healthy", "low"));
        assert_eq!(told(&absent(), over), expected("flow_back", "low"));
        let all = absent().inputs(over, &Schema::default());
        assert_eq!(all.get("recovered"), Some(&Value::Bool(true)));
        assert_eq!(all.get("window"), Some(&Value::from("26h")));
    }

    #[test]
    fn a_message_says_what_is_wrong_in_figures() {
        let expected = "shop is unhealthy: within 1h, 12.5% of the runs failed, 5% may; \
                        61 runs failed, 50 may";
        assert_eq!(unhealthy().message(), expected);
        assert_eq!(absent().message(), "shop/nightly has not succeeded for 26h");
    }

    #[test]
    fn what_no_alarm_can_fill_is_found_before_there_is_one() {
        assert!(faults(&schema(&[("breaches", Type::Array)]), Kind::Health).is_empty());
        assert!(!faults(&schema(&[("breaches", Type::Array)]), Kind::Absence).is_empty());
        assert!(!faults(&schema(&[("run", Type::String)]), Kind::Absence).is_empty());
        assert!(!faults(&schema(&[("flow", Type::String)]), Kind::Health).is_empty());
        assert!(faults(&Schema::default(), Kind::Health).is_empty());
    }
}
