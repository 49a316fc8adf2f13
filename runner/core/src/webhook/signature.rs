//! Signatures as senders write them.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Most bytes of a header with a signature; the longest that a known sender writes has 300.
const MAX_HEADER: usize = 4 << 10;
/// Most digests that one header may offer; two keys in use make two.
const MAX_DIGESTS: usize = 8;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Every digest that a header offers: in hexadecimal or base64, alone or behind `sha256=`, `v0=`,
/// `v1=` or `v1,`, one or a list of them.
pub(super) fn digests(header: &str) -> Vec<[u8; 32]> {
    if header.len() > MAX_HEADER {
        return Vec::new();
    }
    let items = items(header);
    let both = items.flat_map(|item| [Some(item), item.split_once('=').map(|(_, behind)| behind)]);
    both.flatten().filter_map(digest).take(MAX_DIGESTS).collect()
}

/// What stands behind `name=` in a header's list.
pub(super) fn item<'h>(header: &'h str, name: &str) -> Option<&'h str> {
    items(header).find_map(|item| item.strip_prefix(name)?.strip_prefix('='))
}

/// Bytes of base64, standard or for URLs, with or without padding.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

fn items(header: &str) -> impl Iterator<Item = &str> {
    header.split([',', ' ']).map(str::trim).filter(|item| !item.is_empty())
}

fn digest(text: &str) -> Option<[u8; 32]> {
    match text.len() {
        64 => hex(text),
        43 | 44 => base64(text)?.try_into().ok(),
        _ => None,
    }
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digit = |digit: &u8| char::from(*digit).to_digit(16);
        let [high, low] = pair else { return None };
        *byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; 32] = [0xfb; 32];

    #[test]
    fn signatures_are_read_as_known_senders_write_them() {
        let hex = crate::text::hex(&BYTES);
        let standard = STANDARD.encode(BYTES);
        let url = URL_SAFE.encode(BYTES);
        for good in [
            hex.clone(),
            hex.to_uppercase(),
            format!("sha256={hex}"),
            format!("v0={hex}"),
            format!("t=1492774577,v1={hex}"),
            standard.clone(),
            standard.trim_end_matches('=').to_owned(),
            url.clone(),
            format!("sha256={standard}"),
            format!("v1,{standard}"),
        ] {
            assert_eq!(digests(&good), [BYTES], "{good}");
        }
        let two = format!("v1,{standard} v1,{}", STANDARD.encode([7; 32]));
        assert_eq!(digests(&two), [BYTES, [7; 32]]);
        for bad in ["", "sha256=", &hex[1..], "x".repeat(64).as_str(), &"ä".repeat(32)] {
            assert!(digests(bad).is_empty(), "{bad}");
        }
        assert_eq!(digests(&vec![hex.as_str(); 50].join(",")).len(), MAX_DIGESTS);
        assert!(digests(&vec![hex.as_str(); 90].join(",")).is_empty());
    }

    #[test]
    fn an_item_of_a_list_is_found() {
        assert_eq!(item("t=5,v1=ab", "t"), Some("5"));
        assert_eq!(item("v1=ab", "t"), None);
    }
}
