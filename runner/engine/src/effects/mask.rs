//! Masks the values of secrets in what comes back from the world, exact and encoded.

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
    let base64 = base64(value.as_bytes());
    let base64 = base64.trim_end_matches('=').to_owned();
    let url_safe = base64.replace('+', "-").replace('/', "_");
    let mut forms: Vec<Vec<u8>> = [
        value.to_owned(),
        json,
        percent.to_lowercase(),
        percent,
        hex.to_uppercase(),
        hex,
        base64,
        url_safe,
    ]
    .map(String::into_bytes)
    .into();
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut word = [0; 4];
        word[1..=chunk.len()].copy_from_slice(chunk);
        let word = u32::from_be_bytes(word);
        for at in 0..4 {
            let index = (word >> (18 - 6 * at)) & 63;
            out.push(if at <= chunk.len() { char::from(ALPHABET[index as usize]) } else { '=' });
        }
    }
    out
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
    fn base64_is_that_of_the_rfc() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (plain, coded) in vectors {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
