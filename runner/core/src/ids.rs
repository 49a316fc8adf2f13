//! Ids and names. Every one is a type of its own, so that no two can be mixed up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A name or an id that does not have the shape it must have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a {what}: {rule}")]
pub struct InvalidName {
    /// What was expected: `workspace name`, `flow name`, ...
    pub what: &'static str,
    /// The rule that the value breaks, for people.
    pub rule: &'static str,
    /// The offending text, cut to 80 characters.
    pub value: String,
}

impl InvalidName {
    fn new(what: &'static str, rule: &'static str, value: &str) -> Self {
        Self { what, rule, value: value.chars().take(80).collect() }
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(value: String) -> Result<Self, InvalidName> {
                value.parse()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id! {
    /// The name of a workspace: 1 to 63 of `a-z 0-9 -`, starting with a letter, not ending with `-`.
    WorkspaceName
}

impl FromStr for WorkspaceName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let fits = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-');
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName::new(
                "workspace name",
                "1 to 63 of a-z, 0-9 and `-`, starting with a letter, not ending with `-`",
                text,
            ))
        }
    }
}

text_id! {
    /// The name of a flow inside its workspace: `/`-separated parts of `a-z A-Z 0-9 _ -`, at most
    /// 200 characters, the last part not `runs` (it would hide an API route).
    FlowName
}

impl FromStr for FlowName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let part = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if text.len() > 200 || !text.split('/').all(part) {
            return Err(InvalidName::new(
                "flow name",
                "at most 200 characters: parts of a-z, A-Z, 0-9, `_` and `-`, separated by `/`",
                text,
            ));
        }
        if text.rsplit('/').next() == Some("runs") {
            return Err(InvalidName::new("flow name", "no flow may be named `runs`", text));
        }
        Ok(Self(text.into()))
    }
}

text_id! {
    /// The name of an exported service: dot-separated parts of `a-z 0-9 _`, at most 100 characters.
    ServiceName
}

impl FromStr for ServiceName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let part = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        if text.len() <= 100 && text.split('.').all(part) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName::new(
                "service name",
                "at most 100 characters: parts of a-z, 0-9 and `_`, separated by `.`",
                text,
            ))
        }
    }
}

text_id! {
    /// The id of a run: a UUIDv7 as lower-case text. It sorts roughly by time, but nothing relies
    /// on that: order and cursors come from the store's sequence.
    RunId
}

impl RunId {
    /// Makes an id from its two sources: milliseconds since the epoch and 10 random bytes.
    pub fn from_parts(millis: u64, random: [u8; 10]) -> Self {
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        let mut buffer = uuid::Uuid::encode_buffer();
        Self((&*id.hyphenated().encode_lower(&mut buffer)).into())
    }

    /// When it was made, to the millisecond; for people, as the clock that made it may have been
    /// set since.
    pub fn made_at(&self) -> crate::clock::Timestamp {
        let id = uuid::Uuid::try_parse(&self.0).unwrap_or_default();
        let (seconds, nanos) = id.get_timestamp().map_or((0, 0), |time| time.to_unix());
        let micros = seconds.saturating_mul(1_000_000).saturating_add(u64::from(nanos / 1_000));
        crate::clock::Timestamp(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

impl FromStr for RunId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let canonical = text.len() == 36 && text.bytes().all(|b| !b.is_ascii_uppercase());
        match uuid::Uuid::try_parse(text) {
            Ok(_) if canonical => Ok(Self(text.into())),
            _ => Err(InvalidName::new("run id", "a UUID in lower case", text)),
        }
    }
}

text_id! {
    /// A commit of the source, as 40 or 64 lower-case hexadecimal digits; a working folder has
    /// the digest of its content instead.
    Revision
}

impl FromStr for Revision {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hex && (text.len() == 40 || text.len() == 64) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName::new("revision", "40 or 64 hexadecimal digits", text))
        }
    }
}

/// A flow in full: `workspace/flow`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FlowRef {
    /// The workspace that the flow belongs to.
    pub workspace: WorkspaceName,
    /// The flow's name inside it.
    pub flow: FlowName,
}

impl fmt::Display for FlowRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.workspace, self.flow)
    }
}

impl FromStr for FlowRef {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (workspace, flow) = text
            .split_once('/')
            .ok_or_else(|| InvalidName::new("flow in full", "`workspace/flow`", text))?;
        Ok(Self { workspace: workspace.parse()?, flow: flow.parse()? })
    }
}

/// The number of a deployment in the store's sequence; shown as `d<number>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeploymentId(pub i64);

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "d{}", self.0)
    }
}

impl FromStr for DeploymentId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        text.strip_prefix('d')
            .unwrap_or(text)
            .parse()
            .map(Self)
            .map_err(|_| InvalidName::new("deployment id", "`d` and a number", text))
    }
}

/// A SHA-256 digest. Text and JSON form: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of several parts; each is preceded by its length, so that no two lists of parts
    /// give the same input.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        let invalid = || InvalidName::new("digest", "64 hexadecimal digits", &text);
        if text.len() != 64 || !text.is_ascii() {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_by_allow_list() {
        for good in ["a", "homeops-platform", "a1"] {
            assert!(good.parse::<WorkspaceName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "1a", "a_b", "a/b", "ä", &"a".repeat(64)] {
            assert!(bad.parse::<WorkspaceName>().is_err(), "{bad}");
        }
        for good in ["scan", "monitoring/alert-dispatcher", "A_1/b"] {
            assert!(good.parse::<FlowName>().is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "../a", "a.b", "runs", "x/runs", &"a".repeat(201)] {
            assert!(bad.parse::<FlowName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn run_ids_are_canonical_uuids() {
        let id = RunId::from_parts(1_700_000_000_000, [7; 10]);
        assert_eq!(id.as_str().parse::<RunId>().unwrap(), id);
        assert!(id.as_str().to_uppercase().parse::<RunId>().is_err());
    }

    #[test]
    fn digest_of_parts_depends_on_the_borders() {
        let one = Digest::of_parts([b"ab".as_slice(), b"c"]);
        assert_ne!(one, Digest::of_parts([b"a".as_slice(), b"bc"]));
        assert_eq!(Digest::try_from(one.to_string()).unwrap(), one);
    }
}
