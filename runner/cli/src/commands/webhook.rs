//! `signalbox webhook`

use serde_json::{Value, json};

use crate::client::{Client, Connect, block_on};
use crate::exit::Exit;
use crate::fields::{flag, list, or_dash, text};
use crate::table::{self, Column};
use crate::terminal;

/// Look at the webhooks of live workspaces
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List webhooks: where senders deliver, and how they prove who they are
    #[command(after_help = "Examples:
  signalbox webhook list
  signalbox webhook list -w homeops-financial --json

The address is that of --server; behind a proxy, senders use the proxy's.")]
    List(List),
}

#[derive(Debug, clap::Args)]
struct List {
    /// Only those of this workspace
    #[arg(short, long, value_name = "WS", env = "SIGNALBOX_WORKSPACE", hide_env_values = true)]
    workspace: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::List(args) => block_on(show(args)),
    }
}

async fn show(args: &List) -> anyhow::Result<Exit> {
    let client = Client::open(&args.connect)?;
    let mut webhooks = client.list("/webhooks", &[], usize::MAX).await?;
    if let Some(workspace) = &args.workspace {
        webhooks.retain(|webhook| text(webhook, "/workspace") == workspace);
    }
    for webhook in &mut webhooks {
        webhook["url"] = json!(client.address(text(webhook, "/path")));
    }
    if args.json {
        terminal::json(&Value::Array(webhooks))?;
        return Ok(Exit::Done);
    }
    let columns = [
        Column::Path("URL"),
        Column::Path("FLOW"),
        Column::Whole("AUTH"),
        Column::Whole("MODE"),
        Column::Text("STATE"),
    ];
    let rows: Vec<_> = webhooks.iter().map(row).collect();
    table::print(&columns, &rows, "no live workspace has a webhook")?;
    Ok(Exit::Done)
}

fn row(webhook: &Value) -> Vec<String> {
    vec![
        or_dash(webhook, "/url"),
        format!("{}/{}", text(webhook, "/workspace"), text(webhook, "/flow")),
        or_dash(webhook, "/auth"),
        or_dash(webhook, "/mode"),
        state(webhook),
    ]
}

/// `ready`, `open to anybody`, or what is missing.
fn state(webhook: &Value) -> String {
    let missing: Vec<_> =
        list(webhook, "/missing_secrets").iter().filter_map(Value::as_str).collect();
    if text(webhook, "/auth") == "none" {
        "open to anybody".to_owned()
    } else if missing.is_empty() {
        "ready".to_owned()
    } else if flag(webhook, "/ready") {
        format!("ready, without {}", missing.join(", "))
    } else {
        format!("not ready: {} is not set", missing.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_webhook_from_its_work_is_said() {
        let of = |auth: &str, ready: bool, missing: &[&str]| {
            state(&json!({ "auth": auth, "ready": ready, "missing_secrets": missing }))
        };
        assert_eq!(of("none", true, &[]), "open to anybody");
        assert_eq!(of("basic", true, &[]), "ready");
        assert_eq!(of("api_key", true, &["OLD"]), "ready, without OLD");
        assert_eq!(of("hmac_sha256", false, &["KEY"]), "not ready: KEY is not set");
    }
}
