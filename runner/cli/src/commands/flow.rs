//! `signalbox flow`

use serde_json::Value;
use signalbox_core::WorkspaceName;
use signalbox_core::ids::FlowRef;

use crate::client::{Client, Connect, Request, block_on};
use crate::exit::Exit;
use crate::fields::{flag, list, or_dash, text};
use crate::table::{self, Column, visible};
use crate::terminal::{self, style, styled};

/// Look at the flows that are live
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the flows of one workspace or of all
    #[command(after_help = "Examples:
  signalbox flow list
  signalbox flow list -w homeops-platform --json")]
    List(List),
    /// Show one flow: inputs, schedules, calls
    #[command(after_help = "Example:
  signalbox flow show homeops-platform/monitoring/alert-dispatcher")]
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct List {
    /// Only the flows of this workspace
    #[arg(short, long, value_name = "WS", env = "SIGNALBOX_WORKSPACE", hide_env_values = true)]
    workspace: Option<WorkspaceName>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The flow, in full
    #[arg(value_name = "WORKSPACE/FLOW")]
    flow: FlowRef,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::List(args) => block_on(list_flows(args)),
        Command::Show(args) => block_on(show_flow(args)),
    }
}

async fn list_flows(args: &List) -> anyhow::Result<Exit> {
    let client = Client::open(&args.connect)?;
    let workspaces = if let Some(workspace) = &args.workspace {
        vec![workspace.to_string()]
    } else {
        let all = client.list("/workspaces", &[], usize::MAX).await?;
        let live = all.iter().filter(|workspace| !text(workspace, "/live_revision").is_empty());
        live.map(|workspace| text(workspace, "/name").to_owned()).collect()
    };
    let mut flows = Vec::new();
    for workspace in workspaces {
        let path = format!("/workspaces/{workspace}/flows");
        for mut flow in client.list(&path, &[], usize::MAX).await? {
            if let Some(fields) = flow.as_object_mut() {
                fields.entry("workspace").or_insert_with(|| workspace.clone().into());
            }
            flows.push(flow);
        }
    }
    if args.json {
        terminal::json(&Value::Array(flows))?;
        return Ok(Exit::Done);
    }
    let columns = [Column::Path("FLOW"), Column::Text("SCHEDULES"), Column::Text("SUMMARY")];
    let row =
        |flow: &Value| vec![full_name(flow), schedules(flow), text(flow, "/summary").to_owned()];
    let rows: Vec<_> = flows.iter().map(row).collect();
    table::print(&columns, &rows, "no flow is live yet")?;
    Ok(Exit::Done)
}

fn full_name(flow: &Value) -> String {
    format!("{}/{}", text(flow, "/workspace"), text(flow, "/name"))
}

fn schedules(flow: &Value) -> String {
    let all = list(flow, "/schedules");
    let crons: Vec<_> = all.iter().map(|schedule| text(schedule, "/cron")).collect();
    crons.join("; ")
}

async fn show_flow(args: &Show) -> anyhow::Result<Exit> {
    let FlowRef { workspace, flow } = &args.flow;
    let path = format!("/workspaces/{workspace}/flows/{flow}");
    let flow = Client::open(&args.connect)?.send(Request::get(&path)).await?;
    if args.json {
        terminal::json(&flow)?;
    } else {
        terminal::data(&render(&args.flow, &flow))?;
    }
    Ok(Exit::Done)
}

fn render(name: &FlowRef, flow: &Value) -> String {
    let mut out = vec![styled(style::STRONG, &name.to_string())];
    if !text(flow, "/summary").is_empty() {
        out.push(visible(text(flow, "/summary")));
    }
    let inputs = inputs(flow);
    if !inputs.is_empty() {
        let columns = [
            Column::Whole("INPUT"),
            Column::Whole("TYPE"),
            Column::Whole("REQUIRED"),
            Column::Text("DEFAULT"),
        ];
        out.push(format!("\n{}", table::render(&columns, &inputs, terminal::width())));
    }
    let rows = |pointer: &str, fields: &[&str]| -> Vec<Vec<String>> {
        let row = |item: &Value| fields.iter().map(|field| or_dash(item, field)).collect();
        list(flow, pointer).iter().map(row).collect()
    };
    let schedules = rows("/schedules", &["/cron", "/timezone", "/description"]);
    if !schedules.is_empty() {
        let columns = [Column::Whole("SCHEDULE"), Column::Whole("ZONE"), Column::Text("IN WORDS")];
        out.push(format!("\n{}", table::render(&columns, &schedules, terminal::width())));
    }
    let calls: Vec<_> = list(flow, "/calls").iter().map(|call| vec![call_name(call)]).collect();
    if !calls.is_empty() {
        let columns = [Column::Path("CALLS")];
        out.push(format!("\n{}", table::render(&columns, &calls, terminal::width())));
    }
    out.join("\n")
}

fn call_name(call: &Value) -> String {
    call.as_str().map_or_else(|| or_dash(call, "/target"), str::to_owned)
}

/// Rows of the inputs' JSON Schema: name, type, required, default.
fn inputs(flow: &Value) -> Vec<Vec<String>> {
    let required = list(flow, "/inputs/required");
    let properties = flow.pointer("/inputs/properties").and_then(Value::as_object);
    let row = |(name, schema): (&String, &Value)| {
        let must =
            required.iter().any(|one| one.as_str() == Some(name)) || flag(schema, "/required");
        vec![
            name.clone(),
            or_dash(schema, "/type"),
            if must { "yes" } else { "no" }.to_owned(),
            schema.get("default").map_or_else(String::new, Value::to_string),
        ]
    };
    properties.into_iter().flatten().map(row).collect()
}
