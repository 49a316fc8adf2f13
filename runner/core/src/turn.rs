//! How runs take turns: the limit on runs with the same key, debounce, priority.
//!
//! A flow has [`Settings`]; each of its runs is given a [`Turn`] when it is accepted, and keeps it
//! for life. Making one runs no code: a key is text with references into the inputs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::Digest;
use crate::template::{self, Part};
use crate::text::cut;
use crate::value::{Value, to_json};

/// Highest `priority`, and with a minus the lowest.
pub const MAX_PRIORITY: i8 = 10;
/// How much waiting one step of priority is worth: a run goes before another whose priority is one
/// lower unless that one has waited for a minute longer. So none is passed for ever.
pub const PRIORITY_STEP: Duration = Duration::from_mins(1);
/// A debounced run starts at the latest after so many times its flow's `debounce`, counted from the
/// first of the runs that it replaced.
pub const DEBOUNCES: u32 = 10;
/// Longest key that is kept as it is, in bytes; a longer one ends in a digest of the whole.
const MAX_KEY: usize = 256;

/// What a flow says about the turns of its runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How many runs with the same key there may be at once.
    pub concurrency: Option<Concurrency>,
    /// How long a run waits for another one with the same key that replaces it.
    pub debounce: Option<Duration>,
    /// From -[`MAX_PRIORITY`] to [`MAX_PRIORITY`]: higher goes first.
    #[serde(default)]
    pub priority: i8,
}

/// `concurrency` of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concurrency {
    /// Runs with the same key that have begun and not ended, at most.
    pub limit: u32,
    /// Text with `${inputs.x}`; all runs of the flow have the same key when it is not given.
    pub key: Option<String>,
    /// What becomes of a run that finds the key full.
    pub when_full: WhenFull,
}

/// What becomes of a run that finds its key full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// It waits in the queue.
    #[default]
    Queue,
    /// It is recorded as skipped.
    Skip,
    /// The oldest runs with the key are cancelled for it.
    CancelRunning,
}

impl WhenFull {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Queue, Self::Skip, Self::CancelRunning];

    /// The choice's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Skip => "skip",
            Self::CancelRunning => "cancel_running",
        }
    }
}

/// How one run takes its turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Its flow's priority.
    #[serde(default)]
    pub priority: i8,
    /// What it shares with other runs of its flow; `None` when nothing asks for it.
    pub key: Option<String>,
    /// Most runs with the key that have begun and not ended.
    pub limit: Option<u32>,
    /// What becomes of it when there are so many.
    #[serde(default)]
    pub when_full: WhenFull,
    /// How long it waits for another run with the key that replaces it.
    pub debounce: Option<Duration>,
}

impl Turn {
    /// Whether the run waits in line like any other.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

impl Settings {
    /// The turn of a run with complete inputs.
    pub fn turn(&self, inputs: &Value) -> Turn {
        let key = match &self.concurrency {
            Some(Concurrency { key: Some(key), .. }) => Some(render(key, inputs)),
            Some(Concurrency { key: None, .. }) => Some(String::new()),
            None => self.debounce.map(|_| String::new()),
        };
        Turn {
            priority: self.priority,
            key,
            limit: self.concurrency.as_ref().map(|concurrency| concurrency.limit),
            when_full: self.concurrency.as_ref().map(|c| c.when_full).unwrap_or_default(),
            debounce: self.debounce,
        }
    }
}

/// The names behind `inputs` that the inside of `${...}` refers to: `a` and `b` of `inputs.a.b`.
/// `None` when it is anything else.
pub fn reference(expression: &str) -> Option<Vec<&str>> {
    let is_name = |name: &&str| {
        let mut letters = name.chars();
        letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let names: Vec<_> = expression.strip_prefix("inputs.")?.split('.').collect();
    names.iter().all(is_name).then_some(names)
}

/// A key with the inputs put in: texts as they are, anything else as JSON, what is missing as
/// `null`.
fn render(key: &str, inputs: &Value) -> String {
    let parts = template::parse(key).unwrap_or_default();
    let texts = parts.into_iter().map(|part| match part {
        Part::Text(text) => text,
        Part::Expression(expression, _) => shown(find(&expression, inputs)),
    });
    let text: String = texts.collect();
    if text.len() <= MAX_KEY {
        return text;
    }
    let digest = Digest::of(text.as_bytes()).to_string();
    format!("{}{digest}", cut(text, MAX_KEY - digest.len()))
}

fn find<'a>(expression: &str, inputs: &'a Value) -> Option<&'a Value> {
    let mut names = reference(expression)?.into_iter();
    names.try_fold(inputs, |value, name| value.get(name))
}

fn shown(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => to_json(other).to_string(),
        None => "null".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(key: &str) -> Settings {
        let concurrency =
            Concurrency { limit: 2, key: Some(key.to_owned()), when_full: WhenFull::Skip };
        Settings { concurrency: Some(concurrency), ..Settings::default() }
    }

    #[test]
    fn a_key_is_text_with_inputs_put_in() {
        let inputs = Value::map([
            ("name", "web".into()),
            ("port", Value::Int(80)),
            ("at", Value::map([("zone", "eu".into())])),
        ]);
        let key = |text: &str| keyed(text).turn(&inputs).key.unwrap();
        assert_eq!(key("${inputs.name}:${inputs.port}"), "web:80");
        assert_eq!(key("${ inputs.at.zone }/${inputs.at}"), r#"eu/{"zone":"eu"}"#);
        assert_eq!(key("${inputs.none}${inputs.name.more}"), "nullnull");
        assert_eq!(key("$${inputs.name}"), "${inputs.name}");
    }

    #[test]
    fn long_keys_stay_apart_and_short() {
        let of = |end: &str| {
            let inputs = Value::map([("x", format!("{}{end}", "é".repeat(1_000)).into())]);
            keyed("${inputs.x}").turn(&inputs).key.unwrap()
        };
        assert_ne!(of("a"), of("b"));
        assert!(of("a").len() <= MAX_KEY + 8, "{}", of("a"));
    }

    #[test]
    fn without_a_key_all_runs_of_a_flow_share_one() {
        assert!(Settings::default().turn(&Value::Null).is_plain());
        let limit = |limit| Concurrency { limit, key: None, when_full: WhenFull::Queue };
        let settings = Settings { concurrency: Some(limit(1)), ..Settings::default() };
        assert_eq!(settings.turn(&Value::Null).key.as_deref(), Some(""));
        let debounce = Some(Duration::from_secs(30));
        let settings = Settings { debounce, ..Settings::default() };
        let turn = settings.turn(&Value::Null);
        assert_eq!((turn.key.as_deref(), turn.limit, turn.debounce), (Some(""), None, debounce));
        let urgent = Settings { priority: 3, ..Settings::default() }.turn(&Value::Null);
        assert_eq!((urgent.priority, urgent.key), (3, None));
    }

    #[test]
    fn only_paths_into_the_inputs_are_references() {
        assert_eq!(reference("inputs.a.b_2"), Some(vec!["a", "b_2"]));
        for bad in ["inputs", "inputs.", "inputs.a()", "inputs.a + 1", "steps.a", "inputs.a[0]"] {
            assert_eq!(reference(bad), None, "{bad}");
        }
    }
}
