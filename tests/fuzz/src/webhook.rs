//! A webhook's request: who sent it, which inputs it gives, which delivery it is.
//!
//! The first four lines of the bytes are flags, the value of the header that proves the sender, the
//! template of the inputs, and the path of one part of the body; the rest is the body.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use signalbox_core::Value;
use signalbox_core::clock::Timestamp;
use signalbox_core::value::{encode, from_json, from_json_str};
use signalbox_core::webhook::{
    Auth, Headers, Keys, Mode, Proof, Request, Stamp, Webhook, before_body, inputs, key, of_body,
};

use crate::seeds::{Seed, texts};

const KEY: &str = "the-key-of-the-sender";
const OTHER: &str = "the-next-key";
const SIGNATURE: &str = "X-Signature";
const NOW: Timestamp = Timestamp(1_800_000_000_000_000);
const TOLERANCE: Duration = Duration::from_mins(5);

/// What the bytes say.
struct Case<'b> {
    flags: &'b str,
    header: &'b str,
    template: &'b str,
    path: &'b str,
    body: &'b [u8],
}

pub(crate) fn run(bytes: &[u8]) {
    let mut parts = bytes.splitn(5, |byte| *byte == b'\n');
    let mut line = || str::from_utf8(parts.next().unwrap_or_default()).unwrap_or_default();
    let (flags, header, template, path) = (line(), line(), line(), line());
    let case = Case { flags, header, template, path, body: parts.next().unwrap_or_default() };
    signed(&case);
    keyed(&case);
    basic(&case);
    if let Ok(body) = str::from_utf8(case.body) {
        picked(&case, body);
        filled(&case, body);
    }
}

fn keys() -> Keys {
    [KEY, OTHER].map(|key| key.to_owned().into()).into()
}

fn hmac_of(key: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// A signature proves exactly the body that was signed.
fn signed(case: &Case<'_>) {
    let stamped = case.flags.contains('t');
    let stamp = stamped.then(|| Stamp {
        header: "X-Time".to_owned(),
        tolerance: TOLERANCE,
        payload: "v0:${timestamp}:${body}".to_owned(),
    });
    let time = if case.flags.contains('l') { "1700000000" } else { "1800000100" };
    let digest = |body: &[u8]| {
        let stamp: [&[u8]; 3] = [b"v0:", time.as_bytes(), b":"];
        let before: &[&[u8]] = if stamped { &stamp } else { &[] };
        hmac_of(OTHER, &[before, &[body]].concat())
    };
    let good = if case.flags.contains('b') {
        format!("v1,{}", STANDARD.encode(digest(case.body)))
    } else {
        format!("sha256={}", signalbox_core::text::hex(&digest(case.body)))
    };
    let late = stamped && case.flags.contains('l');
    let given = if case.flags.contains('s') { good.as_str() } else { case.header };
    let auth = Auth::HmacSha256 {
        keys: vec!["KEY".to_owned(), "OTHER".to_owned()],
        header: SIGNATURE.to_owned(),
        stamp,
    };
    let headers = [(SIGNATURE, given), ("x-time", time)];
    let Ok(proof) = before_body(&auth, &keys(), &headers.as_slice(), NOW) else {
        assert!(!case.flags.contains('s') || late, "a good signature is refused: {given}");
        return;
    };
    assert!(!late, "an old signature is taken");
    let Proof::Signed { digests, time } = proof else { unreachable!("no body was seen") };
    let Auth::HmacSha256 { stamp, .. } = &auth else { unreachable!("it was made above") };
    let prove = |body: &[u8]| of_body(stamp.as_ref(), &keys(), (&digests, time.as_deref()), body);
    let proved = prove(case.body);
    let first = hmac_of(KEY, &[case.body]);
    let by_first = !stamped && digests.contains(&first);
    let expected = digests.contains(&digest(case.body)) || by_first;
    assert_eq!(proved.is_some(), expected, "a body is proved by its own digest");
    assert!(!case.flags.contains('s') || proved.is_some(), "a good body is refused");
    if proved.is_some() {
        let longer = [case.body, b"x"].concat();
        assert!(prove(&longer).is_none(), "another body passes");
    }
    named(case, auth, proved);
}

/// A key proves a sender when it is one of those that are set.
fn keyed(case: &Case<'_>) {
    for name in ["X-Key", "Authorization"] {
        let auth = Auth::ApiKey { keys: vec!["KEY".to_owned()], header: name.to_owned() };
        let headers = [(name, case.header)];
        let proved = before_body(&auth, &keys(), &headers.as_slice(), NOW).is_ok();
        let bare = [KEY, OTHER].contains(&case.header);
        let rest = case.header.get(7..).unwrap_or_default();
        let scheme = case.header.get(..7).unwrap_or_default();
        let bearer = scheme.eq_ignore_ascii_case("bearer ") && [KEY, OTHER].contains(&rest);
        assert_eq!(proved, bare || (bearer && name == "Authorization"), "{name}: {}", case.header);
        let twice = [(name, KEY), (name, KEY)];
        assert!(before_body(&auth, &keys(), &twice.as_slice(), NOW).is_err(), "a key given twice");
    }
}

fn basic(case: &Case<'_>) {
    let auth = Auth::Basic { user: "user".to_owned(), passwords: vec!["KEY".to_owned()] };
    let headers = [("authorization", case.header)];
    let proved = before_body(&auth, &keys(), &headers.as_slice(), NOW).is_ok();
    let good = [KEY, OTHER].map(|key| format!("Basic {}", STANDARD.encode(format!("user:{key}"))));
    let stripped = |text: &str| text.trim_end().trim_end_matches('=').to_owned();
    let is_good = good.iter().any(|good| stripped(good) == stripped(case.header));
    assert!(proved || !is_good || case.header.contains("=="), "refused: {}", case.header);
    let begins = case.header.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("basic "));
    assert!(!proved || begins, "taken: {}", case.header);
}

/// The key of a delivery is its own.
fn named(case: &Case<'_>, auth: Auth, digest: Option<[u8; 32]>) {
    let webhook = Webhook {
        flow: "f".parse().expect("a name"),
        auth,
        mode: Mode::Async,
        inputs: None,
        idempotency: case.flags.contains('i').then(|| "X-Delivery".to_owned()),
        rate_limit: None,
    };
    let of = |value: &str| {
        let headers = [("Idempotency-Key", value), ("X-Delivery", value)];
        key("hook", &webhook, &headers.as_slice(), digest)
    };
    match of(case.header) {
        Ok(found) => {
            let found = found.expect("a header was given");
            assert!(found.starts_with("webhook/hook/") && found.len() < 100, "{found}");
            assert_eq!(of(case.header), Ok(Some(found.clone())), "a delivery is the same one");
            let stamped = case.flags.contains('t') && digest.is_some();
            if !stamped || case.flags.contains('i') {
                let longer = of(&format!("{}x", case.header)).ok().flatten();
                assert_ne!(longer, Some(found), "two deliveries are one");
            }
        }
        Err(_) => assert!(!(1..=200).contains(&case.header.len()), "{}", case.header),
    }
    let none: [(&str, &str); 0] = [];
    assert_eq!(none.as_slice().once("Idempotency-Key"), None);
}

fn request<'r>(
    body: &'r str,
    header: &'r dyn Fn(&str) -> Option<String>,
    query: &'r BTreeMap<String, String>,
) -> Request<'r> {
    Request { body, header, query }
}

/// A part of the body is what a reader of the whole finds there.
fn picked(case: &Case<'_>, body: &str) {
    let plain = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    let whole: Result<serde_json::Value, _> = serde_json::from_str(body);
    let (true, Ok(whole)) = (case.path.split('.').all(plain), whole) else { return };
    let template = Value::String(format!("${{body.{}}}", case.path));
    let query = BTreeMap::new();
    let found = inputs(Some(&template), &request(body, &|_| None, &query));
    let mut at = Some(&whole);
    for part in case.path.split('.') {
        at = match at {
            Some(serde_json::Value::Object(map)) => map.get(part),
            Some(serde_json::Value::Array(list)) => {
                part.parse().ok().and_then(|at: usize| list.get(at))
            }
            _ => None,
        };
    }
    let expected = at.map_or_else(|| Ok(Value::Map(BTreeMap::new())), from_json);
    match (found, expected) {
        (Ok(found), Ok(expected)) => {
            assert_eq!(encode(&found), encode(&expected), "`{}` of {body}", case.path);
        }
        (Err(_), Err(_)) => {}
        // A number that JSON's reader rounds is refused.
        (Err(fault), Ok(_)) => assert!(fault.to_string().contains("the number"), "{fault}"),
        (Ok(found), Err(error)) => unreachable!("{error}, yet {found}"),
    }
}

/// What a template makes of a request is a value that can be kept, the same each time.
fn filled(case: &Case<'_>, body: &str) {
    let header = |name: &str| (name == "X-Event").then(|| case.header.to_owned());
    let query = BTreeMap::from([("q".to_owned(), case.path.to_owned())]);
    let request = request(body, &header, &query);
    let template = from_json_str(case.template).ok();
    let once = inputs(template.as_ref(), &request);
    assert_eq!(once, inputs(template.as_ref(), &request), "the same request gives the same");
    if let Ok(value) = &once {
        let bound = 64 + template.as_ref().map_or(0, Value::depth);
        assert!(value.depth() <= bound, "deeper than what was given");
    }
    if let (None, Ok(value)) = (&template, &once)
        && !body.is_empty()
    {
        assert_eq!(Ok(value), from_json_str(body).as_ref(), "the body is the inputs");
    }
}

pub(crate) fn seeds(_: &Path) -> Vec<Seed> {
    let bearer = format!("Bearer {KEY}");
    let basic = format!("Basic {}", STANDARD.encode(format!("user:{KEY}")));
    let digest = format!("sha256={}", signalbox_core::text::hex(&hmac_of(KEY, &[b"{}"])));
    let body = r#"{"order": {"id": 7, "lines": [{"n": 2.5}]}, "flag": null, "a": [1, [2]]}"#;
    let template = r#"{"id": "${body.order.id}", "t": "x ${headers.X-Event} ${query.q}", "l": ["${body.a}", 3], "p": "$${b}"}"#;
    texts([
        format!("s\n\n\n\n{body}"),
        format!("st\n\n{template}\norder.id\n{body}"),
        format!("stl\n\n{template}\na.1.0\n{body}"),
        format!("sbi\ndelivery-1\n\norder.lines.0.n\n{body}"),
        format!("tb\n{bearer}\n{template}\norder\n{body}"),
        format!("\n{basic}\n\"${{body}}\"\nflag\n{body}"),
        format!("i\n{digest}\n[]\na\n{{}}"),
        format!("\n{KEY}\n{template}\nx\n[99999999999999999999]"),
    ])
}
