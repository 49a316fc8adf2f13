//! The command.

use serde_json::{Value, json};
use signalbox_core::WorkspaceName;
use signalbox_core::clock::Clock as _;
use signalbox_core::secret::is_name;

use super::value::read;
use crate::client::{Client, Connect, Request, block_on};
use crate::exit::Exit;
use crate::fields::{flag, or_dash, text};
use crate::memory;
use crate::moment::{self, SystemClock};
use crate::table::{self, Column};
use crate::terminal;

/// Set, list and delete secrets; their values are never shown
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Store a secret's value, read from stdin or asked for; never given as an argument
    #[command(after_help = "Examples:
  signalbox secret set SLACK_WEBHOOK -w homeops-platform               asks for the value
  signalbox secret set SLACK_WEBHOOK -w homeops-platform < file        reads it
  pass show slack | signalbox secret set SLACK_WEBHOOK -w homeops-platform

One line break at the end of what is read is not part of the value.")]
    Set(Named),
    /// List a workspace's secrets: those that are set, and those that it declares but are not
    #[command(after_help = "Example:
  signalbox secret list -w homeops-platform")]
    List(List),
    /// Forget a secret's value
    #[command(after_help = "Example:
  signalbox secret delete SLACK_WEBHOOK -w homeops-platform")]
    Delete(Named),
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The secret's name: A-Z, 0-9 and _, starting with a letter
    #[arg(value_parser = parse_name)]
    name: String,
    /// The workspace
    #[arg(short, long, value_name = "WS", env = "SIGNALBOX_WORKSPACE", hide_env_values = true)]
    workspace: WorkspaceName,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, clap::Args)]
struct List {
    /// The workspace
    #[arg(short, long, value_name = "WS", env = "SIGNALBOX_WORKSPACE", hide_env_values = true)]
    workspace: WorkspaceName,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Set(args) => {
            memory::keep()?;
            let value = read(&args.name)?;
            block_on(set(args, value))
        }
        Command::List(args) => block_on(list(args)),
        Command::Delete(args) => block_on(delete(args)),
    }
}

async fn set(args: &Named, value: String) -> anyhow::Result<Exit> {
    let request_path = path(args);
    let request = Request::put(&request_path, json!({ "value": value }));
    Client::open(&args.connect)?.send(request).await?;
    done(args, true)
}

fn done(args: &Named, set: bool) -> anyhow::Result<Exit> {
    let Named { name, workspace, .. } = args;
    if args.json {
        terminal::json(&json!({ "workspace": workspace, "name": name, "set": set }))?;
    } else {
        let what = if set { "set" } else { "deleted" };
        terminal::say(&format!("{name} of {workspace} is {what}"));
    }
    Ok(Exit::Done)
}

async fn delete(args: &Named) -> anyhow::Result<Exit> {
    Client::open(&args.connect)?.send(Request::delete(&path(args))).await?;
    done(args, false)
}

async fn list(args: &List) -> anyhow::Result<Exit> {
    let path = format!("/workspaces/{}/secrets", args.workspace);
    let secrets = Client::open(&args.connect)?.list(&path, &[], usize::MAX).await?;
    if args.json {
        terminal::json(&Value::Array(secrets))?;
        return Ok(Exit::Done);
    }
    let columns = [Column::Whole("SECRET"), Column::Whole("SET")];
    let rows: Vec<_> = secrets.iter().map(row).collect();
    table::print(&columns, &rows, "the workspace has no secret, and declares none")?;
    Ok(Exit::Done)
}

fn row(secret: &Value) -> Vec<String> {
    let set = match (flag(secret, "/set"), text(secret, "/set_at")) {
        (false, _) => "not set".to_owned(),
        (true, at) => moment::relative_text(at, SystemClock.now()),
    };
    vec![or_dash(secret, "/name"), set]
}

fn path(args: &Named) -> String {
    format!("/workspaces/{}/secrets/{}", args.workspace, args.name)
}

fn parse_name(text: &str) -> Result<String, String> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err("1 to 64 of A-Z, 0-9 and `_`, starting with a letter".to_owned())
    }
}
