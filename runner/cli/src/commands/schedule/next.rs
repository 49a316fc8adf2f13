//! `signalbox schedule next`

use serde_json::Value;
use signalbox_core::clock::Clock as _;

use crate::client::{Client, Connect, Request, block_on};
use crate::exit::Exit;
use crate::fields::{list, text};
use crate::moment::{self, SystemClock};
use crate::table::{self, Column};
use crate::terminal;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
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

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    block_on(async {
        let client = Client::open(&args.connect)?;
        let request = Request::get("/schedules/next").with("limit", &args.limit);
        let answer = client.send(request).await?;
        let slots = list(&answer, "/items");
        if args.json {
            terminal::json(&Value::Array(slots.to_vec()))?;
            return Ok(Exit::Done);
        }
        let now = SystemClock.now();
        let columns = [Column::Whole("FIRES"), Column::Whole("AT"), Column::Path("FLOW")];
        let row = |slot: &Value| {
            let at = text(slot, "/at");
            vec![
                moment::relative_text(text(slot, "/fires_at"), now),
                moment::parse(at).map_or_else(|| at.to_owned(), moment::absolute),
                format!("{}/{}", text(slot, "/workspace"), text(slot, "/flow")),
            ]
        };
        let rows: Vec<_> = slots.iter().map(row).collect();
        table::print(&columns, &rows, "no live flow has a schedule that fires")?;
        Ok(Exit::Done)
    })
}
