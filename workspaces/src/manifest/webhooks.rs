//! `webhooks`: requests from outside that start flows.

use std::collections::BTreeSet;
use std::time::Duration;

use signalbox_core::codes::Code;
use signalbox_core::template::{self, Part};
use signalbox_core::webhook::{self, MAX_REFERENCES, MAX_WAIT, Mode, Reference, WAIT, Webhook};

use super::connectors::check_header;
use super::webhook_auth;
use crate::faults::{Faults, near};
use crate::fields::{self, Fields};
use crate::mark::Mark;
use crate::units;
use crate::yaml::{Entry, Node, Tree};

const KNOWN: [&str; 7] = ["flow", "auth", "mode", "timeout", "inputs", "idempotency", "rate_limit"];

/// A webhook, and where it says what is resolved later.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) webhook: Webhook,
    pub(super) flow_at: Mark,
    pub(super) inputs_at: Mark,
}

/// Reads the map.
pub(super) fn read(
    fields: &Fields<'_>,
    secrets: &BTreeSet<String>,
    faults: &mut Faults,
) -> Vec<Found> {
    let all = fields.map("webhooks", faults);
    all.iter().filter_map(|entry| one(entry, secrets, faults)).collect()
}

fn one(entry: &Entry, secrets: &BTreeSet<String>, faults: &mut Faults) -> Option<Found> {
    if !webhook::is_name(&entry.key) {
        let message = format!("`{}` is not a name for a webhook", fields::shown(&entry.key));
        let rule = "1 to 64 of a-z, 0-9, `_` and `-`, starting with a letter".to_owned();
        faults.error_with_help(Code::InvalidName, entry.mark, message, Some(rule));
    }
    let fields = Fields::open(&entry.node, "a webhook", &KNOWN, faults)?.named_at(entry.mark);
    let flow_at = fields.required("flow", faults);
    let flow = fields.name("flow", faults);
    let auth = fields.required("auth", faults);
    let auth = auth.and_then(|node| webhook_auth::read(node, secrets, faults));
    let mode = mode(&fields, faults);
    let inputs_at = fields.get("inputs").map_or(entry.mark, |node| node.mark);
    let inputs = fields.get("inputs").map(|node| inputs(node, faults));
    let idempotency = fields.entry("idempotency").and_then(|entry| {
        let header = fields::text(&entry.node, "idempotency", faults)?;
        check_header(header, entry.node.mark, faults);
        Some(header.to_owned())
    });
    let rate_limit = fields.unit("rate_limit", "a rate like `60/m`", units::rate, faults);
    let webhook = Webhook { flow: flow?, auth: auth?, mode, inputs, idempotency, rate_limit };
    Some(Found { name: entry.key.clone(), webhook, flow_at: flow_at?.mark, inputs_at })
}

fn mode(fields: &Fields<'_>, faults: &mut Faults) -> Mode {
    let timeout = fields.duration("timeout", Duration::from_millis(1)..=MAX_WAIT, faults);
    let known = ["async", "sync"];
    match fields.text("mode", faults).as_deref() {
        Some("sync") => return Mode::Sync { timeout: timeout.unwrap_or(WAIT) },
        None | Some("async") => {}
        Some(other) => {
            if let Some(node) = fields.get("mode") {
                let message =
                    format!("`mode` must be `async` or `sync`, not `{}`", fields::shown(other));
                let help = near(other, known);
                faults.error_with_help(Code::InvalidValue, node.mark, message, help);
            }
            return Mode::Async;
        }
    }
    if let Some(entry) = fields.entry("timeout") {
        let message = "`timeout` is how long a sender waits for the result, with `mode: sync`";
        faults.error(Code::InvalidValue, entry.mark, message);
    }
    Mode::Async
}

/// A map whose texts may name parts of the request.
fn inputs(node: &Node, faults: &mut Faults) -> signalbox_core::Value {
    if !matches!(node.tree, Tree::Map(_)) {
        fields::wrong_type(node, "inputs", "a map", faults);
    }
    let mut references = 0;
    check_texts(node, &mut references, faults);
    if references > MAX_REFERENCES {
        let message = format!("`inputs` has {references} references; at most {MAX_REFERENCES}");
        faults.error(Code::InvalidValue, node.mark, message);
    }
    node.value()
}

fn check_texts(node: &Node, references: &mut usize, faults: &mut Faults) {
    match &node.tree {
        Tree::Text(text) => match template::parse(&text.text) {
            Ok(parts) => {
                for part in parts {
                    let Part::Expression(reference, _) = part else { continue };
                    *references += 1;
                    check_reference(&reference, node.mark, faults);
                }
            }
            Err(error) => faults.error(Code::Template, node.mark, error.to_string()),
        },
        Tree::List(items) => items.iter().for_each(|item| check_texts(item, references, faults)),
        Tree::Map(entries) => {
            for entry in entries {
                if entry.key.contains("${") {
                    faults.error(Code::Template, entry.mark, "a key cannot hold `${...}`");
                }
                check_texts(&entry.node, references, faults);
            }
        }
        Tree::Null | Tree::Bool(_) | Tree::Int(_) | Tree::Float(_) | Tree::Bad => {}
    }
}

fn check_reference(reference: &str, mark: Mark, faults: &mut Faults) {
    if Reference::parse(reference).is_some() {
        return;
    }
    let message = format!("`${{{}}}` means nothing here", fields::shown(reference));
    let help = "a webhook's inputs can have `${body}`, `${body.a.0.b}`, `${headers.NAME}` and \
                `${query.NAME}`";
    faults.error_with_help(Code::Template, mark, message, Some(help.to_owned()));
}
