//! The door to randomness: the kernel's.

use crate::options::Error;

/// A number drawn evenly from 0 up to 1; a half when the kernel gives nothing.
pub(crate) fn chance() -> f64 {
    bytes().map_or(0.5, |bytes| f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

/// Random bytes.
#[expect(clippy::disallowed_methods, reason = "the one door to randomness")]
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::Host {
        what: "draw random bytes".to_owned(),
        source: std::io::Error::other(error.to_string()),
    })?;
    Ok(bytes)
}
