//! Sending requests and reading answers.

use std::time::Duration;

use reqwest::{Response, Url};
use serde_json::Value;
use signalbox_core::codes::Code;

use super::connect::{Connect, is_loopback, parse_server, read_token};
use super::{Request, problem, stream};
use crate::exit::{Failure, chain};
use crate::fields::{list, text};

/// Largest answer that is read.
const MAX_ANSWER: usize = 64 << 20;
/// Most items that the server gives at once.
const PAGE: usize = 1_000;

/// A client of one server.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

impl Client {
    /// A client for the server that was named. Nothing is sent yet.
    pub(crate) fn open(connect: &Connect) -> Result<Self, Failure> {
        let base = parse_server(&connect.server)?;
        let token = match &connect.token_file {
            Some(file) => Some(read_token(file)?),
            None => std::env::var("SIGNALBOX_TOKEN").ok().filter(|token| !token.is_empty()),
        };
        let mut builder = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("signalbox/", env!("CARGO_PKG_VERSION")));
        if base.scheme() == "http" {
            // Loading the machine's certificates takes longer than the whole request.
            builder = builder.tls_certs_only([]);
        }
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| Failure::environment(format!("no client: {}", chain(&error))))?;
        Ok(Self { http, base, token })
    }

    /// Where something of the server is that is no part of its API, as a URL.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str().trim_end_matches('/'))
    }

    /// Sends a request and reads the answer; `null` when it has no body.
    pub(crate) async fn send(&self, request: Request<'_>) -> Result<Value, Failure> {
        let patience = request.patience;
        let response = self.start(request, Some(patience)).await?;
        let body = self.read(response).await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|_| self.stranger())
    }

    /// Sends a request; `None` when what is named is not there.
    pub(crate) async fn find(&self, request: Request<'_>) -> Result<Option<Value>, Failure> {
        match self.send(request).await {
            Ok(answer) => Ok(Some(answer)),
            Err(failure) if failure.code == Some(Code::NotFound) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads a list, over as many pages as `limit` needs, newest first.
    pub(crate) async fn list(
        &self,
        path: &str,
        query: &[(&str, Option<String>)],
        limit: usize,
    ) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        while items.len() < limit {
            let mut request = Request::get(path).with("limit", &PAGE.min(limit - items.len()));
            for (name, value) in query {
                request = request.with_some(name, value.as_ref());
            }
            let page = self.send(request.with_some("cursor", cursor.as_ref())).await?;
            items.extend_from_slice(list(&page, "/items"));
            cursor = match page.get("next") {
                Some(Value::String(next)) => Some(next.clone()),
                Some(Value::Number(next)) => Some(next.to_string()),
                _ => break,
            };
        }
        Ok(items)
    }

    /// Opens a stream of server-sent events.
    pub(crate) async fn follow(&self, request: Request<'_>) -> Result<stream::Events, Failure> {
        Ok(stream::Events::new(self.start(request, None).await?))
    }

    /// Sends a request; the answer is a good one, its body is not read.
    async fn start(
        &self,
        request: Request<'_>,
        timeout: Option<Duration>,
    ) -> Result<Response, Failure> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/api/v1{}", self.base.path().trim_end_matches('/'), request.path));
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let mut call = self.http.request(request.method, url).header("x-signalbox-client", "cli");
        if let Some(token) = &self.token {
            call = call.bearer_auth(token);
        }
        if let Some(body) = &request.body {
            call = call.json(body);
        }
        if let Some(timeout) = timeout {
            call = call.timeout(timeout);
        }
        let response = call.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = self.read(response).await?;
        match serde_json::from_slice::<Value>(&body) {
            Ok(problem) if !text(&problem, "/code").is_empty() => {
                Err(problem::failure(status, &problem))
            }
            _ => Err(self.stranger().help(format!("it answered {status}"))),
        }
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_ANSWER => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => {
                    return Err(Failure::environment(format!(
                        "the answer of {} is over {} MiB",
                        self.base,
                        MAX_ANSWER >> 20
                    )));
                }
                Ok(None) => return Ok(body),
                Err(error) => return Err(self.unreachable(&error)),
            }
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        if error.is_timeout() && !error.is_connect() {
            return Failure::environment(format!("{} did not answer in time", self.base))
                .help("`signalbox doctor` looks at this machine");
        }
        let why = innermost(error);
        Failure::environment(format!("no runner answers at {}: {why}", self.base))
            .help("is `signalbox serve` running? `--server URL` names another address")
    }

    fn stranger(&self) -> Failure {
        Failure::environment(format!("what answers at {} is no Signalbox runner", self.base))
    }
}

/// Runs a client's command to its end. One thread: a client has nothing to do at the same time.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// The last cause of an error, which is the one that says something.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_server_that_is_not_there_is_the_environments_fault() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let connect = Connect { server: format!("http://127.0.0.1:{port}"), token_file: None };
        let failure = block_on(async {
            let client = Client::open(&connect)?;
            Ok(client.send(Request::get("/workspaces")).await.unwrap_err())
        })
        .unwrap();
        assert_eq!(failure.exit, Exit::Environment);
        assert!(failure.help.unwrap().contains("is `signalbox serve` running?"));
    }
}
