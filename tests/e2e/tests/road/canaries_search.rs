//! Twenty secrets of different shapes, and a search that finds them in five encodings.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signalbox_e2e::Die;

/// A secret that must be found nowhere.
#[derive(Debug)]
pub(crate) struct Canary {
    /// Its name as a secret.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: String,
    /// What of the value is like nothing else.
    pub(crate) core: String,
}

/// Letters and digits.
pub(crate) fn random(die: &mut Die, length: usize) -> String {
    const ALL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut one = || {
        let at = usize::try_from(die.roll(0, 61)).unwrap();
        char::from(ALL[at])
    };
    (0..length).map(|_| one()).collect()
}

/// Twenty, new ones each time; `address` is of a server, for one that is a URL.
pub(crate) fn canaries(die: &mut Die, address: &str) -> Vec<Canary> {
    let mut r = |length| random(die, length);
    let (long, line) = (r(4096), [r(64), r(64)]);
    let (path, pem) = (r(16), format!("{}\n{}", &line[0][48..], &line[1][..16]));
    let (first, second) = (r(12), r(12));
    let whole = [
        r(8),
        format!("p!{}$^&*(", r(8)),
        format!("\u{1}{}\u{7f}\u{1b}[0m", r(10)),
        format!("{}\n{}", r(10), r(10)),
        format!("{}\r\n{}", r(10), r(10)),
        format!("\"{}'\\", r(10)),
        format!("ключ-{}-ä𝄞", r(10)),
        format!("{{\"token\":\"{}\",\"n\":1}}", r(16)),
        format!("{}+/{}==", r(10), r(8)),
        format!("a/b?c={}&d=#e %20", r(10)),
        r(64).bytes().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        }),
        format!("{}-{}-4{}-{}", r(8), r(4), r(3), r(12)),
        format!("eyJ{}.{}.{}", r(16), r(24), r(32)),
        format!("{first}\t{second}"),
        r(40).bytes().map(|byte| char::from(b'0' + byte % 10)).collect(),
        format!("%41{}%zz", r(10)),
    ];
    let of = |value: &str, core: &str| (value.to_owned(), core.to_owned());
    let mut values: Vec<_> = whole.iter().map(|value| of(value, value)).collect();
    values.push(of(&long, &long[2000..2024]));
    let key = format!("-----BEGIN KEY-----\n{}\n{}\n-----END KEY-----\n", line[0], line[1]);
    values.push(of(&key, &pem));
    values.push(of(&format!("  {first}{second}  "), &format!("{first}{second}")));
    values.push(of(&format!("{address}/hooks/{path}"), &path));
    let named = values.into_iter().enumerate();
    named.map(|(at, (value, core))| Canary { name: format!("C{at}"), value, core }).collect()
}

/// What texts look like in each encoding, and where to begin to look.
pub(crate) struct Search {
    needles: Vec<(String, Vec<u8>)>,
    by_start: HashMap<[u8; 2], Vec<usize>>,
    starts: Vec<bool>,
}

impl Search {
    /// A search for texts, each with the name under which it is reported.
    pub(crate) fn of<'t>(texts: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let mut needles = Vec::new();
        for (name, text) in texts {
            for (encoding, bytes) in encodings(text) {
                needles.push((format!("{name} as {encoding}"), bytes));
            }
        }
        let mut by_start: HashMap<[u8; 2], Vec<usize>> = HashMap::new();
        let mut starts = vec![false; 1 << 16];
        for (at, (_, bytes)) in needles.iter().enumerate() {
            let start = [bytes[0], bytes[1]];
            by_start.entry(start).or_default().push(at);
            starts[usize::from(u16::from_be_bytes(start))] = true;
        }
        Self { needles, by_start, starts }
    }

    /// The names and encodings of what is in some bytes.
    pub(crate) fn found(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for (at, pair) in bytes.windows(2).enumerate() {
            let start = [pair[0], pair[1]];
            if !self.starts[usize::from(u16::from_be_bytes(start))] {
                continue;
            }
            for needle in self.by_start.get(&start).into_iter().flatten() {
                let (name, needle) = &self.needles[*needle];
                if bytes[at..].starts_with(needle) {
                    found.insert(name.as_str());
                }
            }
        }
        found
    }
}

/// A text in the five encodings, with the variants that programs make of each.
pub(crate) fn encodings(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = text
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect();
    let json = serde_json::Value::from(text).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let ascii = json.chars().flat_map(|c| {
        let escape = |unit: u16| format!("\\u{unit:04x}");
        let escaped: String = c.encode_utf16(&mut [0; 2]).iter().copied().map(escape).collect();
        if c.is_ascii() { c.to_string() } else { escaped }.chars().collect::<Vec<_>>()
    });
    let ascii: String = ascii.collect();
    let mut all = vec![
        ("it is", text.to_owned()),
        ("it is, in lower case", text.to_lowercase()),
        ("hex", hex.to_uppercase()),
        ("hex", hex),
        ("percent", percent.to_lowercase()),
        ("percent", percent),
        ("json", ascii.replace('/', "\\/")),
        ("json", ascii),
        ("json", json),
    ];
    for shift in 0..3 {
        let coded = STANDARD.encode([&vec![0; shift], text.as_bytes()].concat());
        let coded = coded.trim_end_matches('=');
        let inside = &coded[[0, 2, 3][shift]..coded.len() - 1];
        all.push(("base64", inside.replace('+', "-").replace('/', "_")));
        all.push(("base64", inside.to_owned()));
    }
    all.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()
}

#[test]
fn the_search_finds_every_canary_in_every_encoding() {
    let mut die = Die::new();
    for canary in canaries(&mut die, "http://127.0.0.1:1") {
        let search = Search::of([(canary.name.as_str(), canary.core.as_str())]);
        assert!(search.found(random(&mut die, 100_000).as_bytes()).is_empty());
        for (encoding, bytes) in encodings(&canary.core) {
            let hay = [random(&mut die, 999).into_bytes(), bytes, b"more".to_vec()].concat();
            let name = format!("{} as {encoding}", canary.name);
            assert!(search.found(&hay).contains(name.as_str()), "{name}");
        }
        for before in ["", "a", "ab", "abc"] {
            let coded = STANDARD.encode(format!("{before}{}{before}", canary.core));
            let name = format!("{} as base64", canary.name);
            assert!(search.found(coded.as_bytes()).contains(name.as_str()), "{before} {name}");
        }
    }
}
