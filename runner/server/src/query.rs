//! What stands in the address of a request: names, filters, parts of lists.

use std::fmt;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use signalbox_core::clock::Timestamp;
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::Problem;

/// Most items of one part of a list.
pub(crate) const MAX_LIMIT: usize = 1000;

/// Longest that a request waits for something to end.
const MAX_WAIT: u64 = 300;

/// The names in the path. One that no such thing can have is not found.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let found = axum::extract::Path::from_request_parts(parts, app).await;
        found.map(|path| Self(path.0)).map_err(|error| Problem::not_found(error.body_text()))
    }
}

/// The parameters behind the `?`.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let read = axum::extract::Query::try_from_uri(&parts.uri);
        read.map(|query| Self(query.0)).map_err(|error| Problem::bad_request(error.body_text()))
    }
}

/// How many items a part of a list has at most: 1 to 1,000.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
pub(crate) struct Limit(usize);

impl Limit {
    /// The limit, or the usual one.
    pub(crate) fn or(given: Option<Self>, usual: usize) -> usize {
        given.map_or(usual, |limit| limit.0)
    }
}

impl TryFrom<u64> for Limit {
    type Error = String;

    fn try_from(given: u64) -> Result<Self, String> {
        match usize::try_from(given) {
            Ok(limit @ 1..=MAX_LIMIT) => Ok(Self(limit)),
            _ => Err(format!("`limit` is 1 to {MAX_LIMIT}")),
        }
    }
}

/// Where a part of a list begins. Clients hand back what they were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Cursor(pub(crate) i64);

impl TryFrom<String> for Cursor {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let number = text.strip_prefix('c').and_then(|number| i64::from_str_radix(number, 16).ok());
        number.map(Self).ok_or("`cursor` is not one that this server gave")
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}{:x}", if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs())
    }
}

/// How long to wait for something to end: 0 to 300 seconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
pub(crate) struct Wait(pub(crate) Duration);

impl TryFrom<u64> for Wait {
    type Error = String;

    fn try_from(seconds: u64) -> Result<Self, String> {
        if seconds <= MAX_WAIT {
            Ok(Self(Duration::from_secs(seconds)))
        } else {
            Err(format!("`wait` is at most {MAX_WAIT} seconds"))
        }
    }
}

/// A moment: RFC 3339.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Since(pub(crate) Timestamp);

impl TryFrom<String> for Since {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let moment = text.parse::<jiff::Timestamp>();
        moment
            .map(|moment| Self(moment.into()))
            .map_err(|error| format!("`since` is a time such as `2026-01-31T12:00:00Z`: {error}"))
    }
}

/// Which part of a list that has no filter.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// At most so many items, 1 to 1,000.
    #[param(value_type = Option<u64>)]
    pub(crate) limit: Option<Limit>,
    /// `next` of the part before.
    #[param(value_type = Option<String>)]
    pub(crate) cursor: Option<Cursor>,
}

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// The part.
    pub(crate) items: Vec<T>,
    /// `cursor` of the part behind it; null at the end.
    pub(crate) next: Option<String>,
}

impl<T> List<T> {
    /// A part whose continuation the store says.
    pub(crate) fn of(items: Vec<T>, next: Option<i64>) -> Self {
        Self { items, next: next.map(|next| Cursor(next).to_string()) }
    }

    /// The part of a whole list that was asked for.
    pub(crate) fn part_of<S>(
        all: impl ExactSizeIterator<Item = S>,
        part: &Part,
        view: impl FnMut(S) -> T,
    ) -> Self {
        let limit = Limit::or(part.limit, MAX_LIMIT);
        let start = part.cursor.map_or(0, |cursor| usize::try_from(cursor.0).unwrap_or(0));
        let end = start.saturating_add(limit);
        let next = (end < all.len()).then(|| i64::try_from(end).ok()).flatten();
        Self::of(all.skip(start).take(limit).map(view).collect(), next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_left_and_nothing_else_is_one() {
        for number in [0, 1, 255, -7, i64::MAX] {
            assert_eq!(Cursor::try_from(Cursor(number).to_string()), Ok(Cursor(number)));
        }
        for bad in ["", "c", "7", "c7g", "C1", "c99999999999999999"] {
            assert!(Cursor::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn parts_of_a_list_meet_without_gap_or_overlap() {
        let all = [1, 2, 3, 4, 5];
        let mut seen = Vec::new();
        let mut part = Part { limit: Some(Limit(2)), cursor: None };
        loop {
            let List { items, next } = List::part_of(all.iter(), &part, |item| *item);
            seen.extend(items);
            let Some(next) = next else { break };
            part.cursor = Some(Cursor::try_from(next).unwrap());
        }
        assert_eq!(seen, all);
        let beyond = Part { limit: None, cursor: Some(Cursor(i64::MAX)) };
        assert!(List::part_of(all.iter(), &beyond, |item| *item).items.is_empty());
    }
}
