//! `signalbox explain`

use rust_embed::RustEmbed;
use serde_json::json;
use signalbox_core::codes::Code;

use crate::exit::Exit;
use crate::table::{self, Column};
use crate::terminal;

/// The pages of the error codes.
#[derive(RustEmbed)]
#[folder = "../../docs/errors"]
#[allow_missing = true]
struct Pages;

/// Show the page of an error code: what it means and how to mend it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  signalbox explain SB0103
  signalbox explain            list every code")]
pub(crate) struct Args {
    /// The code, such as SB0103; without one, every code is listed
    code: Option<Code>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    match args.code {
        Some(code) if args.json => terminal::json(&document(code))?,
        Some(code) => terminal::data(&page(code))?,
        None if args.json => {
            let all: Vec<_> = Code::ALL.iter().map(|code| summary(*code)).collect();
            terminal::json(&all.into())?;
        }
        None => {
            let columns = [Column::Whole("CODE"), Column::Text("MEANS")];
            let row = |code: &Code| vec![code.to_string(), code.title().to_owned()];
            let rows: Vec<_> = Code::ALL.iter().map(row).collect();
            table::print(&columns, &rows, "there are no codes")?;
        }
    }
    Ok(Exit::Done)
}

fn summary(code: Code) -> serde_json::Value {
    json!({ "code": code, "title": code.title() })
}

fn document(code: Code) -> serde_json::Value {
    json!({ "code": code, "title": code.title(), "page": page(code) })
}

/// The page, or what the code itself says when there is none.
fn page(code: Code) -> String {
    match Pages::get(&format!("{code}.md")) {
        Some(page) => String::from_utf8_lossy(&page.data).into_owned(),
        None => format!("# {code}: {}\n", code.title()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_something_to_say() {
        for code in Code::ALL {
            assert!(page(*code).contains(code.as_str()), "{code}");
        }
    }
}
