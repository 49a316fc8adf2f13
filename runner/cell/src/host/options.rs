//! The options of a call: a map whose names are known.

use rhai::{Dynamic, ImmutableString, Map};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::did_you_mean;

use super::fail;
use crate::fault::HostResult;

/// The options of a call.
#[derive(Debug)]
pub(super) struct Options {
    map: Map,
    known: &'static [&'static str],
}

impl Options {
    /// None at all.
    pub(super) fn none() -> Self {
        Self { map: Map::new(), known: &[] }
    }

    /// Those of a map.
    ///
    /// # Errors
    /// A name that `function` does not know.
    pub(super) fn of(map: Map, function: &str, known: &'static [&'static str]) -> HostResult<Self> {
        if let Some(unknown) = map.keys().find(|name| !known.contains(&name.as_str())) {
            let help = match did_you_mean(unknown, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are `{}`", known.join("`, `")),
            };
            let message = format!("`{unknown}` is no option of `{function}`; {help}");
            return fail(Code::BadValue, message);
        }
        Ok(Self { map, known })
    }

    /// An option as the script gave it.
    pub(super) fn get(&self, name: &str) -> Option<&Dynamic> {
        debug_assert!(self.known.is_empty() || self.known.contains(&name), "{name}");
        self.map.get(name)
    }

    /// A text.
    ///
    /// # Errors
    /// It is something else.
    pub(super) fn text(&self, name: &str) -> HostResult<Option<ImmutableString>> {
        self.get(name).map(|value| value.clone().into_immutable_string()).transpose().or_else(
            |found| fail(Code::BadValue, format!("option `{name}` is a text, not {found}")),
        )
    }

    /// A truth value.
    ///
    /// # Errors
    /// It is something else.
    pub(super) fn truth(&self, name: &str, default: bool) -> HostResult<bool> {
        self.get(name).map_or(Ok(default), Dynamic::as_bool).or_else(|found| {
            fail(Code::BadValue, format!("option `{name}` is true or false, not {found}"))
        })
    }

    /// One of some words, the first of them when it is not given.
    ///
    /// # Errors
    /// It is something else.
    pub(super) fn word(
        &self,
        name: &str,
        words: &'static [&'static str],
    ) -> HostResult<&'static str> {
        let Some(text) = self.text(name)? else {
            return Ok(words.first().copied().unwrap_or_default());
        };
        words.iter().copied().find(|word| *word == text.as_str()).map_or_else(
            || {
                let words = words.join("`, `");
                fail(Code::BadValue, format!("option `{name}` is one of `{words}`, not `{text}`"))
            },
            Ok,
        )
    }
}
