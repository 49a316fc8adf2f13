//! `signalbox schedule explain`

use std::time::Duration;

use serde_json::{Value, json};
use signalbox_core::clock::{Clock as _, Timestamp};
use signalbox_core::codes::Code;
use signalbox_core::schedule::{self, ClockChange, Effect, Schedule, Timetable};

use crate::exit::{Exit, Failure};
use crate::moment::{self, SystemClock};
use crate::terminal;

/// Clock changes are looked for so far ahead.
const AHEAD: Duration = Duration::from_hours(366 * 24);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Five fields (minute, hour, day, month, weekday), six with seconds first, or @daily
    #[arg(value_name = "EXPR")]
    expression: String,
    /// IANA name of the zone that the fields are read in
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: String,
    /// The moment from which on slots are listed: RFC 3339, or a time in the zone
    #[arg(long, value_name = "MOMENT")]
    from: Option<String>,
    /// So many slots
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        default_value_t = 5,
        value_parser = clap::value_parser!(u16).range(1..=1000)
    )]
    limit: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let now = SystemClock.now();
    let refused = |error| refusal(&error);
    let schedule = Schedule::cron(args.expression.clone(), args.timezone.clone());
    let timetable = schedule.timetable(None).map_err(refused)?;
    let from = match &args.from {
        Some(text) => schedule::moment(text, &args.timezone).map_err(refused)?,
        None => now,
    };
    let next = |slot: &Timestamp| timetable.next_after(*slot);
    let slots: Vec<_> =
        std::iter::successors(next(&from), next).take(usize::from(args.limit)).collect();
    let last = slots.last().copied().unwrap_or(from);
    let changes = timetable.clock_changes(from, from.plus(AHEAD).max(last));
    if args.json {
        terminal::json(&document(args, &timetable, &slots, &changes))?;
        return Ok(Exit::Done);
    }
    terminal::data(&format!("{} ({})", timetable.describe(), args.timezone))?;
    if slots.is_empty() {
        terminal::say("it never fires");
    }
    for slot in slots {
        let note = mark(slot, &changes).map(|effect| format!("  {}", words(effect)));
        terminal::data(&format!(
            "  {}  {}{}",
            local(slot, &timetable),
            moment::relative(slot, now),
            note.unwrap_or_default()
        ))?;
    }
    if !changes.is_empty() {
        terminal::data("\nClock changes within a year:")?;
    }
    for change in &changes {
        terminal::data(&format!("  {}", sentence(change)))?;
    }
    Ok(Exit::Done)
}

fn document(
    args: &Args,
    timetable: &Timetable,
    slots: &[Timestamp],
    changes: &[ClockChange],
) -> Value {
    let next: Vec<_> = slots.iter().map(ToString::to_string).collect();
    let slots: Vec<_> = slots
        .iter()
        .map(|slot| {
            let change = mark(*slot, changes).map(Effect::as_str);
            json!({ "at": slot.to_string(), "local": local(*slot, timetable), "change": change })
        })
        .collect();
    let changes: Vec<_> = changes
        .iter()
        .map(|change| {
            json!({
                "at": change.at.to_string(),
                "clock": { "from": change.from.to_string(), "to": change.to.to_string() },
                "effect": change.effect.as_str(),
                "first": change.first.to_string(), "last": change.last.to_string(),
                "count": change.count,
            })
        })
        .collect();
    json!({
        "cron": args.expression, "timezone": args.timezone, "description": timetable.describe(),
        "next": next, "slots": slots, "clock_changes": changes,
    })
}

/// What a clock change did to a slot that fires.
fn mark(slot: Timestamp, changes: &[ClockChange]) -> Option<Effect> {
    let touched = |change: &&ClockChange| match change.effect {
        Effect::Moved => slot == change.at,
        // The second copy of the repeated times begins with the change.
        Effect::Repeated => {
            let length = change.from.duration_since(change.to).unsigned_abs();
            slot >= change.at && slot < change.at.plus(length)
        }
        Effect::Dropped | Effect::FirstOnly => false,
    };
    changes.iter().find(touched).map(|change| change.effect)
}

fn words(effect: Effect) -> &'static str {
    match effect {
        Effect::Moved => "moved by a clock change",
        Effect::Dropped => "dropped by a clock change",
        Effect::Repeated => "a second time: the clock was put back",
        Effect::FirstOnly => "the first time only",
    }
}

/// `2026-03-29 02:00 becomes 03:00: 02:30 does not exist and fires at 03:00`.
fn sentence(change: &ClockChange) -> String {
    let time = |at: jiff::civil::DateTime| at.strftime("%H:%M:%S").to_string();
    let times = match change.count {
        1 => time(change.first),
        count => format!("{count} slots from {} to {}", time(change.first), time(change.last)),
    };
    let (exist, come, fire) = match change.count {
        1 => ("does not exist and", "comes twice and", "fires"),
        _ => ("do not exist and", "come twice and", "fire"),
    };
    let effect = match change.effect {
        Effect::Moved => format!("{exist} {fire} at {}", time(change.to)),
        Effect::Dropped => {
            format!("{exist} {}", if change.count == 1 { "is dropped" } else { "are dropped" })
        }
        Effect::Repeated => format!("{come} {fire} twice"),
        Effect::FirstOnly => format!("{come} {fire} the first time only"),
    };
    format!(
        "{} {} becomes {}: {times} {effect}",
        change.from.date(),
        time(change.from),
        time(change.to)
    )
}

/// The slot as a clock in the zone shows it, with the offset that holds then.
fn local(slot: Timestamp, timetable: &Timetable) -> String {
    timetable.local(slot).map_or_else(
        || moment::absolute(slot),
        |slot| slot.strftime("%a %Y-%m-%d %H:%M:%S %:z").to_string(),
    )
}

fn refusal(error: &schedule::Error) -> Failure {
    let code = match error {
        schedule::Error::Expression { .. } | schedule::Error::Moment(_) => Code::Cron,
        schedule::Error::Zone(_) => Code::TimeZone,
    };
    Failure::new(Exit::Configuration, error.to_string()).code(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin(cron: &str) -> Timetable {
        Schedule::cron(cron, "Europe/Berlin").timetable(None).unwrap()
    }

    fn sentences(cron: &str) -> Vec<String> {
        let from = moment::parse("2026-01-01T00:00:00Z").unwrap();
        berlin(cron).clock_changes(from, from.plus(AHEAD)).iter().map(sentence).collect()
    }

    #[test]
    fn a_slot_is_shown_as_clocks_in_its_zone_show_it() {
        let slot = moment::parse("2026-07-01T11:00:00Z").unwrap();
        assert_eq!(local(slot, &berlin("* * * * *")), "Wed 2026-07-01 13:00:00 +02:00");
    }

    #[test]
    fn clock_changes_are_told_in_words() {
        assert_eq!(
            sentences("30 2 * * *"),
            [
                "2026-03-29 02:00:00 becomes 03:00:00: 02:30:00 does not exist and fires at 03:00:00",
                "2026-10-25 03:00:00 becomes 02:00:00: 02:30:00 comes twice and fires the first time only",
            ]
        );
        assert_eq!(
            sentences("*/30 * * * *"),
            [
                "2026-03-29 02:00:00 becomes 03:00:00: 2 slots from 02:00:00 to 02:30:00 do not exist and are dropped",
                "2026-10-25 03:00:00 becomes 02:00:00: 2 slots from 02:00:00 to 02:30:00 come twice and fire twice",
            ]
        );
    }

    #[test]
    fn slots_that_a_change_touches_are_marked() {
        let from = moment::parse("2026-01-01T00:00:00Z").unwrap();
        let at = |text: &str| moment::parse(text).unwrap();
        let nightly = berlin("30 2 * * *").clock_changes(from, from.plus(AHEAD));
        assert_eq!(mark(at("2026-03-29T01:00:00Z"), &nightly), Some(Effect::Moved));
        assert_eq!(mark(at("2026-03-30T00:30:00Z"), &nightly), None);
        let often = berlin("*/30 * * * *").clock_changes(from, from.plus(AHEAD));
        assert_eq!(mark(at("2026-10-25T00:30:00Z"), &often), None);
        assert_eq!(mark(at("2026-10-25T01:30:00Z"), &often), Some(Effect::Repeated));
        assert_eq!(mark(at("2026-10-25T02:00:00Z"), &often), None);
    }

    #[test]
    fn an_expression_that_cannot_be_read_has_its_code() {
        let code = |cron: &str, timezone: &str| {
            refusal(&Schedule::cron(cron, timezone).timetable(None).unwrap_err()).code
        };
        assert_eq!(code("61 * * * *", "UTC"), Some(Code::Cron));
        assert_eq!(code("* * * * *", "Mars/Olympus"), Some(Code::TimeZone));
    }
}
