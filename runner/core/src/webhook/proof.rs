//! Whether a sender is who it must be.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Auth, Headers, Stamp, signature};
use crate::clock::Timestamp;
use crate::template::{self, Part};

/// The header of basic authentication, and of keys behind `Bearer`.
const AUTHORIZATION: &str = "authorization";
/// A moment in seconds beyond this is taken as milliseconds: it would be in the year 5138.
const MILLISECONDS: u64 = 100_000_000_000;

/// Keys of a webhook that are set.
pub type Keys = Vec<Zeroizing<String>>;

/// How far a sender has proved who it is, without its body.
#[derive(Debug)]
pub enum Proof {
    /// There is nothing more to prove.
    Whole,
    /// The body must have one of these digests.
    Signed {
        /// What the sender offers.
        digests: Vec<[u8; 32]>,
        /// The time that is signed, as it was sent.
        time: Option<String>,
    },
}

/// Checks what can be checked without the body.
///
/// # Errors
/// Why the sender is not believed, for the log.
pub fn before_body(
    auth: &Auth,
    keys: &Keys,
    headers: &dyn Headers,
    now: Timestamp,
) -> Result<Proof, &'static str> {
    match auth {
        Auth::None => Ok(Proof::Whole),
        Auth::ApiKey { header: name, .. } => {
            let given = headers.once(name).ok_or("no key, or more than one")?;
            let given = match given.split_once(' ') {
                Some((scheme, key))
                    if name.eq_ignore_ascii_case(AUTHORIZATION)
                        && scheme.eq_ignore_ascii_case("bearer") =>
                {
                    key
                }
                _ => given,
            };
            one_of(keys.iter().map(|key| key.as_bytes()), given.as_bytes())
        }
        Auth::Basic { user, .. } => {
            let given = headers.once(AUTHORIZATION).ok_or("no user and password")?;
            let encoded = given.split_once(' ').filter(|(s, _)| s.eq_ignore_ascii_case("basic"));
            let given = encoded.and_then(|(_, rest)| signature::base64(rest.trim()));
            let given = Zeroizing::new(given.ok_or("no basic authentication")?);
            let good: Vec<_> =
                keys.iter().map(|key| Zeroizing::new(format!("{user}:{}", &**key))).collect();
            one_of(good.iter().map(|pair| pair.as_bytes()), &given)
        }
        Auth::HmacSha256 { header: name, stamp, .. } => {
            let given = headers.once(name).ok_or("no signature, or more than one")?;
            let digests = signature::digests(given);
            if digests.is_empty() {
                return Err("no signature that can be read");
            }
            let time = stamp.as_ref().map(|stamp| time(stamp, name, headers, now)).transpose()?;
            Ok(Proof::Signed { digests, time })
        }
    }
}

/// The digest of the body that is proved to be the sender's; `None` when it offers none.
pub fn of_body(
    stamp: Option<&Stamp>,
    keys: &Keys,
    (digests, time): (&[[u8; 32]], Option<&str>),
    body: &[u8],
) -> Option<[u8; 32]> {
    let payload = stamp.map_or("${body}", |stamp| &stamp.payload);
    let parts = template::parse(payload).ok()?;
    keys.iter().find_map(|key| {
        let mut mac = keyed(key.as_bytes());
        for part in &parts {
            match part {
                Part::Text(text) => mac.update(text.as_bytes()),
                Part::Expression(name, _) if name == "body" => mac.update(body),
                Part::Expression(..) => mac.update(time?.as_bytes()),
            }
        }
        digests.iter().find(|digest| mac.clone().verify_slice(digest.as_slice()).is_ok()).copied()
    })
}

/// Whether some bytes are one of the good ones. The digests are compared, in constant time.
fn one_of<'k>(
    mut good: impl Iterator<Item = &'k [u8]>,
    given: &[u8],
) -> Result<Proof, &'static str> {
    let digest = |bytes: &[u8]| {
        let mut mac = keyed(b"signalbox webhook");
        mac.update(bytes);
        mac
    };
    let given = digest(given).finalize().into_bytes();
    let fits = good.any(|good| digest(good).verify_slice(&given).is_ok());
    if fits { Ok(Proof::Whole) } else { Err("another key than the one that is set") }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key)
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"))
}

/// The signed time as it was sent, when it is near enough to the present.
fn time(
    stamp: &Stamp,
    signature: &str,
    headers: &dyn Headers,
    now: Timestamp,
) -> Result<String, &'static str> {
    let given = headers.once(&stamp.header).ok_or("no time of signing, or more than one")?;
    let given = if stamp.header.eq_ignore_ascii_case(signature) {
        signature::item(given, "t").ok_or("no time of signing")?
    } else {
        given
    };
    let number: i64 = given.parse().map_err(|_| "a time of signing that is no number")?;
    let unit = if number.unsigned_abs() >= MILLISECONDS { 1_000 } else { 1_000_000 };
    let off = i128::from(now.0) - i128::from(number) * unit;
    if off.unsigned_abs() <= stamp.tolerance.as_micros() {
        Ok(given.to_owned())
    } else {
        Err("a time of signing outside of the tolerance")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_of_signing_is_near_the_present_in_seconds_or_milliseconds() {
        let stamp = Stamp {
            header: "x-time".to_owned(),
            tolerance: Duration::from_mins(5),
            payload: "${timestamp}.${body}".to_owned(),
        };
        let now = Timestamp(1_700_000_000_000_000);
        let is_taken = |given: &str| {
            let headers = [("x-time", given)];
            time(&stamp, "x-signature", &headers.as_slice(), now).is_ok()
        };
        for near in ["1700000000", "1699999700", "1700000300", "1700000000000", "1699999700000"] {
            assert!(is_taken(near), "{near}");
        }
        let (most, least) = (i64::MAX.to_string(), i64::MIN.to_string());
        for far in ["1699999699", "1700000301", "1699999699999", "0", "-1", "x", "", &most, &least]
        {
            assert!(!is_taken(far), "{far}");
        }
    }
}
