//! Connectors: named, configured clients of outside systems.

use std::collections::{BTreeMap, BTreeSet};

use signalbox_core::catalog::{Connector, ConnectorKind, Grants, HostGrant};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::template::{self, Part};

use crate::faults::{Faults, near};
use crate::fields::{self, Fields};
use crate::mark::Mark;
use crate::yaml::{Entry, Node, Tree};

struct Type {
    name: &'static str,
    kind: ConnectorKind,
    known: &'static [&'static str],
    required: &'static [&'static str],
}

const TYPES: [Type; 5] = [
    Type {
        name: "http",
        kind: ConnectorKind::Http,
        known: &["type", "base_url", "headers"],
        required: &["base_url"],
    },
    Type {
        name: "slack",
        kind: ConnectorKind::Slack,
        known: &["type", "webhook_url", "channel"],
        required: &["webhook_url"],
    },
    Type { name: "log", kind: ConnectorKind::Log, known: &["type", "level"], required: &[] },
    Type { name: "system", kind: ConnectorKind::System, known: &["type"], required: &[] },
    Type { name: "probe", kind: ConnectorKind::Probe, known: &["type"], required: &[] },
];
const LEVELS: [&str; 4] = ["trace", "info", "warn", "error"];

/// What a connector's texts may refer to.
struct Names<'a> {
    env: &'a BTreeMap<String, String>,
    secrets: &'a BTreeSet<String>,
}

/// Reads `connectors`.
pub(super) fn read(
    fields: &Fields<'_>,
    env: &BTreeMap<String, String>,
    secrets: &BTreeSet<String>,
    faults: &mut Faults,
) -> BTreeMap<String, Connector> {
    let names = Names { env, secrets };
    let mut connectors = BTreeMap::new();
    for entry in fields.map("connectors", faults) {
        check_name(&entry.key, entry.mark, faults);
        if let Some(connector) = connector(entry, &names, faults) {
            connectors.insert(entry.key.clone(), connector);
        }
    }
    connectors
}

/// Warns of connectors that can do nothing with what is granted. No more than that: a grant that is
/// withdrawn must not keep the revision that lacks it from going live.
pub(crate) fn check_grants(node: &Node, grants: &Grants, faults: &mut Faults) {
    let Tree::Map(entries) = &node.tree else { return };
    let Some(all) = entries.iter().find(|entry| entry.key == "connectors") else { return };
    let Tree::Map(connectors) = &all.node.tree else { return };
    for Entry { key, mark, node } in connectors {
        let Tree::Map(settings) = &node.tree else { continue };
        let of = |name: &str| {
            let is = |node: &Node| matches!(&node.tree, Tree::Text(text) if text.text == name);
            settings.iter().any(|entry| entry.key == "type" && is(&entry.node))
        };
        let missing = if of("system") && !grants.host.contains(&HostGrant::Metrics) {
            "host: [metrics]"
        } else if of("probe") && grants.network.is_empty() {
            "network: [...]"
        } else {
            continue;
        };
        let place = faults.at(*mark);
        let message =
            format!("connector `{}` can do nothing: it lacks a grant", fields::shown(key));
        let help = format!("add `{missing}` to the workspace's `grants` in the root manifest");
        faults.push(Diagnostic::warning(Code::GrantMissing, place, message).help(help));
    }
}

fn check_name(name: &str, mark: Mark, faults: &mut Faults) {
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !fits {
        let message = format!("`{}` is not a name for a connector", fields::shown(name));
        let rule = "1 to 64 of a-z, A-Z, 0-9, `_` and `-`".to_owned();
        faults.error_with_help(Code::InvalidName, mark, message, Some(rule));
    }
}

fn connector(entry: &Entry, names: &Names<'_>, faults: &mut Faults) -> Option<Connector> {
    let all = fields::entries(&entry.node, &entry.key, faults)?;
    let found = all.iter().find(|field| field.key == "type");
    let Some(found) = found else {
        faults.error(Code::MissingField, entry.mark, "a connector needs `type`");
        return None;
    };
    let text = fields::text(&found.node, "type", faults)?;
    let Some(of) = TYPES.iter().find(|of| of.name == text) else {
        let message = format!("`{}` is not a type of connector", fields::shown(text));
        let all = TYPES.map(|of| of.name);
        let help = near(text, all).unwrap_or_else(|| format!("one of {}", all.join(", ")));
        faults.error_with_help(Code::UnknownConnectorType, found.node.mark, message, Some(help));
        return None;
    };
    let fields = Fields::open(&entry.node, "a connector of this type", of.known, faults)?;
    let fields = fields.named_at(entry.mark);
    for name in of.required {
        fields.required(name, faults);
    }
    let mut connector =
        Connector { kind: of.kind, settings: BTreeMap::new(), headers: BTreeMap::new() };
    for name in of.known.iter().filter(|name| !matches!(**name, "type" | "headers")) {
        if let Some(text) = fields.get(name).and_then(|node| template(node, name, names, faults)) {
            connector.settings.insert((*name).to_owned(), text);
        }
    }
    for Entry { key, mark, node } in fields.map("headers", faults) {
        check_header(key, *mark, faults);
        if let Some(text) = template(node, key, names, faults) {
            connector.headers.insert(key.clone(), text);
        }
    }
    check_values(&fields, faults);
    Some(connector)
}

/// Refuses what cannot be the name of a header.
pub(super) fn check_header(name: &str, mark: Mark, faults: &mut Faults) {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || name.len() > 100 || !name.bytes().all(token) {
        let message = format!("`{}` is not a name for a header", fields::shown(name));
        faults.error(Code::InvalidName, mark, message);
    }
}

fn check_values(fields: &Fields<'_>, faults: &mut Faults) {
    if let Some(Node { tree: Tree::Text(level), mark }) = fields.get("level")
        && !LEVELS.contains(&level.text.as_str())
    {
        let message = format!("`level` must be one of {}", LEVELS.join(", "));
        faults.error_with_help(Code::InvalidValue, *mark, message, near(&level.text, LEVELS));
    }
    for name in ["base_url", "webhook_url"] {
        if let Some(Node { tree: Tree::Text(url), mark }) = fields.get(name)
            && !["http://", "https://", "${"].iter().any(|start| url.text.starts_with(start))
        {
            let message = format!("`{name}` must start with `http://` or `https://`");
            faults.error(Code::InvalidValue, *mark, message);
        }
    }
}

/// A text in which only declared secrets and the workspace's own environment are referred to.
fn template(node: &Node, what: &str, names: &Names<'_>, faults: &mut Faults) -> Option<String> {
    let text = fields::text(node, what, faults)?;
    let parts = match template::parse(text) {
        Ok(parts) => parts,
        Err(error) => {
            faults.error(Code::Template, node.mark, error.to_string());
            return None;
        }
    };
    for part in &parts {
        if let Part::Expression(expression, _) = part {
            check_reference(expression, node.mark, names, faults);
        }
    }
    Some(text.to_owned())
}

fn check_reference(expression: &str, mark: Mark, names: &Names<'_>, faults: &mut Faults) {
    if let Some(name) = expression.strip_prefix("secrets.") {
        if !names.secrets.contains(name) {
            let message = format!("`{}` is not declared in `secrets`", fields::shown(name));
            let help = near(name, names.secrets.iter().map(String::as_str))
                .unwrap_or_else(|| format!("add `{}` to `secrets`", fields::shown(name)));
            faults.error_with_help(Code::UnknownReference, mark, message, Some(help));
        }
    } else if let Some(name) = expression.strip_prefix("env.") {
        if !names.env.contains_key(name) {
            let message = format!("`{}` is not set in `env`", fields::shown(name));
            let help = near(name, names.env.keys().map(String::as_str));
            faults.error_with_help(Code::UnknownReference, mark, message, help);
        }
    } else {
        let message = format!("`${{{}}}` means nothing here", fields::shown(expression));
        let help = "a connector can have `${secrets.NAME}` and `${env.NAME}`".to_owned();
        faults.error_with_help(Code::Template, mark, message, Some(help));
    }
}
