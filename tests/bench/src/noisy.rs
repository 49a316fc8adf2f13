//! The latency of one workspace, alone and beside another that does its worst.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signalbox_testkit::{Client, Launch, Repo, Serve};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::report::{Report, percentile};

/// Runs of the quiet workspace in a second.
const RATE: u32 = 100;
/// Connections that they come over: the runs are begun in time even if those before them are not over.
const CONNECTIONS: usize = 32;
/// Runs that start others, and how many each of them starts: 100,000 together.
const FLOODS: (usize, usize) = (20, 5_000);
/// Other runs of the noisy workspace that are under way at any time, of each kind.
const SIDE_BY_SIDE: usize = 4;
/// What the noisy workspace does besides: each line of its log is 1 KiB, its texts grow until
/// the cell has no memory left, its loop ends with the bound of its operations.
const HARM: [(&str, &str); 3] = [
    (
        "shout",
        "let line = \"x\"; for i in 0..10 { line += line; } for i in 0..4000 { log::info(line); }",
    ),
    (
        "greedy",
        "let all = []; let s = \"x\"; for i in 0..20 { s += s; } for i in 0..2000 { let t = s + i; all.push(t); } all.len()",
    ),
    ("spin", "let n = 0; loop { n += 1; }"),
];

/// How long each of the two measurements takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    alone: Duration,
    beside: Duration,
}

impl Scale {
    pub(crate) const FULL: Self =
        Self { alone: Duration::from_secs(30), beside: Duration::from_secs(30) };
    pub(crate) const QUICK: Self =
        Self { alone: Duration::from_secs(8), beside: Duration::from_secs(10) };
}

pub(crate) async fn measure(report: &mut Report, binary: &Path, scale: Scale) -> Result<()> {
    let repo = repository();
    let launch = Launch::new(binary, repo.path()).arg("--poll").arg("1h");
    let serve = launch.start();
    let client = serve.client();
    client.post("/api/v1/sync", &json!({ "wait": 30 })).expect(200);
    drop(paced(serve.url(), Duration::from_secs(2)).await?);
    let mut alone = paced(serve.url(), scale.alone).await?;
    let flood = Flood::start(&client, repo);
    let mut beside = paced(serve.url(), scale.beside).await?;
    let left = queued(&client);
    let (pushes, slowest) = flood.stop()?;
    let (quiet, loud) = (percentile(&mut alone, 99.0), percentile(&mut beside, 99.0));
    for (name, percent) in [("p50", 50.0), ("p99", 99.0)] {
        report.add(
            &format!("quiet workspace alone, {name}"),
            percentile(&mut alone, percent),
            "ms",
        );
        let name = format!("quiet workspace beside the noisy one, {name}");
        report.add(&name, percentile(&mut beside, percent), "ms");
    }
    report.add_beside("p99 beside a noisy neighbour to p99 alone", loud / quiet, "×", "≤ 2 ×", "");
    report.add("pushes of the quiet workspace that went live meanwhile", pushes, "");
    report.add("the slowest of them, from its hint to live", slowest, "ms");
    report.add("runs of the noisy workspace that still waited at the end", left, "runs");
    report.add("memory of the runner at the end", resident(&serve), "MiB");
    Ok(())
}

fn repository() -> Repo {
    let repo = Repo::new();
    repo.write(
        "signalbox.yaml",
        "version: 1\nworkspaces:\n  noisy: { kind: domain, path: noisy }\n  \
         ops: { kind: platform, path: ops }\n  quiet: { kind: domain, path: quiet }\n",
    );
    repo.write("ops/flows/one.yaml", "run: '1'\n");
    repo.write("quiet/flows/one.yaml", "run: inputs.x + 1\n");
    repo.write("noisy/flows/one.yaml", "run: inputs.x + 1\n");
    let (_, each) = FLOODS;
    let start = format!("for i in 0..{each} {{ flow::start(\"one\", #{{ x: i }}); }}");
    for (name, body) in HARM.iter().chain(&[("flood", start.as_str())]) {
        repo.write(
            &format!("noisy/flows/{name}.rhai"),
            format!("fn main(inputs) {{\n{body}\n}}\n"),
        );
    }
    repo.commit("a quiet workspace and a noisy one");
    repo
}

/// Starts a run of the quiet workspace every hundredth of a second for so long, and gives the
/// milliseconds from each's start to its end.
async fn paced(url: &str, time: Duration) -> Result<Vec<f64>> {
    let address = url.trim_start_matches("http://").to_owned();
    let (begun, next) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (address, next) = (address.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            let mut stream = BufReader::new(TcpStream::connect(&address).await?);
            stream.get_ref().set_nodelay(true)?;
            let mut times = Vec::new();
            loop {
                let number = u32::try_from(next.fetch_add(1, Ordering::Relaxed))?;
                let due = Duration::from_secs(1) / RATE * number;
                if due >= time {
                    return anyhow::Ok(times);
                }
                // A run that could not be begun in time has waited since it was due.
                let mut from = begun + due;
                if Instant::now() < from {
                    tokio::time::sleep_until(from).await;
                    from = Instant::now();
                }
                run(&mut stream, &address).await?;
                times.push(from.elapsed().as_secs_f64() * 1e3);
            }
        });
    }
    let mut all = Vec::new();
    while let Some(times) = tasks.join_next().await {
        all.extend(times??);
    }
    Ok(all)
}

/// One run over a connection that is kept, waited for.
async fn run(stream: &mut BufReader<TcpStream>, address: &str) -> Result<()> {
    let body = r#"{"inputs":{"x":41}}"#;
    let request = format!(
        "POST /api/v1/workspaces/quiet/flows/one/runs?wait=50 HTTP/1.1\r\nhost: {address}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.get_mut().write_all(request.as_bytes()).await?;
    let (mut length, mut line) = (0, String::new());
    loop {
        line.clear();
        ensure!(stream.read_line(&mut line).await? > 0, "the server hung up");
        if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    let run: Value = serde_json::from_slice(&answer)?;
    ensure!(run["result"] == 42, "{run:#}");
    Ok(())
}

/// What the noisy workspace does, until it is stopped.
struct Flood {
    over: Arc<AtomicBool>,
    harm: std::thread::JoinHandle<()>,
    pushes: std::thread::JoinHandle<Result<Vec<f64>>>,
}

impl Flood {
    fn start(client: &Client, repo: Repo) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..FLOODS.0 {
            client.post("/api/v1/workspaces/noisy/flows/flood/runs", &json!({})).expect(202);
        }
        let (stop, one) = (Arc::clone(&over), client.clone());
        let harm = std::thread::spawn(move || harm(&one, &stop));
        let (stop, one) = (Arc::clone(&over), client.clone());
        let pushes = std::thread::spawn(move || push(&one, &repo, &stop));
        Self { over, harm, pushes }
    }

    /// How many pushes of the quiet workspace went live, and how long the slowest took, in ms.
    fn stop(self) -> Result<(f64, f64)> {
        self.over.store(true, Ordering::SeqCst);
        ensure!(self.harm.join().is_ok(), "the noisy workspace's runs were not taken");
        let pushes = self.pushes.join().ok().context("the pushes did not go on")??;
        #[expect(clippy::cast_precision_loss, reason = "one for each second")]
        let count = pushes.len() as f64;
        Ok((count, pushes.into_iter().fold(0.0, f64::max)))
    }
}

/// Keeps runs under way that shout, eat memory and count for ever.
fn harm(client: &Client, over: &AtomicBool) {
    std::thread::scope(|scope| {
        for (name, _) in HARM {
            for _ in 0..SIDE_BY_SIDE {
                scope.spawn(move || {
                    let path = format!("/api/v1/workspaces/noisy/flows/{name}/runs?wait=5");
                    while !over.load(Ordering::SeqCst) {
                        client.post(&path, &json!({}));
                    }
                });
            }
        }
    });
}

/// Every second a revision that is bad in the noisy workspace and good in the quiet one; gives how
/// long each took to be live, in milliseconds.
fn push(client: &Client, repo: &Repo, over: &AtomicBool) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    let begun = std::time::Instant::now();
    for second in 1.. {
        while begun.elapsed() < Duration::from_secs(second) {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        if over.load(Ordering::SeqCst) {
            break;
        }
        repo.write("noisy/flows/bad.rhai", format!("fn main(inputs) {{ {second} +\n"));
        repo.write("quiet/flows/pushed.yaml", format!("run: '{second}'\n"));
        repo.commit("a bad revision of one, a good one of the other");
        let hinted = std::time::Instant::now();
        let answer = client.post("/api/v1/sync", &json!({ "wait": 30 })).expect(200);
        let of = |name: &str| {
            let all = answer["workspaces"].as_array().into_iter().flatten();
            let mut found = all.filter(|one| one["workspace"] == name);
            found.next().map_or(Value::Null, |one| one["outcome"].clone())
        };
        ensure!(of("quiet") == "deployed" && of("noisy") == "rejected", "{answer:#}");
        times.push(hinted.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

fn queued(client: &Client) -> f64 {
    let noisy = client.get("/api/v1/workspaces/noisy").expect(200);
    noisy["counts"]["runs"]["queued"].as_f64().unwrap_or(0.0)
}

/// Memory of the runner itself, without its cells, in MiB.
fn resident(serve: &Serve) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", serve.pid()));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}
