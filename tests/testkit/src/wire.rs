//! HTTP/1.1 messages on a socket, as much of them as the tests need.

use std::io::{self, BufRead, ErrorKind, Read as _, Write};

use serde_json::Value;

/// Largest message that is read.
const MAX_BODY: usize = 64 << 20;

/// A request that a stub has received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// In capitals: `POST`.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of a name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body as JSON; `Value::Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// What a stub answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) hang_up: bool,
}

impl Response {
    /// A response with an empty body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), hang_up: false }
    }

    /// A response with a JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::status(status).header("content-type", "application/json").body(body.to_string())
    }

    /// A response with a text.
    pub fn text(status: u16, body: &str) -> Self {
        Self::status(status).header("content-type", "text/plain; charset=utf-8").body(body)
    }

    /// No response: the connection is closed after the request was read.
    pub fn hang_up() -> Self {
        Self { hang_up: true, ..Self::status(0) }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut lines = vec![format!("HTTP/1.1 {} Stub", self.status)];
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        lines.push(format!("content-length: {}\r\n\r\n", self.body.len()));
        let message = lines.join("\r\n");
        to.write_all(&[message.as_bytes(), &self.body].concat())?;
        to.flush()
    }
}

pub(crate) fn find<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// A request's or response's first line and headers; `None` when the other side has closed.
pub(crate) type Head = (String, Vec<(String, String)>);

pub(crate) fn read_head(from: &mut impl BufRead) -> io::Result<Option<Head>> {
    let Some(first) = read_line(from)? else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        let line = read_line(from)?.ok_or(ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(Some((first, headers)));
        }
        let (name, value) = line.split_once(':').ok_or(ErrorKind::InvalidData)?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// Reads a request, or `None` when the other side has closed.
pub(crate) fn read_request(from: &mut impl BufRead) -> io::Result<Option<Request>> {
    let Some((first, headers)) = read_head(from)? else { return Ok(None) };
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Err(ErrorKind::InvalidData.into());
    };
    let body = if is_chunked(&headers) {
        read_chunks(from)?
    } else {
        let length = length(&headers)?.unwrap_or(0);
        read_exactly(from, length)?
    };
    Ok(Some(Request { method: method.to_owned(), path: path.to_owned(), headers, body }))
}

/// Reads a response's body: by length, in chunks, or until the other side closes.
pub(crate) fn read_body(
    from: &mut impl BufRead,
    headers: &[(String, String)],
) -> io::Result<Vec<u8>> {
    if is_chunked(headers) {
        return read_chunks(from);
    }
    if let Some(length) = length(headers)? {
        return read_exactly(from, length);
    }
    let mut body = Vec::new();
    (&mut *from).take(MAX_BODY as u64).read_to_end(&mut body)?;
    Ok(body)
}

fn is_chunked(headers: &[(String, String)]) -> bool {
    find(headers, "transfer-encoding").is_some_and(|value| value.contains("chunked"))
}

fn length(headers: &[(String, String)]) -> io::Result<Option<usize>> {
    find(headers, "content-length")
        .map(|value| value.parse().map_err(|_| ErrorKind::InvalidData.into()))
        .transpose()
}

fn read_exactly(from: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    if length > MAX_BODY {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(body)
}

fn read_chunks(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(from)?.ok_or(ErrorKind::UnexpectedEof)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).map_err(|_| ErrorKind::InvalidData)?;
        if size == 0 {
            // Trailers, up to an empty line.
            while read_line(from)?.is_some_and(|line| !line.is_empty()) {}
            return Ok(body);
        }
        if size > MAX_BODY - body.len() {
            return Err(ErrorKind::FileTooLarge.into());
        }
        body.extend(read_exactly(from, size)?);
        read_line(from)?;
    }
}

fn read_line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    (&mut *from).take(64 << 10).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    let text = String::from_utf8(line).map_err(|_| ErrorKind::InvalidData)?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}
