//! A DNS server (RFC 1035) that changes its mind.

use std::collections::HashMap;
use std::net::{IpAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
/// A response to a standard query, with recursion; and one that says that there is no such name.
const ANSWERS: u16 = 0x8180;
const NO_SUCH_NAME: u16 = 0x8183;
/// Points to the name of the question.
const SAME_NAME: [u8; 2] = [0xc0, 12];
/// The question begins behind the header.
const HEADER: usize = 12;

/// What names stand for: for each a list of answers, one for each time that it is resolved; the last
/// one is for all times after it. An answer is a list of addresses, of which the first may be
/// `cname:NAME`, whose addresses follow. Every answer may be kept for 0 seconds.
#[derive(Debug, Clone, Default)]
pub struct Names {
    known: Arc<Mutex<HashMap<String, Name>>>,
}

#[derive(Debug, Default)]
struct Name {
    answers: Vec<Vec<String>>,
    /// How often each type was asked for.
    asked: HashMap<u16, usize>,
}

impl Names {
    pub(super) fn serve() -> Self {
        let names = Self::default();
        let socket = UdpSocket::bind("127.0.0.1:53").expect("the port of names");
        let answering = names.clone();
        thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                if let Some(answer) = answering.answer(&query[..length]) {
                    drop(socket.send_to(&answer, from));
                }
            }
        });
        names
    }

    /// Says what a name stands for from now on.
    pub fn set(&self, name: &str, answers: Vec<Vec<String>>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.to_owned(), Name { answers, asked: HashMap::new() });
    }

    /// How often a name was resolved: IPv4 addresses are asked for each time.
    pub fn asked(&self, name: &str) -> usize {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).and_then(|name| name.asked.get(&A)).copied().unwrap_or_default()
    }

    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (name, kind, end) = question(query)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let records = known.get_mut(&name).map(|name| {
            let asked = name.asked.entry(kind).or_default();
            let at = (*asked).min(name.answers.len().saturating_sub(1));
            *asked += 1;
            records(name.answers.get(at).map_or(&[], Vec::as_slice), kind)
        });
        let flags = if records.is_some() { ANSWERS } else { NO_SUCH_NAME };
        let records = records.unwrap_or_default();
        let mut out = query.get(..2)?.to_vec();
        for number in [flags, 1, u16::try_from(records.len()).ok()?, 0, 0] {
            out.extend(number.to_be_bytes());
        }
        out.extend(query.get(HEADER..end)?);
        Some([out, records.concat()].concat())
    }
}

/// The name of a query in lower case, the type it asks for, and where the question ends.
fn question(query: &[u8]) -> Option<(String, u16, usize)> {
    let (mut labels, mut at) = (Vec::new(), HEADER);
    loop {
        let length = usize::from(*query.get(at)?);
        let label = query.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(label).to_lowercase());
    }
    let kind = u16::from_be_bytes(query.get(at..at + 2)?.try_into().ok()?);
    Some((labels.join("."), kind, at + 4))
}

/// The resource records for a type, each whole.
fn records(answer: &[String], kind: u16) -> Vec<Vec<u8>> {
    let mut owner = SAME_NAME.to_vec();
    let mut out = Vec::new();
    for entry in answer {
        if let Some(other) = entry.strip_prefix("cname:") {
            let other = encoded(other);
            out.push(record(&owner, CNAME, &other));
            owner = other;
            continue;
        }
        match (entry.parse().expect("an address"), kind) {
            (IpAddr::V4(address), A) => out.push(record(&owner, A, &address.octets())),
            (IpAddr::V6(address), AAAA) => out.push(record(&owner, AAAA, &address.octets())),
            _ => {}
        }
    }
    out
}

fn encoded(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| {
        let length = u8::try_from(label.len()).expect("a short label");
        [&[length], label.as_bytes()].concat()
    });
    labels.chain([0]).collect()
}

/// Class `IN`, to be kept for 0 seconds.
fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a short record");
    [owner, &kind.to_be_bytes(), &[0, 1, 0, 0, 0, 0], &length.to_be_bytes(), data].concat()
}
