//! Runs that are accepted over HTTP by the real binary, from keep-alive clients.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use signalbox_testkit::Serve;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::raw;
use crate::report::{Report, per_second};

/// Clients with one connection each.
const CLIENTS: usize = 64;
/// Requests over all of them.
const RUNS: usize = 30_000;

pub(crate) async fn measure(report: &mut Report, binary: &Path) -> Result<()> {
    let repo = crate::fixture::repository();
    let (_launch, serve) = Serve::start(binary, &repo.path());
    serve.client().post("/api/v1/sync", &serde_json::json!({ "wait": 30 })).expect(200);
    let address = serve.url().trim_start_matches("http://").to_owned();
    let started = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        tasks.spawn(client(address.clone(), Arc::clone(&next)));
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
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

async fn client(address: String, next: Arc<AtomicUsize>) -> Result<()> {
    let mut stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let body = r#"{"inputs":{"x":41}}"#;
    let request = format!(
        "POST /api/v1/workspaces/bench/flows/one/runs HTTP/1.1\r\nhost: {address}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut buffer = Vec::new();
    while next.fetch_add(1, Ordering::Relaxed) < RUNS {
        stream.write_all(request.as_bytes()).await?;
        buffer.clear();
        while !is_whole(&buffer)? {
            let read = stream.read_buf(&mut buffer).await?;
            ensure!(read > 0, "the server hung up");
        }
        ensure!(buffer.starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&buffer));
    }
    Ok(())
}

/// Whether a whole answer is there.
fn is_whole(answer: &[u8]) -> Result<bool> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(false);
    };
    let head = std::str::from_utf8(&answer[..end])?.to_lowercase();
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .context("an answer without its length")?
        .trim()
        .parse()?;
    Ok(answer.len() >= end + 4 + length)
}
