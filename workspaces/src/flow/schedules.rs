//! `schedules` of a flow.

use std::collections::BTreeMap;
use std::time::Duration;

use signalbox_core::check::ScriptKind;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::handler::{Event, Handlers};
use signalbox_core::inputs::Schema;
use signalbox_core::schedule::{
    Calendar, Dynamic, Error, Fires, Missed, MissedPolicy, Overlap, Schedule, moment,
};
use signalbox_core::value::Value;

use super::reader::Reader;
use crate::faults::near;
use crate::fields::{self, Fields};
use crate::handlers::{self, Named};
use crate::mark::Mark;
use crate::yaml::{Node, Tree};

const KNOWN: [&str; 13] = [
    "name",
    "cron",
    "at",
    "timezone",
    "inputs",
    "jitter",
    "overlap",
    "missed",
    "calendar",
    "dynamic",
    "on_failure",
    "on_recovery",
    "on_success",
];
/// Longest cron expression; the longest sensible one lists every minute.
const MAX_EXPRESSION: usize = 400;
const MAX_JITTER: Duration = Duration::from_hours(1);
/// Slots that were missed longer ago than this are history.
const MAX_WINDOW: Duration = Duration::from_hours(31 * 24);
const MAX_CAP: i64 = 1_000;

impl<'a> Reader<'a> {
    /// Reads the list.
    pub(super) fn schedules(&mut self, flow: &Fields<'_>, schema: &Schema) -> Vec<Schedule> {
        let mut schedules = Vec::new();
        let mut known: BTreeMap<String, Mark> = BTreeMap::new();
        for node in flow.list("schedules", self.faults) {
            let Some((schedule, handlers)) = self.schedule(node, schema) else { continue };
            if let Some(first) = known.get(&schedule.id()) {
                let place = self.faults.at(node.mark);
                let second = self.faults.at(*first);
                let (message, help) = match &schedule.name {
                    Some(name) => (format!("a second schedule `{name}`"), "give it another `name`"),
                    None => (
                        "the same schedule a second time; it would fire once".to_owned(),
                        "take it away, or give each its `name`",
                    ),
                };
                let fault = Diagnostic::error(Code::InvalidValue, place, message).help(help);
                self.faults.push(fault.second(second, "first defined here"));
            } else {
                known.insert(schedule.id(), node.mark);
                schedules.push(schedule);
                self.handlers.schedules.push(handlers);
            }
        }
        schedules
    }

    /// One schedule, and the handlers that it names.
    fn schedule(&mut self, node: &Node, schema: &Schema) -> Option<(Schedule, Vec<Named>)> {
        let fields = Fields::open(node, "a schedule", &KNOWN, self.faults)?;
        let name = self.schedule_name(&fields);
        let timezone = fields.text("timezone", self.faults).unwrap_or_else(|| "UTC".to_owned());
        let inputs = self.schedule_inputs(&fields, schema);
        let jitter = fields.duration("jitter", Duration::from_millis(1)..=MAX_JITTER, self.faults);
        let overlap = self.overlap(&fields);
        let missed = self.missed(&fields);
        let dynamic = self.dynamic(&fields, overlap);
        let calendar = self.calendar(&fields);
        let handlers = handlers::read(&fields, &Event::OF_RUNS, self.faults);
        let fires = self.fires(&fields, &timezone)?;
        let schedule = Schedule {
            name,
            fires,
            timezone,
            inputs,
            jitter: jitter.unwrap_or_default(),
            overlap,
            missed,
            calendar: calendar.map(|(name, _)| name.to_owned()),
            dynamic,
            handlers: Handlers::default(),
        };
        let calendar = calendar.map(|(_, calendar)| calendar);
        self.fires_at_all(&schedule, calendar, &fields).then_some((schedule, handlers))
    }

    fn schedule_name(&mut self, fields: &Fields<'_>) -> Option<String> {
        let node = fields.get("name")?;
        let name = fields::text(node, "name", self.faults)?;
        let fits = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
            && name.starts_with(|c: char| c.is_ascii_lowercase());
        if !fits {
            let message = format!("`{}` is not a name for a schedule", fields::shown(name));
            let rule = "1 to 64 of a-z, 0-9, `_` and `-`, starting with a letter".to_owned();
            self.faults.error_with_help(Code::InvalidName, node.mark, message, Some(rule));
        }
        Some(name.to_owned())
    }

    /// The inputs, checked as those of any run.
    fn schedule_inputs(&mut self, fields: &Fields<'_>, schema: &Schema) -> BTreeMap<String, Value> {
        let entries = fields.map("inputs", self.faults);
        let inputs: BTreeMap<_, _> =
            entries.iter().map(|entry| (entry.key.clone(), entry.node.value())).collect();
        for fault in schema.faults(inputs.iter().map(|(name, value)| (name.as_str(), Some(value))))
        {
            let given = entries.iter().find(|entry| entry.key == fault.input);
            let message = format!("input `{}` {}", fault.input, fault.message);
            if let Some(entry) = given {
                self.faults.error(Code::InvalidValue, entry.mark, message);
            } else {
                let help =
                    format!("give `{}` in the schedule, or a default in the flow", fault.input);
                let at = fields.entry("inputs").map_or(fields.mark, |entry| entry.mark);
                self.faults.error_with_help(Code::MissingField, at, message, Some(help));
            }
        }
        inputs
    }

    fn overlap(&mut self, fields: &Fields<'_>) -> Overlap {
        let names = Overlap::ALL.map(|overlap| (overlap.as_str(), overlap));
        fields
            .get("overlap")
            .and_then(|node| self.choice(node, "overlap", &names))
            .unwrap_or_default()
    }

    /// `missed: all`, or `missed: { run: all, window: 6h, cap: 50 }`.
    fn missed(&mut self, fields: &Fields<'_>) -> Missed {
        let Some(node) = fields.get("missed") else { return Missed::default() };
        let names = MissedPolicy::ALL.map(|policy| (policy.as_str(), policy));
        let mut missed = Missed::default();
        if !matches!(node.tree, Tree::Map(_)) {
            missed.policy = self.choice(node, "missed", &names).unwrap_or(missed.policy);
            return missed;
        }
        let known = ["run", "window", "cap"];
        let Some(fields) = Fields::open(node, "`missed`", &known, self.faults) else {
            return missed;
        };
        if let Some(node) = fields.required("run", self.faults) {
            missed.policy = self.choice(node, "run", &names).unwrap_or(missed.policy);
        }
        let window = fields.duration("window", Duration::from_mins(1)..=MAX_WINDOW, self.faults);
        missed.window = window.unwrap_or(missed.window);
        let cap = fields.int("cap", 1..=MAX_CAP, self.faults);
        missed.cap = cap.and_then(|cap| u32::try_from(cap).ok()).unwrap_or(missed.cap);
        for (name, only) in [
            ("window", missed.policy == MissedPolicy::None),
            ("cap", missed.policy != MissedPolicy::All),
        ] {
            if let Some(entry) = fields.entry(name).filter(|_| only) {
                let message =
                    format!("`{name}` means nothing with `run: {}`", missed.policy.as_str());
                self.faults.error(Code::InvalidValue, entry.mark, message);
            }
        }
        missed
    }

    fn choice<T: Copy>(&mut self, node: &Node, what: &str, names: &[(&str, T)]) -> Option<T> {
        let text = fields::text(node, what, self.faults)?;
        let found = names.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let all: Vec<_> = names.iter().map(|(name, _)| *name).collect();
            let message = format!("`{}` is not a value of `{what}`", fields::shown(text));
            let help = near(text, all.iter().copied())
                .unwrap_or_else(|| format!("one of {}", all.join(", ")));
            self.faults.error_with_help(Code::InvalidValue, node.mark, message, Some(help));
        }
        found.map(|(_, value)| *value)
    }

    fn dynamic(&mut self, fields: &Fields<'_>, overlap: Overlap) -> Option<Dynamic> {
        let node = fields.get("dynamic")?;
        let Tree::Text(text) = &node.tree else {
            fields::wrong_type(node, "dynamic", "a Rhai expression", self.faults);
            return None;
        };
        if text.text.trim().is_empty() {
            self.faults.error(Code::InvalidValue, node.mark, "`dynamic` is empty");
            return None;
        }
        if overlap == Overlap::CancelRunning {
            let message = "`dynamic` together with `overlap: cancel_running`: the earlier run \
                           would be cancelled before it is known whether the next one is wanted";
            let help = "decide in the flow itself, or use `overlap: skip`".to_owned();
            self.faults.error_with_help(Code::InvalidValue, node.mark, message, Some(help));
        }
        let (code, origin) = text.code();
        self.check(ScriptKind::Dynamic, code, origin);
        Some(Dynamic { code: text.text.clone(), line: text.line })
    }

    fn calendar<'f>(&mut self, fields: &Fields<'f>) -> Option<(&'f str, &'a Calendar)> {
        let node = fields.get("calendar")?;
        let name = fields::text(node, "calendar", self.faults)?;
        let calendars = self.context.calendars;
        if let Some(calendar) = calendars.get(name) {
            // One that cannot be read is reported where it stands.
            return calendar.as_ref().map(|calendar| (name, calendar));
        }
        let message = format!("the workspace has no `calendars/{}.yaml`", fields::shown(name));
        let help = near(name, calendars.keys().map(String::as_str));
        self.faults.error_with_help(Code::UnknownReference, node.mark, message, help);
        None
    }

    fn fires(&mut self, fields: &Fields<'_>, timezone: &str) -> Option<Fires> {
        match (fields.get("cron"), fields.entry("at")) {
            (Some(node), None) => {
                let cron = fields::text(node, "cron", self.faults)?.trim().to_owned();
                if cron.len() > MAX_EXPRESSION {
                    let message = format!("longer than {MAX_EXPRESSION} characters");
                    self.faults.error(Code::Cron, node.mark, message);
                    return None;
                }
                Some(Fires::Cron(cron))
            }
            (None, Some(entry)) => {
                let text = fields::text(&entry.node, "at", self.faults)?;
                match moment(text.trim(), timezone) {
                    Ok(moment) => Some(Fires::At(moment)),
                    Err(error) => {
                        self.refused(&error, entry.node.mark, fields);
                        None
                    }
                }
            }
            (Some(_), Some(entry)) => {
                let message = "a schedule with both `cron` and `at`";
                let help = "make two schedules of it".to_owned();
                self.faults.error_with_help(Code::InvalidValue, entry.mark, message, Some(help));
                None
            }
            (None, None) => {
                let message = "a schedule needs `cron` or `at`";
                self.faults.error(Code::MissingField, fields.mark, message);
                None
            }
        }
    }

    /// Whether a schedule can be read and fires at all. The years from 1970 on stand for all: the
    /// calendar repeats every 400 years, and nothing here may depend on the day it is read.
    fn fires_at_all(
        &mut self,
        schedule: &Schedule,
        calendar: Option<&Calendar>,
        fields: &Fields<'_>,
    ) -> bool {
        let at = fields.get("cron").or(fields.get("at")).map_or(fields.mark, |node| node.mark);
        let beginning = match schedule.fires {
            Fires::Cron(_) => Timestamp(0),
            Fires::At(_) => Timestamp(i64::MIN / 2),
        };
        match schedule.timetable(calendar) {
            Ok(table) if table.next_after(beginning).is_some() => return true,
            Ok(_) => {
                let message = format!("`{}` never fires", schedule.expression());
                let help = calendar.map(|_| "its calendar takes every slot out".to_owned());
                self.faults.error_with_help(Code::Cron, at, message, help);
            }
            Err(error) => self.refused(&error, at, fields),
        }
        false
    }

    fn refused(&mut self, error: &Error, at: Mark, fields: &Fields<'_>) {
        let (code, at, message, help) = match error {
            Error::Expression { expression, reason } => (
                Code::Cron,
                at,
                format!(
                    "`{}` cannot be read: {}",
                    fields::shown(expression),
                    fields::shown(reason)
                ),
                "minute hour day month weekday, for example `0 7 * * 1-5`",
            ),
            Error::Moment(text) => (
                Code::Cron,
                at,
                format!("`{}` is not a moment", fields::shown(text)),
                "a date and a time, for example `2026-12-24T18:00` or `2026-12-24T18:00:00Z`",
            ),
            Error::Zone(name) => (
                Code::TimeZone,
                fields.get("timezone").map_or(fields.mark, |zone| zone.mark),
                format!("`{}` is not a time zone", fields::shown(name)),
                "a name of the IANA database, for example `Europe/Berlin`",
            ),
        };
        self.faults.error_with_help(code, at, message, Some(help.to_owned()));
    }
}
