//! A blocking HTTP client that speaks JSON.

use std::io::{self, BufReader, ErrorKind, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::PATIENCE;
use crate::repo::fail;
use crate::wire;

/// A client of one server, with one connection per request.
#[derive(Debug, Clone)]
pub struct Client {
    host: String,
    headers: Vec<(String, String)>,
}

/// What a server has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// The body as JSON; `Value::Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The first header of a name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        wire::find(&self.headers, name)
    }

    /// The body as JSON, of an answer that must have this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        if self.status != status {
            fail(&format!("expected status {status}, got {} with {}", self.status, self.text));
        }
        self.json()
    }
}

impl Client {
    /// A client of the server at `http://HOST:PORT`.
    pub fn new(url: &str) -> Self {
        let host = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
        Self { host: host.to_owned(), headers: Vec::new() }
    }

    /// Sends this header with every request, as `authorization`.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Asks for a path, which may have a query.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.must("GET", path, None)
    }

    /// Posts a JSON document.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.must("POST", path, Some(body.to_string().as_bytes()))
    }

    /// Sends any request whose body, if any, is called JSON; for servers that may be dead.
    pub fn request(&self, method: &str, path: &str, body: Option<&[u8]>) -> io::Result<Answer> {
        let connection = TcpStream::connect(&self.host)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        (&connection).write_all(&self.message(method, path, body))?;
        let mut from = BufReader::new(&connection);
        let (first, headers) = wire::read_head(&mut from)?.ok_or(ErrorKind::UnexpectedEof)?;
        let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
        let body = wire::read_body(&mut from, &headers)?;
        Ok(Answer {
            status: status.ok_or(ErrorKind::InvalidData)?,
            headers,
            text: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    #[track_caller]
    fn must(&self, method: &str, path: &str, body: Option<&[u8]>) -> Answer {
        let answer = self.request(method, path, body);
        answer.unwrap_or_else(|e| fail(&format!("{method} http://{}{path}: {e}", self.host)))
    }

    fn message(&self, method: &str, path: &str, body: Option<&[u8]>) -> Vec<u8> {
        let given = |name| self.headers.iter().any(|(known, _)| known == name);
        let mut lines = vec![format!("{method} {path} HTTP/1.1"), "connection: close".to_owned()];
        if !given("host") {
            lines.push(format!("host: {}", self.host));
        }
        if let Some(body) = body {
            lines.push(format!("content-length: {}", body.len()));
            if !given("content-type") {
                lines.push("content-type: application/json".to_owned());
            }
        }
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        let head = format!("{}\r\n\r\n", lines.join("\r\n"));
        [head.as_bytes(), body.unwrap_or_default()].concat()
    }
}
