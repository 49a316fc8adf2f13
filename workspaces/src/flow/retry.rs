//! `retry` of a step, or of a flow: when it is tried again.

use std::time::Duration;

use signalbox_core::codes::Code;
use signalbox_core::retry::{Backoff, MAX_ATTEMPTS, MAX_PAUSE, Retry};

use super::reader::Reader;
use crate::faults::near;
use crate::fields::{self, Fields};
use crate::yaml::{Node, Tree};

const KNOWN: [&str; 7] = ["attempts", "backoff", "initial", "max", "jitter", "budget", "retry_if"];
const BACKOFFS: [(&str, Backoff); 2] =
    [("exponential", Backoff::Exponential), ("fixed", Backoff::Fixed)];
/// Longest budget: a run does not live longer than this either.
const MAX_BUDGET: Duration = Duration::from_hours(366 * 24);

impl Reader<'_> {
    /// Reads `retry`: how often as a number, or everything as a map. Its expression sees `error`.
    pub(super) fn retry(&mut self, fields: &Fields<'_>) -> Option<Retry> {
        let entry = fields.entry("retry")?;
        if matches!(entry.node.tree, Tree::Int(_)) {
            let attempts = attempts(fields, "retry", self)?;
            return Some(Retry { attempts, ..Retry::default() });
        }
        let inside = Fields::open(&entry.node, "a retry", &KNOWN, self.faults)?;
        let inside = inside.named_at(entry.mark);
        let plain = Retry::default();
        let pause = |name, reader: &mut Self| {
            inside.duration(name, Duration::from_millis(1)..=MAX_PAUSE, reader.faults)
        };
        let retry = Retry {
            attempts: attempts(&inside, "attempts", self).unwrap_or(plain.attempts),
            backoff: inside
                .get("backoff")
                .and_then(|node| self.backoff(node))
                .unwrap_or(plain.backoff),
            initial: pause("initial", self).unwrap_or(plain.initial),
            max: pause("max", self).unwrap_or(plain.max),
            jitter: inside.truth("jitter", self.faults).unwrap_or(plain.jitter),
            budget: inside.duration("budget", Duration::from_millis(1)..=MAX_BUDGET, self.faults),
            retry_if: inside.get("retry_if").and_then(|node| {
                self.seeing(&["error"], |reader| reader.expression(node, "retry_if"))
            }),
        };
        self.check_pauses(&retry, &inside);
        Some(retry)
    }

    fn backoff(&mut self, node: &Node) -> Option<Backoff> {
        let text = fields::text(node, "backoff", self.faults)?;
        let found = BACKOFFS.into_iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let message = format!("`{}` is not a way to back off", fields::shown(text));
            let names = BACKOFFS.map(|(name, _)| name);
            let help = near(text, names).unwrap_or_else(|| format!("one of {}", names.join(", ")));
            self.faults.error_with_help(Code::InvalidValue, node.mark, message, Some(help));
        }
        found.map(|(_, backoff)| backoff)
    }

    /// A first pause that is cut by the longest one is a mistake of one of them.
    fn check_pauses(&mut self, retry: &Retry, inside: &Fields<'_>) {
        let given = inside.entry("initial").filter(|_| retry.initial > retry.max);
        if let Some(entry) = given {
            let message = "the first pause is longer than the longest, `max`";
            let help = "give a longer `max`".to_owned();
            self.faults.error_with_help(Code::InvalidValue, entry.mark, message, Some(help));
        }
    }
}

/// How often it is tried, under the name that it has there.
fn attempts(fields: &Fields<'_>, name: &str, reader: &mut Reader<'_>) -> Option<u32> {
    let attempts = fields.int(name, 1..=i64::from(MAX_ATTEMPTS), reader.faults)?;
    u32::try_from(attempts).ok()
}
