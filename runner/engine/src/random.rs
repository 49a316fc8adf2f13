//! The door to randomness: the kernel's.

use crate::options::Error;

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
