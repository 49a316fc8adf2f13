//! Masks the values of secrets in what comes back from the world, exact and encoded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::secret::Used;

/// What stands where a secret stood.
const MASK: &[u8] = b"[masked]";
/// Shorter values are not searched for: they would be found everywhere.
const SHORTEST: usize = 4;

/// Replaces every form of every value.
pub(super) fn bytes(mut body: Vec<u8>, used: &Used) -> Vec<u8> {
    for value in used {
        for form in forms(value) {
            body = replace(body, &form);
        }
    }
    body
}

/// The same for text.
pub(super) fn text(text: String, used: &Used) -> String {
    match String::from_utf8(bytes(text.into_bytes(), used)) {
        Ok(text) => text,
        // A mask that tore a character apart: nothing of the text is safe to show.
        Err(_) => String::from_utf8_lossy(MASK).into_owned(),
    }
}

/// A value as it is, in base64 (both alphabets), hexadecimal, percent-encoded and JSON-escaped.
fn forms(value: &str) -> Vec<Vec<u8>> {
    if value.len() < SHORTEST {
        return Vec::new();
    }
    let hex = signalbox_core::text::hex(value.as_bytes());
    let percent: String = value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect();
    let json = serde_json::to_string(value).unwrap_or_default();
    let json = json.trim_matches('"').to_owned();
    let mut forms: Vec<Vec<u8>> =
        [value.to_owned(), json, percent.to_lowercase(), percent, hex.to_uppercase(), hex]
            .map(String::into_bytes)
            .into();
    for shift in 0..3 {
        let part = base64_inside(value.as_bytes(), shift);
        if part.len() >= SHORTEST {
            forms.push(part.replace('+', "-").replace('/', "_").into_bytes());
            forms.push(part.into_bytes());
        }
    }
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms
}

/// What of some bytes' base64 stays the same whatever stands before and behind them, when `shift`
/// bytes of a group of three stand before.
fn base64_inside(bytes: &[u8], shift: usize) -> String {
    let mut padded = vec![0; shift];
    padded.extend_from_slice(bytes);
    let coded = STANDARD.encode(&padded);
    let coded = coded.trim_end_matches('=');
    let from = [0, 2, 3][shift];
    let to = if padded.len().is_multiple_of(3) { coded.len() } else { coded.len() - 1 };
    coded.get(from..to).unwrap_or_default().to_owned()
}

fn replace(body: Vec<u8>, form: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = body.as_slice();
    while let Some(at) = rest.windows(form.len()).position(|window| window == form) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(MASK);
        rest = &rest[at + form.len()..];
    }
    if out.is_empty() {
        return body;
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn a_secret_that_is_sent_back_is_masked_exact_and_encoded() {
        let value = "s3cr\"t/+ä";
        let used = vec![Zeroizing::new(value.to_owned())];
        let encoded = [
            value.to_owned(),
            "czNjciJ0LyvDpA".to_owned(),
            "7333637222742f2bc3a4".to_owned(),
            "s3cr%22t%2F%2B%C3%A4".to_owned(),
            "s3cr\\\"t/+ä".to_owned(),
        ];
        for form in encoded {
            let seen = text(format!("<{form}>"), &used);
            assert!(seen.starts_with("<[masked]"), "{form} became {seen}");
        }
        assert_eq!(text("untouched".to_owned(), &used), "untouched");
    }

    #[test]
    fn a_secret_inside_of_what_is_encoded_is_masked_too() {
        let used = vec![Zeroizing::new("correct-horse-battery".to_owned())];
        for around in [("", ""), ("u:", ""), ("user:", "x"), ("a", "bc"), ("ab", "!")] {
            let coded = STANDARD.encode(format!("{}correct-horse-battery{}", around.0, around.1));
            assert!(text(coded.clone(), &used).contains("[masked]"), "{around:?}: {coded}");
        }
    }
}
