//! `auth` of a webhook: how a sender proves who it is.

use std::collections::BTreeSet;
use std::time::Duration;

use signalbox_core::codes::Code;
use signalbox_core::template::{self, Part};
use signalbox_core::webhook::{Auth, MAX_TOLERANCE, Stamp, TOLERANCE};

use super::connectors::check_header;
use crate::faults::{Faults, near};
use crate::fields::{self, Fields};
use crate::yaml::{Node, Tree};

const KINDS: [&str; 4] = ["hmac_sha256", "api_key", "basic", "none"];
/// What is signed when a time is and nothing else is said; Stripe and others sign it so.
const PAYLOAD: &str = "${timestamp}.${body}";

/// Reads `none`, or a map with one of the kinds.
pub(super) fn read(node: &Node, secrets: &BTreeSet<String>, faults: &mut Faults) -> Option<Auth> {
    match &node.tree {
        Tree::Text(text) if text.text == "none" => {
            let message = "anybody who reaches the runner can start this flow";
            faults.warning(Code::OpenWebhook, node.mark, message);
            Some(Auth::None)
        }
        Tree::Map(entries) => {
            let kinds: Vec<_> =
                entries.iter().filter(|entry| KINDS.contains(&entry.key.as_str())).collect();
            match kinds.as_slice() {
                [kind] => match kind.key.as_str() {
                    "hmac_sha256" => hmac(node, secrets, faults),
                    "api_key" => api_key(node, secrets, faults),
                    "basic" => basic(node, secrets, faults),
                    _ => unclear(node, None, faults),
                },
                [] => {
                    let help = entries.iter().find_map(|entry| near(&entry.key, KINDS));
                    unclear(node, help, faults)
                }
                _ => unclear(node, None, faults),
            }
        }
        Tree::Text(text) => unclear(node, near(&text.text, KINDS), faults),
        Tree::Null | Tree::Bool(_) | Tree::Int(_) | Tree::Float(_) | Tree::List(_) | Tree::Bad => {
            unclear(node, None, faults)
        }
    }
}

fn unclear(node: &Node, help: Option<String>, faults: &mut Faults) -> Option<Auth> {
    if !matches!(node.tree, Tree::Bad) {
        let message = "`auth` must be `none`, or a map with one of `hmac_sha256`, `api_key` and \
                       `basic`";
        faults.error_with_help(Code::InvalidValue, node.mark, message, help);
    }
    None
}

fn hmac(node: &Node, secrets: &BTreeSet<String>, faults: &mut Faults) -> Option<Auth> {
    let known = ["hmac_sha256", "header", "timestamp", "tolerance", "payload"];
    let fields = Fields::open(node, "`hmac_sha256`", &known, faults)?;
    let keys = keys(fields.get("hmac_sha256"), "hmac_sha256", secrets, faults);
    let header = header(&fields, "header", faults);
    let stamp = stamp(&fields, faults);
    Some(Auth::HmacSha256 { keys: keys?, header: header?, stamp })
}

/// The signed time, if one is.
fn stamp(fields: &Fields<'_>, faults: &mut Faults) -> Option<Stamp> {
    let tolerance = fields.duration("tolerance", Duration::from_secs(1)..=MAX_TOLERANCE, faults);
    if fields.get("timestamp").is_none() {
        for entry in ["tolerance", "payload"].into_iter().filter_map(|name| fields.entry(name)) {
            let message = format!("`{}` needs `timestamp`, the header with the time", entry.key);
            faults.error(Code::MissingField, entry.mark, message);
        }
        return None;
    }
    let header = header(fields, "timestamp", faults)?;
    let payload = match fields.get("payload") {
        None => PAYLOAD.to_owned(),
        Some(node) => payload(node, faults)?,
    };
    Some(Stamp { header, tolerance: tolerance.unwrap_or(TOLERANCE), payload })
}

/// What is signed. Whatever it leaves out could be changed on the way.
fn payload(node: &Node, faults: &mut Faults) -> Option<String> {
    let text = fields::text(node, "payload", faults)?;
    let parts = match template::parse(text) {
        Ok(parts) => parts,
        Err(error) => {
            faults.error(Code::Template, node.mark, error.to_string());
            return None;
        }
    };
    let mut named: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Expression(name, _) => Some(name.as_str()),
            Part::Text(_) => None,
        })
        .collect();
    named.sort_unstable();
    if named != ["body", "timestamp"] {
        let message = "`payload` must have `${timestamp}` and `${body}`, each once";
        let help =
            format!("leave it out for `{PAYLOAD}`; Slack signs `v0:${{timestamp}}:${{body}}`");
        faults.error_with_help(Code::Template, node.mark, message, Some(help));
        return None;
    }
    Some(text.to_owned())
}

fn api_key(node: &Node, secrets: &BTreeSet<String>, faults: &mut Faults) -> Option<Auth> {
    let fields = Fields::open(node, "`api_key`", &["api_key", "header"], faults)?;
    let keys = keys(fields.get("api_key"), "api_key", secrets, faults);
    let header = header(&fields, "header", faults);
    Some(Auth::ApiKey { keys: keys?, header: header? })
}

fn basic(node: &Node, secrets: &BTreeSet<String>, faults: &mut Faults) -> Option<Auth> {
    let outer = Fields::open(node, "`auth`", &["basic"], faults)?;
    let fields = Fields::open(outer.get("basic")?, "`basic`", &["user", "password"], faults)?;
    let user = fields.required("user", faults).and_then(|node| {
        let user = fields::text(node, "user", faults)?;
        if user.is_empty() || user.len() > 200 || user.contains(':') || user.contains("${") {
            let message = "`user` has 1 to 200 characters, none of them `:`, and is no secret";
            faults.error(Code::InvalidValue, node.mark, message);
        }
        Some(user.to_owned())
    });
    let passwords = fields.required("password", faults);
    let passwords = keys(passwords, "password", secrets, faults);
    Some(Auth::Basic { user: user?, passwords: passwords? })
}

fn header(fields: &Fields<'_>, name: &str, faults: &mut Faults) -> Option<String> {
    let node = fields.required(name, faults)?;
    let header = fields::text(node, name, faults)?;
    check_header(header, node.mark, faults);
    Some(header.to_owned())
}

/// One secret or two: while one is being changed, both are good.
fn keys(
    node: Option<&Node>,
    what: &str,
    secrets: &BTreeSet<String>,
    faults: &mut Faults,
) -> Option<Vec<String>> {
    let node = node?;
    let items = match &node.tree {
        Tree::List(items) if (1..=2).contains(&items.len()) => items.as_slice(),
        Tree::List(_) => {
            let message = format!("`{what}` has one secret, or two while one is being changed");
            faults.error(Code::InvalidValue, node.mark, message);
            return None;
        }
        _ => std::slice::from_ref(node),
    };
    items.iter().map(|item| key(item, what, secrets, faults)).collect()
}

fn key(node: &Node, what: &str, secrets: &BTreeSet<String>, faults: &mut Faults) -> Option<String> {
    let text = fields::text(node, what, faults)?;
    let name = match template::parse(text).as_deref() {
        Ok([Part::Expression(name, _)]) => name.strip_prefix("secrets.").map(str::to_owned),
        Ok(_) | Err(_) => None,
    };
    let Some(name) = name else {
        let message = format!("`{what}` must be `${{secrets.NAME}}`: a key never stands in a file");
        faults.error(Code::InvalidValue, node.mark, message);
        return None;
    };
    if !secrets.contains(&name) {
        let message = format!("`{}` is not declared in `secrets`", fields::shown(&name));
        let help = near(&name, secrets.iter().map(String::as_str))
            .unwrap_or_else(|| format!("add `{}` to `secrets`", fields::shown(&name)));
        faults.error_with_help(Code::UnknownReference, node.mark, message, Some(help));
    }
    Some(name)
}
