//! Runs that are accepted over HTTP by the real binary, from keep-alive clients.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use signalbox_testkit::Serve;

use crate::report::{Report, per_second};
use crate::{clients, raw};

/// Requests over all clients.
const RUNS: usize = 30_000;

pub(crate) async fn measure(report: &mut Report, binary: &Path) -> Result<()> {
    let repo = crate::fixture::repository();
    let (_launch, serve) = Serve::start(binary, &repo.path());
    serve.client().post("/api/v1/sync", &serde_json::json!({ "wait": 30 })).expect(200);
    let started = Instant::now();
    clients::start(serve.url(), "one", RUNS, |_| r#"{"x":41}"#.to_owned()).await?;
    let accepted = per_second(RUNS, started);
    let left = serve.client().get("/api/v1/runs?state=queued&limit=1000").expect(200);
    let queued = left["items"].as_array().map_or(0, Vec::len);
    report.add_beside("one step, accepted over HTTP", accepted, "runs/s", "≥ 8,000", raw::ROWS);
    report.add(
        "runs still queued when the last was accepted (1,000 at most are counted)",
        {
            #[expect(clippy::cast_precision_loss, reason = "at most 1,000")]
            let queued = queued as f64;
            queued
        },
        "runs",
    );
    Ok(())
}
