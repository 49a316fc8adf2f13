//! Keyed digests (RFC 2104): made in the cell when a script has the key, by the runner when the key
//! is a secret.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Sha256, Sha512};

/// The digest below an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// HMAC-SHA-256: 32 bytes.
    Sha256,
    /// HMAC-SHA-512: 64 bytes.
    Sha512,
}

impl Algorithm {
    /// The digest of a message under a key of any length.
    pub fn digest(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => digest::<Hmac<Sha256>>(key, message),
            Self::Sha512 => digest::<Hmac<Sha512>>(key, message),
        }
    }
}

fn digest<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length, so there is always a digest.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use signalbox_core::text::hex;

    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn digests_are_those_of_the_rfc() {
        let (key, message) = (b"Jefe", b"what do ya want for nothing?");
        let sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(&Algorithm::Sha256.digest(key, message)), sha256);
        let sha512 = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
        assert_eq!(hex(&Algorithm::Sha512.digest(key, message)), sha512);
    }
}
