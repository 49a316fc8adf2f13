//! The admin token. Only its digest is kept, and only digests are compared.

use std::fmt;
use std::hint::black_box;
use std::str::FromStr;

use signalbox_core::Digest;

/// SHA-256 of a token. Text form: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy)]
pub struct TokenDigest([u8; 32]);

/// A text that is not the digest of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read the digest of a token: it is 64 hexadecimal digits")]
pub struct InvalidDigest;

impl TokenDigest {
    /// The digest of a token's text.
    pub fn of(token: &str) -> Self {
        Self(Digest::of(token.as_bytes()).0)
    }
}

/// Takes the same time wherever two digests differ.
impl PartialEq for TokenDigest {
    fn eq(&self, other: &Self) -> bool {
        let differences =
            self.0.iter().zip(&other.0).fold(0, |all, (a, b)| black_box(all | (a ^ b)));
        differences == 0
    }
}

impl Eq for TokenDigest {}

impl FromStr for TokenDigest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        Digest::try_from(text.to_owned()).map(|digest| Self(digest.0)).map_err(|_| InvalidDigest)
    }
}

impl fmt::Display for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Digest(self.0), f)
    }
}

/// Says nothing: digests of short tokens can be guessed from.
impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_its_text_form_and_is_that_of_one_token() {
        let digest = TokenDigest::of("sesame");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_ne!(digest, TokenDigest::of("sesame "));
        for bad in ["", "zz", &"0".repeat(63), &"ä".repeat(32)] {
            assert_eq!(bad.parse::<TokenDigest>(), Err(InvalidDigest));
        }
        assert!(!format!("{digest:?}").contains(&digest.to_string()[..6]));
    }
}
