//! The repository that has the flows.

use super::flows;

/// The file in which a script finds the revision it belongs to.
const VERSION: &str = "VERSION";

const ROOT: &str = "version: 1
workspaces:
  ops: { kind: platform, path: ops, grants: { limits: { concurrency: 2 } } }
  shop: { kind: domain, path: shop, grants: { limits: { concurrency: 2 } } }
";
const OPS: &str = "exports:
  sim.double: { flow: double, callers: [domains] }
  sim.hasty: { flow: double, callers: [domains], timeout: 1m }
  sim.broken: { flow: fails, callers: [domains] }
  sim.naps: { flow: naps, callers: [domains] }
  sim.goes: { flow: goes-on, callers: [domains] }
may_start:
  shop: [relay]
";
const SHOP: &str = "accepts: [relay]
uses: [sim.double, sim.hasty, sim.broken, sim.naps, sim.goes]
webhooks:
  orders: { flow: taken, auth: none }
";

/// Every file of a version of the repository, by path.
pub(crate) fn files(version: i64) -> Vec<(String, String)> {
    let mut files = vec![
        ("signalbox.yaml".to_owned(), ROOT.to_owned()),
        ("ops/workspace.yaml".to_owned(), format!("description: version {version}\n{OPS}")),
        ("shop/workspace.yaml".to_owned(), format!("description: version {version}\n{SHOP}")),
    ];
    files.extend(flows().map(|flow| {
        let path = format!("{}/flows/{}.yaml", flow.workspace, flow.name);
        (path, flow.file.replace(VERSION, &version.to_string()))
    }));
    files
}
