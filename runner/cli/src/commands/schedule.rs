//! `signalbox schedule`

use serde_json::{Value, json};
use signalbox_core::clock::{Clock as _, Timestamp};
use signalbox_core::codes::Code;
use signalbox_core::schedule::{self, Schedule};

use crate::client::{Client, Connect, Request, block_on};
use crate::exit::{Exit, Failure};
use crate::fields::text;
use crate::moment::{self, SystemClock};
use crate::table::{self, Column};
use crate::terminal;

/// Look at what fires next, and what a cron expression means
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the next slots over all schedules, soonest first
    #[command(after_help = "Examples:
  signalbox schedule next
  signalbox schedule next -n 50 --json")]
    Next(Next),
    /// Say in words what a cron expression means and when it fires; needs no runner
    #[command(after_help = "Examples:
  signalbox schedule explain '0 7 * * 1-5' --timezone America/New_York
  signalbox schedule explain '*/10 * * * * *'    six fields: the first is seconds")]
    Explain(Explain),
}

#[derive(Debug, clap::Args)]
struct Next {
    /// At most so many
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=1000)
    )]
    limit: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, clap::Args)]
struct Explain {
    /// Five fields (minute, hour, day, month, weekday), or six with seconds first
    #[arg(value_name = "EXPR")]
    expression: String,
    /// IANA name of the zone that the fields are read in
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Next(args) => block_on(next(args)),
        Command::Explain(args) => explain(args, SystemClock.now()),
    }
}

async fn next(args: &Next) -> anyhow::Result<Exit> {
    let client = Client::open(&args.connect)?;
    let answer = client.send(Request::get("/schedules/next").with("limit", &args.limit)).await?;
    let slots = crate::fields::list(&answer, "/items");
    if args.json {
        terminal::json(&Value::Array(slots.to_vec()))?;
        return Ok(Exit::Done);
    }
    let now = SystemClock.now();
    let columns = [Column::Whole("FIRES"), Column::Whole("AT"), Column::Path("FLOW")];
    let row = |slot: &Value| {
        let at = text(slot, "/at");
        vec![
            moment::relative_text(at, now),
            moment::parse(at).map_or_else(|| at.to_owned(), moment::absolute),
            format!("{}/{}", text(slot, "/workspace"), text(slot, "/flow")),
        ]
    };
    let rows: Vec<_> = slots.iter().map(row).collect();
    table::print(&columns, &rows, "no live flow has a schedule")?;
    Ok(Exit::Done)
}

fn explain(args: &Explain, now: Timestamp) -> anyhow::Result<Exit> {
    let schedule = Schedule { cron: args.expression.clone(), timezone: args.timezone.clone() };
    let timetable = schedule.parse().map_err(|error| refusal(&error))?;
    let slots: Vec<_> =
        std::iter::successors(timetable.next_after(now), |slot| timetable.next_after(*slot))
            .take(5)
            .collect();
    if args.json {
        let next: Vec<_> = slots.iter().map(ToString::to_string).collect();
        terminal::json(&json!({
            "cron": args.expression, "timezone": args.timezone,
            "description": timetable.describe(), "next": next,
        }))?;
        return Ok(Exit::Done);
    }
    terminal::data(&format!("{} ({})", timetable.describe(), args.timezone))?;
    if slots.is_empty() {
        terminal::say("it never fires");
    }
    for slot in slots {
        terminal::data(&format!(
            "  {}  {}",
            local(slot, &args.timezone),
            moment::relative(slot, now)
        ))?;
    }
    Ok(Exit::Done)
}

/// The slot as a clock in the zone shows it, with the offset that holds then.
fn local(slot: Timestamp, zone: &str) -> String {
    let shown = slot.to_jiff().and_then(|slot| slot.in_tz(zone).ok());
    shown.map_or_else(
        || moment::absolute(slot),
        |slot| slot.strftime("%a %Y-%m-%d %H:%M:%S %:z").to_string(),
    )
}

fn refusal(error: &schedule::Error) -> Failure {
    let code = match error {
        schedule::Error::Expression { .. } => Code::Cron,
        schedule::Error::Zone(_) => Code::TimeZone,
    };
    Failure::new(Exit::Configuration, error.to_string()).code(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_shown_as_clocks_in_its_zone_show_it() {
        let slot = moment::parse("2026-07-01T11:00:00Z").unwrap();
        assert_eq!(local(slot, "America/New_York"), "Wed 2026-07-01 07:00:00 -04:00");
    }

    #[test]
    fn an_expression_that_cannot_be_read_has_its_code() {
        let schedule = |cron: &str, timezone: &str| {
            let schedule = Schedule { cron: cron.to_owned(), timezone: timezone.to_owned() };
            refusal(&schedule.parse().unwrap_err()).code
        };
        assert_eq!(schedule("61 * * * *", "UTC"), Some(Code::Cron));
        assert_eq!(schedule("* * * * *", "Mars/Olympus"), Some(Code::TimeZone));
    }
}
