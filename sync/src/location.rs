//! Where a repository is.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use crate::Error;

/// The place of a repository on this machine.
///
/// A path is taken as it is, relative ones from the working directory. A `file://` URL may have
/// the host `localhost` or none, and `%XX` escapes. What another machine would have to answer
/// (`https://`, `ssh://`, `git@host:path`) is refused. A folder whose name holds a colon is written
/// with its path: `./a:b`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    path: PathBuf,
}

impl Location {
    /// Reads a path or a file URL. Whether anything is there shows when it is opened.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let invalid = |reason| Error::InvalidLocation { location: cut(text), reason };
        if text.is_empty() {
            return Err(invalid("it is empty"));
        }
        if text.contains('\0') {
            return Err(invalid("it holds a NUL"));
        }
        if let Some(rest) = text.strip_prefix("file://") {
            let rest = rest.strip_prefix("localhost").unwrap_or(rest);
            if !rest.starts_with('/') {
                return Err(invalid("the host of a file:// URL must be empty or `localhost`"));
            }
            let bytes = unescape(rest).ok_or_else(|| invalid("a `%` escape is broken"))?;
            return Ok(Self { path: OsString::from_vec(bytes).into() });
        }
        let colon = text.find(':').unwrap_or(text.len());
        let slash = text.find('/').unwrap_or(text.len());
        if colon < slash {
            return Err(Error::NotLocal { location: cut(&without_credentials(text)) });
        }
        Ok(Self { path: text.into() })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// An URL as it may be shown: a password before the host is not repeated.
fn without_credentials(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.find('/').unwrap_or(rest.len());
            match rest[..host].rfind('@') {
                Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
                None => text.to_owned(),
            }
        }
        None => text.to_owned(),
    }
}

/// At most 200 characters: what is shown comes from outside.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let value = digit(bytes.next())? * 16 + digit(bytes.next())?;
            let byte = u8::try_from(value).ok().filter(|byte| *byte != 0)?;
            out.push(byte);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_file_urls_are_local() {
        for (text, path) in [
            ("/srv/repo.git", "/srv/repo.git"),
            ("repo", "repo"),
            ("./a:b", "./a:b"),
            ("file:///srv/my%20repo", "/srv/my repo"),
            ("file://localhost/srv/repo", "/srv/repo"),
        ] {
            assert_eq!(Location::parse(text).expect(text).path(), Path::new(path));
        }
    }

    #[test]
    fn another_machine_is_refused_by_name() {
        for text in ["https://github.com/a/b", "ssh://h/a", "git@github.com:a/b.git", "host:repo"] {
            let error = Location::parse(text).expect_err(text);
            assert!(matches!(error, Error::NotLocal { .. }), "{error}");
            assert!(error.to_string().contains("only local repositories"), "{error}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        let error = Location::parse("https://me:hunter2@h/r").expect_err("remote").to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn broken_locations_are_refused() {
        for text in
            ["", "a\0b", "file://host/x", "file://x", "file:///a%0", "file:///a%zz", "file:///%00"]
        {
            let error = Location::parse(text).expect_err(text);
            assert!(matches!(error, Error::InvalidLocation { .. }), "{text}: {error}");
        }
    }
}
