//! The marker that a secret's handle becomes when a script turns it into text.
//!
//! A script never sees a value. Its handle, as text, is a marker that is the same on every replay
//! of the run and that no other run can guess. The runner puts the value in its place in header
//! values and connector fields; anywhere else an effect that carries a marker fails.

use std::fmt::Write as _;

/// How every marker begins. The brackets are U+27E6 and U+27E7.
pub const PREFIX: &str = "⟦secret:";
/// How every marker ends.
pub const SUFFIX: &str = "⟧";

/// The marker of a secret in one run. `proof` is a keyed digest of the name under the run's key.
pub fn marker(name: &str, proof: &[u8; 16]) -> String {
    let mut text = format!("{PREFIX}{name}:");
    for byte in proof {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text.push_str(SUFFIX);
    text
}

/// What stands for a secret's name in the marker of credentials; no secret can have this name.
const BASIC: &str = "basic";

/// The marker of `user:password` with markers of secrets in it, which becomes base64 as a whole
/// once their values are in.
pub fn basic_marker(credentials: &str) -> String {
    format!("{PREFIX}{BASIC}:{}{SUFFIX}", crate::text::hex(credentials.as_bytes()))
}

/// The credentials in a marker's parts, if it is one of [`basic_marker`].
pub fn basic_credentials(name: &str, proof: &str) -> Option<String> {
    if name != BASIC {
        return None;
    }
    crate::text::unhex(proof).and_then(|bytes| String::from_utf8(bytes).ok())
}

/// Whether some text carries anything that looks like a marker, valid or not.
pub fn has_marker(text: &str) -> bool {
    text.contains(PREFIX)
}

/// Replaces every marker by what `resolve(name, proof)` gives.
///
/// # Errors
/// Whatever `resolve` fails with; a marker that is cut short is left as it is.
pub fn replace_markers<E>(
    text: &str,
    mut resolve: impl FnMut(&str, &str) -> Result<String, E>,
) -> Result<String, E> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(PREFIX) {
        let after = &rest[at + PREFIX.len()..];
        let Some((inside, tail)) = after.split_once(SUFFIX) else { break };
        let Some((name, proof)) = inside.split_once(':') else { break };
        out.push_str(&rest[..at]);
        out.push_str(&resolve(name, proof)?);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

/// The text with every marker shown as `[secret NAME]`, for logs and errors.
pub fn hide_markers(text: &str) -> String {
    let shown = |name: &str, _: &str| Ok::<_, std::convert::Infallible>(format!("[secret {name}]"));
    match replace_markers(text, shown) {
        Ok(text) => text,
        Err(never) => match never {},
    }
}

/// A name that a secret may have: 1 to 64 of `A-Z 0-9 _`, starting with a letter.
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found_replaced_and_hidden() {
        let text = format!("Bearer {}!", marker("KEY", &[0xab; 16]));
        assert!(has_marker(&text));
        let seen = replace_markers(&text, |name, proof| Ok::<_, ()>(format!("{name}={proof}")));
        assert_eq!(seen, Ok(format!("Bearer KEY={}!", "ab".repeat(16))));
        assert_eq!(hide_markers(&text), "Bearer [secret KEY]!");
        assert_eq!(hide_markers("⟦secret:open"), "⟦secret:open");
    }

    #[test]
    fn credentials_hide_the_markers_in_them_and_give_them_back() {
        let credentials = format!("me:{}", marker("KEY", &[0xab; 16]));
        let text = basic_marker(&credentials);
        assert!(has_marker(&text));
        let mut found = None;
        replace_markers(&text, |name, proof| {
            found = basic_credentials(name, proof);
            Ok::<_, ()>(String::new())
        })
        .unwrap();
        assert_eq!(found.as_deref(), Some(credentials.as_str()));
        assert!(!is_name(BASIC));
        assert_eq!(basic_credentials("KEY", "00"), None);
        assert_eq!(basic_credentials(BASIC, "0"), None);
    }
}
