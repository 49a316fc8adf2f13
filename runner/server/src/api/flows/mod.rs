//! Flows, and starting them.
//!
//! A flow's name may have slashes, so one wildcard route takes what stands behind `flows/`. Clients
//! may send the slashes as they are or as `%2F`. No flow's name ends in `/runs`.

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod start;

use signalbox_core::codes::Code;
use signalbox_core::{FlowName, WorkspaceName};
use signalbox_engine::Live;

use crate::problem::Problem;

/// The route that takes both `flows/{flow}` and `flows/{flow}/runs`.
pub(crate) const ROUTE: &str = "/api/v1/workspaces/{workspace}/flows/{*flow}";

/// What is wrong when a workspace that is known has nothing live: the last faults say why.
fn nothing_live(live: &Live, name: &WorkspaceName) -> Problem {
    let Some(last) = live.last.get(name) else { return super::workspaces::unknown(name) };
    Problem::new(Code::CalleeNotLive, format!("nothing of workspace `{name}` is live"))
        .with_diagnostics(last.diagnostics.clone())
}

fn parse(name: &str) -> Result<FlowName, Problem> {
    name.parse().map_err(|_| Problem::new(Code::UnknownFlow, format!("there is no flow `{name}`")))
}
