//! What of a request becomes which input.

use std::collections::BTreeMap;

use super::picked::pick;
use crate::template::{self, Part};
use crate::value::{self, Value};

/// A part of a request that `inputs` can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// `body`, or what stands in it: `body.order.items.0`.
    Body(Vec<String>),
    /// `headers.NAME`.
    Header(String),
    /// `query.NAME`.
    Query(String),
}

impl Reference {
    /// Reads what stands inside of `${...}`.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, rest) = text.split_once('.').unwrap_or((text, ""));
        let plain = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        match first {
            "body" if text == "body" => Some(Self::Body(Vec::new())),
            "body" => {
                let path: Vec<_> = rest.split('.').map(str::to_owned).collect();
                path.iter().all(|part| plain(part)).then_some(Self::Body(path))
            }
            "headers" => plain(rest).then(|| Self::Header(rest.to_owned())),
            "query" => plain(rest).then(|| Self::Query(rest.to_owned())),
            _ => None,
        }
    }
}

/// A request to a webhook.
pub struct Request<'r> {
    /// The body; empty, or JSON.
    pub body: &'r str,
    /// A header by its name, when it is given once and is text.
    pub header: &'r dyn Fn(&str) -> Option<String>,
    /// The parameters behind the `?`.
    pub query: &'r BTreeMap<String, String>,
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").finish_non_exhaustive()
    }
}

/// A request that no inputs can be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The body, or what was picked from it, is no JSON or cannot be held exactly.
    #[error("the body cannot be taken: {0}")]
    Body(String),
    /// The declaration cannot be read. It was checked when it was synced.
    #[error("the webhook's `inputs` cannot be read")]
    Template,
}

/// The inputs that a request gives: its body, or what the template picks. What is not there is
/// left out of a map, is null in a list, and empty in a text with other text.
pub fn inputs(template: Option<&Value>, request: &Request<'_>) -> Result<Value, Fault> {
    let empty = || Value::Map(BTreeMap::new());
    let Some(template) = template else {
        return Ok(part(request.body, &[])?.unwrap_or_else(empty));
    };
    // Whatever is picked, a body that is no JSON is refused.
    if !request.body.is_empty() {
        pick(request.body, &[]).map_err(|error| Fault::Body(error.to_string()))?;
    }
    Ok(fill(template, request)?.unwrap_or_else(empty))
}

fn fill(template: &Value, request: &Request<'_>) -> Result<Option<Value>, Fault> {
    Ok(Some(match template {
        Value::String(text) => return fill_text(text, request),
        Value::List(items) => {
            let filled = items.iter().map(|item| Ok(fill(item, request)?.unwrap_or(Value::Null)));
            Value::List(filled.collect::<Result<_, Fault>>()?)
        }
        Value::Map(map) => {
            let mut filled = BTreeMap::new();
            for (key, value) in map {
                if let Some(value) = fill(value, request)? {
                    filled.insert(key.clone(), value);
                }
            }
            Value::Map(filled)
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Bytes(_) => {
            template.clone()
        }
    }))
}

fn fill_text(text: &str, request: &Request<'_>) -> Result<Option<Value>, Fault> {
    let parts = template::parse(text).map_err(|_| Fault::Template)?;
    if let [Part::Expression(reference, _)] = parts.as_slice() {
        return look_up(reference, request);
    }
    let mut filled = String::new();
    for part in &parts {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Expression(reference, _) => match look_up(reference, request)? {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => filled.push_str(&text),
                Some(other) => filled.push_str(&value::to_json(&other).to_string()),
            },
        }
    }
    Ok(Some(Value::String(filled)))
}

fn look_up(reference: &str, request: &Request<'_>) -> Result<Option<Value>, Fault> {
    match Reference::parse(reference).ok_or(Fault::Template)? {
        Reference::Body(path) => part(request.body, &path),
        Reference::Header(name) => Ok((request.header)(&name).map(Value::String)),
        Reference::Query(name) => Ok(request.query.get(&name).cloned().map(Value::String)),
    }
}

/// Longest text of a part that is made into a value, in bytes: with the white space that JSON
/// allows, more than inputs may have.
const MAX_PART: usize = 4 << 20;

fn part(body: &str, path: &[String]) -> Result<Option<Value>, Fault> {
    if body.is_empty() {
        return Ok(None);
    }
    let found = pick(body, path).map_err(|error| Fault::Body(error.to_string()))?;
    let Some(found) = found else { return Ok(None) };
    if found.get().len() > MAX_PART {
        let what = if path.is_empty() { "it".to_owned() } else { path.join(".") };
        let message =
            format!("`{what}` has {} bytes; inputs have at most 1 MiB", found.get().len());
        return Err(Fault::Body(message));
    }
    let value =
        value::from_json_str(found.get()).map_err(|error| Fault::Body(error.to_string()))?;
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"order": {"id": 7, "sku": "a-1", "lines": [{"n": 2}]}, "flag": null}"#;

    fn filled(template: &str) -> Result<Value, Fault> {
        let template = value::from_json_str(template).unwrap();
        let header = |name: &str| (name == "X-Event").then(|| "push".to_owned());
        let query = BTreeMap::from([("source".to_owned(), "eu".to_owned())]);
        inputs(Some(&template), &Request { body: BODY, header: &header, query: &query })
    }

    #[test]
    fn a_template_picks_and_keeps_types() {
        let template = r#"{"id": "${body.order.id}", "line": "${ body.order.lines.0 }",
            "text": "order ${body.order.id} of ${query.source}: ${body.nothing}${headers.X-Event}",
            "event": "${headers.X-Event}", "flag": "${body.flag}", "gone": "${body.order.gone}",
            "list": ["${query.gone}", 3], "plain": "$${body}"}"#;
        let expected = r#"{"id": 7, "line": {"n": 2}, "text": "order 7 of eu: push",
            "event": "push", "flag": null, "list": [null, 3], "plain": "${body}"}"#;
        assert_eq!(filled(template), Ok(value::from_json_str(expected).unwrap()));
    }

    #[test]
    fn without_a_template_the_body_is_the_inputs() {
        let none = |_: &str| None;
        let query = BTreeMap::new();
        let of = |body| inputs(None, &Request { body, header: &none, query: &query });
        assert_eq!(of(r#"{"a": 1}"#), Ok(Value::map([("a", Value::Int(1))])));
        assert_eq!(of(""), Ok(Value::Map(BTreeMap::new())));
        assert!(matches!(of("{"), Err(Fault::Body(_))));
        assert!(matches!(of("99999999999999999999"), Err(Fault::Body(_))));
    }

    #[test]
    fn only_parts_of_the_request_are_references() {
        for good in ["body", "body.a-b.0.c_d", "headers.X-Event", "query.q"] {
            assert!(Reference::parse(good).is_some(), "{good}");
        }
        for bad in ["", "bodyx", "body.", "body..a", "headers", "headers.a.b", "secrets.K", "1 + 1"]
        {
            assert_eq!(Reference::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_body_that_is_no_json_is_refused_even_when_nothing_is_picked_from_it() {
        let template = value::from_json_str(r#"{"a": 1}"#).unwrap();
        let query = BTreeMap::new();
        let request = Request { body: "a=1", header: &|_| None, query: &query };
        assert!(matches!(inputs(Some(&template), &request), Err(Fault::Body(_))));
    }
}
