//! Keep-alive clients that start runs over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Clients with one connection each.
const CLIENTS: usize = 64;

/// Starts so many runs of a flow of the workspace `bench` at `url`, over all clients together. The
/// inputs of each, as JSON, follow from its number. Fails when one is not accepted.
pub(crate) async fn start(
    url: &str,
    flow: &str,
    runs: usize,
    inputs: impl Fn(usize) -> String + Send + Sync + 'static,
) -> Result<()> {
    let address = url.trim_start_matches("http://").to_owned();
    let next = Arc::new(AtomicUsize::new(0));
    let inputs = Arc::new(inputs);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let (address, next, inputs) = (address.clone(), Arc::clone(&next), Arc::clone(&inputs));
        let path = format!("/api/v1/workspaces/bench/flows/{flow}/runs");
        tasks.spawn(async move {
            let mut client = Client::connect(&address).await?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= runs {
                    return anyhow::Ok(());
                }
                let body = format!(r#"{{"inputs":{}}}"#, inputs(number));
                let (status, answer) = client.post(&path, &body).await?;
                ensure!(status == 202, "{answer}");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// A client with one connection.
pub(crate) struct Client {
    address: String,
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Client {
    /// Connects to `HOST:PORT`, or to an `http://` URL of one.
    pub(crate) async fn connect(address: &str) -> Result<Self> {
        let address = address.trim_start_matches("http://");
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { address: address.to_owned(), stream, answer: Vec::new() })
    }

    /// Posts a JSON document; gives the status and the body of the answer.
    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Result<(u16, String)> {
        let Self { address, stream, answer } = self;
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        answer.clear();
        while !is_whole(answer)? {
            let read = stream.read_buf(answer).await?;
            ensure!(read > 0, "the server hung up");
        }
        let text = String::from_utf8_lossy(answer);
        let (head, body) = text.split_once("\r\n\r\n").context("an answer without an end")?;
        let status = head.split(' ').nth(1).context("an answer without a status")?.parse()?;
        Ok((status, body.to_owned()))
    }
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
