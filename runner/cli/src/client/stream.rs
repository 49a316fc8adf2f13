//! Server-sent events.

use reqwest::Response;

use crate::exit::{Failure, chain};

/// Longest event; a stream that sends more is given up.
const MAX_EVENT: usize = 8 << 20;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its type; `message` when the server names none.
    pub(crate) name: String,
    /// Its data.
    pub(crate) data: String,
    /// Its id, to go on from.
    pub(crate) id: Option<String>,
}

/// Events as they come.
#[derive(Debug)]
pub(crate) struct Events {
    response: Response,
    parser: Parser,
}

impl Events {
    pub(super) fn new(response: Response) -> Self {
        Self { response, parser: Parser::default() }
    }

    /// The next event; `None` when the server has ended the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.parser.take()? {
                return Ok(Some(event));
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) => self.parser.feed(&bytes),
                Ok(None) => return Ok(None),
                Err(error) => {
                    let why = chain(&error);
                    return Err(Failure::environment(format!("the stream broke off: {why}")));
                }
            }
        }
    }
}

/// Takes events out of bytes: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
#[derive(Debug, Default)]
struct Parser {
    bytes: Vec<u8>,
    event: Event,
    has_data: bool,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn take(&mut self) -> Result<Option<Event>, Failure> {
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if let Some(event) = self.line(line.trim_end_matches(['\n', '\r'])) {
                return Ok(Some(event));
            }
        }
        if self.bytes.len() + self.event.data.len() > MAX_EVENT {
            return Err(Failure::environment("the stream sent an event over 8 MiB"));
        }
        Ok(None)
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let complete = std::mem::take(&mut self.has_data);
            return complete.then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.has_data = true;
            }
            "event" => value.clone_into(&mut self.event.name),
            "id" => self.event.id = Some(value.to_owned()),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_the_bytes_are_cut() {
        let bytes = "event: log\nid: 7\ndata: {\"a\":\ndata: 1}\n\n: ping\n\nevent: end\n\n\
                     data: ü\r\n\r\n"
            .as_bytes();
        for size in 1..bytes.len() {
            let mut parser = Parser::default();
            let mut seen = Vec::new();
            for part in bytes.chunks(size) {
                parser.feed(part);
                while let Some(event) = parser.take().unwrap() {
                    seen.push((event.name, event.data));
                }
            }
            let named = |name: &str, data: &str| (name.to_owned(), data.to_owned());
            assert_eq!(seen, [named("log", "{\"a\":\n1}"), named("", "ü")], "{size}");
        }
    }

    #[test]
    fn a_stream_without_an_end_of_line_is_given_up() {
        let mut parser = Parser::default();
        parser.feed(&vec![b'x'; MAX_EVENT + 1]);
        assert!(parser.take().is_err());
    }
}
