//! `calendars/*.yaml`: days off and half days, for schedules.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::schedule::{Calendar, Day};
use signalbox_core::source::Folder;

use crate::faults::{Faults, near};
use crate::fields::{self, Fields};
use crate::yaml::{self, Node, Tree};

/// The folder of calendars in a workspace.
const FOLDER: &str = "calendars/";
/// Most days of one calendar: those of ten years.
const MAX_DAYS: usize = 3_660;
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Every calendar of a workspace by name; `None` for one that cannot be read.
pub(crate) fn read(
    folder: &Folder,
    faults: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Option<Calendar>> {
    let mut calendars = BTreeMap::new();
    for (path, file) in &folder.files {
        let below = path.strip_prefix(FOLDER).and_then(|below| below.rsplit_once('.'));
        let Some((name, "yaml" | "yml")) = below else { continue };
        let mut at = Faults::of(format!("{}/{path}", folder.path));
        let calendar =
            yaml::parse(&file.content, &mut at).and_then(|node| calendar(&node, &mut at));
        let mut list = at.into_list();
        let whole = calendar.filter(|_| list.is_empty());
        faults.append(&mut list);
        calendars.insert(name.to_owned(), whole);
    }
    calendars
}

fn calendar(node: &Node, faults: &mut Faults) -> Option<Calendar> {
    let known = ["weekdays_off", "days_off", "half_days"];
    let fields = Fields::open(node, "a calendar", &known, faults)?;
    let mut calendar = Calendar::default();
    for node in fields.list("weekdays_off", faults) {
        calendar.weekdays.extend(weekday(node, faults));
    }
    if calendar.weekdays.len() == WEEKDAYS.len() {
        faults.error(Code::InvalidValue, fields.mark, "a calendar whose every weekday is off");
    }
    for node in fields.list("days_off", faults) {
        day_off(node, &mut calendar, faults);
    }
    for entry in fields.map("half_days", faults) {
        let Some(day) = Day::parse(&entry.key) else {
            not_a_day(&entry.key, entry.mark, faults);
            continue;
        };
        let Some(until) = until(&entry.node, faults) else { continue };
        match day {
            Day::Date(date) if calendar.dates.contains(&date) => {
                let message = format!("{date} is both a day off and a half day");
                faults.error(Code::InvalidValue, entry.mark, message);
            }
            Day::Date(date) => drop(calendar.half.insert(date, until)),
            Day::Yearly(month, day) => calendar.half_yearly.push(((month, day), until)),
        }
    }
    Some(calendar)
}

fn weekday(node: &Node, faults: &mut Faults) -> Option<i8> {
    let text = fields::text(node, "a weekday", faults)?;
    let found = WEEKDAYS.iter().position(|day| *day == text);
    if found.is_none() {
        let message = format!("`{}` is not a weekday", fields::shown(text));
        let help =
            near(text, WEEKDAYS).unwrap_or_else(|| format!("one of {}", WEEKDAYS.join(", ")));
        faults.error_with_help(Code::InvalidValue, node.mark, message, Some(help));
    }
    found.and_then(|index| i8::try_from(index + 1).ok())
}

/// A day, or a time of several: `{ from: ..., to: ... }`.
fn day_off(node: &Node, calendar: &mut Calendar, faults: &mut Faults) {
    if let Tree::Map(_) = node.tree {
        range_off(node, calendar, faults);
        return;
    }
    let Some(text) = fields::text(node, "a day off", faults) else { return };
    match Day::parse(text) {
        Some(Day::Date(date)) => drop(calendar.dates.insert(date)),
        Some(Day::Yearly(month, day)) => drop(calendar.yearly.insert((month, day))),
        None => not_a_day(text, node.mark, faults),
    }
}

fn range_off(node: &Node, calendar: &mut Calendar, faults: &mut Faults) -> Option<()> {
    let fields = Fields::open(node, "a range of days", &["from", "to"], faults)?;
    let from = date(&fields, "from", faults);
    let to = date(&fields, "to", faults);
    let (from, to) = (from?, to?);
    if to < from {
        faults.error(Code::InvalidValue, node.mark, "a range that ends before it begins");
        return None;
    }
    for date in from.series(jiff::Span::new().days(1)).take_while(|date| *date <= to) {
        if calendar.dates.len() >= MAX_DAYS {
            let message = format!("a calendar has {MAX_DAYS} days off at most");
            faults.error(Code::InvalidValue, node.mark, message);
            return None;
        }
        calendar.dates.insert(date);
    }
    Some(())
}

fn date(fields: &Fields<'_>, name: &str, faults: &mut Faults) -> Option<Date> {
    let node = fields.required(name, faults)?;
    let text = fields::text(node, name, faults)?;
    if let Some(Day::Date(date)) = Day::parse(text) {
        return Some(date);
    }
    not_a_day(text, node.mark, faults);
    None
}

fn until(node: &Node, faults: &mut Faults) -> Option<Time> {
    let text = fields::text(node, "the end of a half day", faults)?;
    let time = (text.len() == 5).then(|| text.parse().ok()).flatten();
    if time.is_none() {
        let message = format!("`{}` is not a time of day", fields::shown(text));
        let help = "hours and minutes, for example `\"13:00\"`".to_owned();
        faults.error_with_help(Code::InvalidValue, node.mark, message, Some(help));
    }
    time
}

fn not_a_day(text: &str, mark: crate::mark::Mark, faults: &mut Faults) {
    let message = format!("`{}` is not a day", fields::shown(text));
    let help = "a date like `2026-12-25`, or `12-25` for every year".to_owned();
    faults.error_with_help(Code::InvalidValue, mark, message, Some(help));
}
