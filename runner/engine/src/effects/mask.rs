//! Masks the values of secrets in what comes back from the world, exact and encoded.
//!
//! A value is recognised in the forms in which programs pass text on: as it is, with escapes of
//! JSON, percent-encoded, in hexadecimal, and in base64 at any place of what was encoded. Letters of
//! ASCII may be of the other case: a host's name comes back in lower case. Of a value that is a URL
//! the path and the query count for themselves: a server repeats those without the rest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::secret::{TELLING, Used};

/// What stands where a secret stood.
const MASK: &[u8] = b"[masked]";
/// Shorter values are not searched for: they would be found everywhere.
const SHORTEST: usize = 4;

/// Replaces every form of every value, long values first: one may be a part of another.
pub(super) fn bytes(mut body: Vec<u8>, used: &Used) -> Vec<u8> {
    let mut values: Vec<&str> = used.iter().flat_map(|value| parts(value)).collect();
    values.retain(|value| value.len() >= SHORTEST);
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in values {
        body = Forms::of(value).replace(body);
    }
    body
}

/// A value without the white space around it, which no header keeps, and what of a URL a server
/// sees: what is behind its host, when it can be told apart.
fn parts(value: &str) -> impl Iterator<Item = &str> {
    let value = value.trim();
    let behind = value.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    let behind = behind.map(|(_, path)| path).filter(|path| path.len() >= TELLING);
    let path = behind.and_then(|path| path.split(['?', '#']).next());
    [Some(value), behind, path.filter(|path| path.len() >= TELLING)].into_iter().flatten()
}

/// The same for text.
pub(super) fn text(text: String, used: &Used) -> String {
    match String::from_utf8(bytes(text.into_bytes(), used)) {
        Ok(text) => text,
        // A mask that tore a character apart: nothing of the text is safe to show.
        Err(_) => String::from_utf8_lossy(MASK).into_owned(),
    }
}

/// One way to write a character: how many bytes at the start of a text are this character, if any.
type Spelling = fn(&[u8], char) -> Option<usize>;

/// A value with what its forms are recognised by.
struct Forms<'v> {
    value: &'v str,
    /// What of its base64 is the same whatever stands around it.
    base64: Vec<String>,
    /// Which bytes a form can begin with.
    first: [bool; 256],
}

impl<'v> Forms<'v> {
    fn of(value: &'v str) -> Self {
        let base64: Vec<_> = (0..3).map(|shift| base64_inside(value.as_bytes(), shift)).collect();
        let base64: Vec<_> = base64.into_iter().filter(|part| part.len() >= SHORTEST).collect();
        let hex = signalbox_core::text::hex(value.as_bytes());
        let mut first = [false; 256];
        for form in
            base64.iter().map(String::as_str).chain([value, &hex, "%", "\\", "+", "-", "/", "_"])
        {
            for byte in form.bytes().take(1) {
                first[usize::from(byte.to_ascii_lowercase())] = true;
                first[usize::from(byte.to_ascii_uppercase())] = true;
            }
        }
        Self { value, base64, first }
    }

    fn replace(&self, body: Vec<u8>) -> Vec<u8> {
        let mut out = Vec::new();
        let (mut kept, mut at) = (0, 0);
        while at < body.len() {
            match self.at_start(&body[at..]) {
                Some(length) => {
                    out.extend_from_slice(&body[kept..at]);
                    out.extend_from_slice(MASK);
                    at += length;
                    kept = at;
                }
                None => at += 1,
            }
        }
        if kept == 0 {
            return body;
        }
        out.extend_from_slice(&body[kept..]);
        out
    }

    /// The length of a form of the value with which a text starts.
    fn at_start(&self, text: &[u8]) -> Option<usize> {
        if !self.first[usize::from(*text.first()?)] {
            return None;
        }
        let spellings: [Spelling; 3] = [plain, json, percent];
        let spelled = spellings.iter().find_map(|spelling| spelled(text, self.value, *spelling));
        spelled
            .or_else(|| hex(text, self.value))
            .or_else(|| self.base64.iter().find_map(|form| base64(text, form)))
    }
}

fn spelled(text: &[u8], value: &str, spelling: Spelling) -> Option<usize> {
    value.chars().try_fold(0, |at, c| Some(at + spelling(&text[at..], c)?))
}

fn plain(text: &[u8], c: char) -> Option<usize> {
    let mut buffer = [0; 4];
    let wanted = c.encode_utf8(&mut buffer).as_bytes();
    text.get(..wanted.len())?.eq_ignore_ascii_case(wanted).then_some(wanted.len())
}

/// RFC 8259 §7: what must be escaped, and what may be.
fn json(text: &[u8], c: char) -> Option<usize> {
    if *text.first()? != b'\\' {
        return plain(text, c);
    }
    let short = match text.get(1)? {
        b'u' => return json_units(text, c),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        other => char::from(*other),
    };
    (short == c).then_some(2)
}

/// `\u` with four digits for each unit of UTF-16.
fn json_units(text: &[u8], c: char) -> Option<usize> {
    let mut buffer = [0; 2];
    c.encode_utf16(&mut buffer).iter().try_fold(0, |at, unit| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.eq_ignore_ascii_case(format!("{unit:04x}").as_bytes()).then_some(at + 6)
    })
}

/// RFC 3986 §2.1, whichever characters the encoder leaves as they are; `+` is a space in a form.
fn percent(text: &[u8], c: char) -> Option<usize> {
    match (*text.first()?, c) {
        (b'+', ' ') => Some(1),
        (b'%', _) => {
            let mut buffer = [0; 4];
            c.encode_utf8(&mut buffer).bytes().try_fold(0, |at, byte| {
                let digits = text.get(at..at + 3)?.strip_prefix(b"%")?;
                digits.eq_ignore_ascii_case(format!("{byte:02x}").as_bytes()).then_some(at + 3)
            })
        }
        _ => plain(text, c),
    }
}

fn hex(text: &[u8], value: &str) -> Option<usize> {
    value.bytes().try_fold(0, |at, byte| {
        let digits = text.get(at..at + 2)?;
        digits.eq_ignore_ascii_case(format!("{byte:02x}").as_bytes()).then_some(at + 2)
    })
}

/// Both alphabets of RFC 4648, in one line or in several.
fn base64(text: &[u8], form: &str) -> Option<usize> {
    form.bytes().try_fold(0, |at, wanted| {
        let ends = text.get(at..)?.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let found = match text.get(at + ends)? {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        };
        (found == wanted).then_some(at + ends + 1)
    })
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

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn masked(value: &str, said: &str) -> String {
        text(said.to_owned(), &vec![Zeroizing::new(value.to_owned())])
    }

    #[test]
    fn a_secret_that_is_sent_back_is_masked_exact_and_encoded() {
        let value = "s3cr\"t/+ ä\\𝄞\n";
        for form in [
            value,
            "S3CR\"T/+ ä\\𝄞\n",
            // Escapes of JSON as different encoders write them.
            "s3cr\\\"t/+ ä\\\\𝄞\\n",
            "s3cr\\\"t\\/+ \\u00e4\\\\\\ud834\\udd1e\\n",
            "s3cr\\u0022t/\\u002B \\u00E4\\u005c\\uD834\\uDD1E\\u000a",
            // Percent signs, too.
            "s3cr%22t%2F%2B%20%C3%A4%5C%F0%9D%84%9E%0A",
            "s3cr%22t/%2b+%c3%a4%5c%f0%9d%84%9e%0a",
            "7333637222742f2b20c3a45cf09d849e0a",
            "7333637222742F2B20C3A45CF09D849E0A",
            "czNjciJ0Lysgw6Rc8J2Engo=",
        ] {
            let seen = masked(value, &format!("<{form}>"));
            assert!(seen.starts_with("<[masked]"), "{form} became {seen}");
        }
        assert_eq!(masked(value, "untouched"), "untouched");
    }

    #[test]
    fn a_secret_inside_of_what_is_encoded_is_masked_too() {
        let value = "correct-horse-battery";
        for around in [("", ""), ("u:", ""), ("user:", "x"), ("a", "bc"), ("ab", "!")] {
            let coded = STANDARD.encode(format!("{}{value}{}", around.0, around.1));
            assert!(masked(value, &coded).contains("[masked]"), "{around:?}: {coded}");
            let (line, next) = coded.split_at(12);
            let lines = format!("{line}\r\n{next}");
            assert!(masked(value, &lines).contains("[masked]"), "{around:?}: {lines}");
        }
        let odd = "~~~???>>>";
        assert_eq!(masked(odd, "fn5-Pz8_Pj4-"), "[masked]");
        assert_eq!(masked(odd, "fn5+Pz8/Pj4+"), "[masked]");
    }

    #[test]
    fn what_a_server_sees_of_a_secret_address_is_masked() {
        let hook = "https://hooks.example.com/services/T0/B1/Xyz?token=abcdefgh\n";
        assert_eq!(masked(hook, "no POST /services/T0/B1/Xyz"), "no POST /[masked]");
        assert_eq!(masked(hook, "no /services/T0/B1/Xyz?token=abcdefgh"), "no /[masked]");
        assert_eq!(masked(hook, "hooks.example.com"), "hooks.example.com");
        assert_eq!(masked("  value-with-space\t", "<value-with-space>"), "<[masked]>");
    }

    #[test]
    fn all_of_several_are_masked_and_nothing_else() {
        assert_eq!(masked("abcd", "abcabcdabcdab"), "abc[masked][masked]ab");
        assert_eq!(masked("a\\\\b", "a\\\\b"), "[masked]");
        assert_eq!(masked("100%41", "100%41 100%2541"), "[masked] [masked]");
        assert_eq!(masked("abc", "abc"), "abc", "too short to be told apart");
        let nested = ["inner-value", "the-inner-value-and-more"].map(|v| Zeroizing::new(v.into()));
        assert_eq!(text("the-inner-value-and-more".to_owned(), &nested.into()), "[masked]");
    }
}
