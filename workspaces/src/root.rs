//! The root manifest: which folder is which workspace, of which kind, and what each is granted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use signalbox_core::catalog::{About, Grants, HostGrant, Kind, Limits, NetworkGrant};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place};
use signalbox_core::ids::{Digest, WorkspaceName};
use signalbox_core::value;

use crate::faults::{self, Faults, near};
use crate::fields::{self, Fields};
use crate::mark::Mark;
use crate::yaml::{self, Entry, Node, Tree};

/// The root manifest's name, in the root of the repository.
pub const ROOT_FILE: &str = "signalbox.yaml";
/// The workspace file's name, in a workspace's folder.
pub const WORKSPACE_FILE: &str = "workspace.yaml";

/// The only version of the root manifest.
const VERSION: i64 = 1;
const HOUR: Duration = Duration::from_hours(1);

/// A root manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Root {
    /// `atomic: repository`: a push goes live in every workspace or in none.
    pub atomic: bool,
    /// The workspaces by name.
    pub workspaces: BTreeMap<WorkspaceName, RootEntry>,
}

/// What the root manifest says of one workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct RootEntry {
    /// Its name.
    pub name: WorkspaceName,
    /// Platform or domain.
    pub kind: Kind,
    /// Its folder, from the repository's root, without slashes at either end.
    pub path: String,
    /// For people; what the workspace file says goes before it.
    pub about: About,
    /// What it is granted.
    pub grants: Grants,
    /// Digest of the entry's content; spaces, comments and the order of keys do not change it.
    pub config_hash: Digest,
    /// Where the entry stands.
    pub place: Place,
}

/// Reads a root manifest. With it come the warnings.
///
/// # Errors
/// Every fault, sorted by line and column, each with its source line.
pub fn parse_root(content: &[u8], file: &str) -> Result<(Root, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut faults = Faults::of(file);
    let root = yaml::parse(content, &mut faults).and_then(|node| root(&node, &mut faults));
    let mut found = faults.into_list();
    faults::finish(&mut found, |_| Some(content));
    match root {
        Some(root) if !found.iter().any(Diagnostic::is_error) => Ok((root, found)),
        _ => Err(found),
    }
}

/// What is wrong with a repository that has no root manifest.
pub fn missing(file: &str) -> Diagnostic {
    let message = format!("the repository has no `{file}`");
    Diagnostic::error(Code::ManifestMissing, Place::file(file), message)
        .help("add one with `version: 1` and a platform workspace")
}

fn root(node: &Node, faults: &mut Faults) -> Option<Root> {
    let known = ["version", "atomic", "workspaces"];
    let fields = Fields::open(node, "the root manifest", &known, faults)?;
    if let Some(node) = fields.required("version", faults)
        && !matches!(node.tree, Tree::Int(VERSION) | Tree::Bad)
    {
        let message = format!("the version must be {VERSION}");
        faults.error(Code::Version, node.mark, message);
    }
    let atomic = fields.text("atomic", faults);
    if let (Some(text), Some(node)) = (&atomic, fields.get("atomic"))
        && text != "repository"
    {
        faults.error(Code::InvalidValue, node.mark, "`atomic` can only be `repository`");
    }
    fields.required("workspaces", faults)?;
    let mut workspaces = BTreeMap::new();
    for entry in fields.map("workspaces", faults) {
        if let Some(entry) = workspace(entry, faults) {
            workspaces.insert(entry.name.clone(), entry);
        }
    }
    let marks: BTreeMap<_, _> = fields
        .map("workspaces", faults)
        .iter()
        .map(|entry| (entry.key.as_str(), entry.mark))
        .collect();
    check_platform(&workspaces, &fields, &marks, faults);
    check_overlap(&workspaces, &marks, faults);
    Some(Root { atomic: atomic.is_some(), workspaces })
}

fn workspace(entry: &Entry, faults: &mut Faults) -> Option<RootEntry> {
    let known = ["kind", "path", "title", "description", "owner", "environment", "tags", "grants"];
    let name = fields::name_of(&entry.key, entry.mark, faults);
    let fields = Fields::open(&entry.node, "a workspace", &known, faults)?;
    let fields = fields.named_at(entry.mark);
    let kind = fields.required("kind", faults).and_then(|node| kind(node, faults));
    let path = fields.required("path", faults).and_then(|node| path(node, faults));
    let about = About {
        title: fields.text("title", faults),
        description: fields.text("description", faults),
        owner: fields.text("owner", faults),
        environment: fields.text("environment", faults),
        tags: texts(&fields, "tags", faults),
    };
    let grants = grants(&fields, faults);
    Some(RootEntry {
        name: name?,
        kind: kind?,
        path: path?,
        about,
        grants,
        config_hash: Digest::of(&value::encode(&entry.node.value())),
        place: faults.at(entry.mark),
    })
}

fn kind(node: &Node, faults: &mut Faults) -> Option<Kind> {
    let text = fields::text(node, "kind", faults)?;
    let found = [Kind::Platform, Kind::Domain].into_iter().find(|kind| kind.as_str() == text);
    if found.is_none() {
        let message = "`kind` must be `platform` or `domain`";
        let help = near(text, ["platform", "domain"]);
        faults.error_with_help(Code::InvalidValue, node.mark, message, help);
    }
    found
}

fn path(node: &Node, faults: &mut Faults) -> Option<String> {
    let text = fields::text(node, "path", faults)?;
    if let Err(reason) = check_path(text) {
        faults.error(Code::InvalidValue, node.mark, format!("`path` {reason}"));
        return None;
    }
    Some(text.to_owned())
}

/// Whether a text is a path inside of the folder that it starts from; if not, why not.
pub(crate) fn check_path(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > 1_000 {
        Err("must have 1 to 1000 bytes")
    } else if text.contains('\\') || text.chars().any(char::is_control) {
        Err("must use `/` and have no control characters")
    } else if text.starts_with('/') || text.ends_with('/') {
        Err("must be relative, without `/` at either end")
    } else if text.split('/').any(|part| matches!(part, "" | "." | ".." | ".git")) {
        Err("must not have `.`, `..`, `.git` or nothing between its slashes")
    } else {
        Ok(())
    }
}

/// The texts of a list.
pub(crate) fn texts(fields: &Fields<'_>, name: &str, faults: &mut Faults) -> Vec<String> {
    let items = fields.list(name, faults).iter();
    items.filter_map(|item| fields::text(item, name, faults).map(str::to_owned)).collect()
}

fn grants(fields: &Fields<'_>, faults: &mut Faults) -> Grants {
    let grants = fields
        .get("grants")
        .and_then(|node| Fields::open(node, "`grants`", &["network", "host", "limits"], faults));
    let Some(grants) = grants else { return Grants::default() };
    let mut network = Vec::new();
    for node in grants.list("network", faults) {
        let Some(text) = fields::text(node, "network", faults) else { continue };
        match network_grant(text) {
            Some(grant) => network.push(grant),
            None => faults.error_with_help(
                Code::InvalidValue,
                node.mark,
                format!("`{}` is not a host, `host:port` or origin", fields::shown(text)),
                Some("for example `hooks.slack.com` or `http://192.168.1.10:9090`".to_owned()),
            ),
        }
    }
    Grants { network, host: host(&grants, faults), limits: limits(&grants, faults) }
}

fn host(grants: &Fields<'_>, faults: &mut Faults) -> BTreeSet<HostGrant> {
    let known = HostGrant::ALL.map(HostGrant::as_str);
    let mut host = BTreeSet::new();
    for node in grants.list("host", faults) {
        let Some(text) = fields::text(node, "host", faults) else { continue };
        let found = HostGrant::ALL.into_iter().find(|grant| grant.as_str() == text);
        if found.is_none() {
            let message = format!("`{}` is nothing of the host to grant", fields::shown(text));
            let help = near(text, known).unwrap_or_else(|| format!("one of {}", known.join(", ")));
            faults.error_with_help(Code::InvalidValue, node.mark, message, Some(help));
        }
        host.extend(found);
    }
    host
}

fn limits(grants: &Fields<'_>, faults: &mut Faults) -> Limits {
    let known = ["memory", "concurrency", "run_time", "operations", "queue"];
    let default = Limits::default();
    let limits =
        grants.get("limits").and_then(|node| Fields::open(node, "`limits`", &known, faults));
    let Some(limits) = limits else { return default };
    let small = |number: Option<i64>, default| {
        number.and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
    };
    Limits {
        memory: limits.size("memory", (32 << 20)..=(64 << 30), faults).unwrap_or(default.memory),
        concurrency: small(limits.int("concurrency", 1..=256, faults), default.concurrency),
        run_time: limits
            .duration("run_time", Duration::from_secs(1)..=7 * 24 * HOUR, faults)
            .unwrap_or(default.run_time),
        operations: limits
            .int("operations", 1_000..=1_000_000_000_000, faults)
            .and_then(|number| u64::try_from(number).ok())
            .unwrap_or(default.operations),
        queue: small(limits.int("queue", 1..=200_000, faults), default.queue),
    }
}

/// A host name, a literal address, either with a port, or an origin of http or https.
fn network_grant(text: &str) -> Option<NetworkGrant> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => (Some(scheme.to_owned()), rest),
        Some(_) => return None,
        None => (None, text),
    };
    let (host, port) = if let Some(literal) = rest.strip_prefix('[') {
        let (host, rest) = literal.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
    } else if scheme.is_none() && rest.parse::<std::net::Ipv6Addr>().is_ok() {
        (rest, None)
    } else {
        let (host, port) = rest.split_once(':').map_or((rest, None), |(h, p)| (h, Some(p)));
        is_host(host).then_some((host, port))?
    };
    let port = match port {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|port: &u16| *port > 0)?)
        }
        Some(_) => return None,
        None => None,
    };
    Some(NetworkGrant { scheme, host: host.to_ascii_lowercase(), port })
}

fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(label) && !is_odd_address(host)
}

/// Whether a host is an IPv4 address in a spelling of which no URL keeps anything: `127.1`, `0x7f.1`.
/// It would be granted and never be reached (WHATWG URL, "ends in a number").
fn is_odd_address(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    is_number && host.parse::<std::net::Ipv4Addr>().is_err()
}

fn check_platform(
    workspaces: &BTreeMap<WorkspaceName, RootEntry>,
    fields: &Fields<'_>,
    marks: &BTreeMap<&str, Mark>,
    faults: &mut Faults,
) {
    let mut platforms = workspaces.values().filter(|entry| entry.kind == Kind::Platform);
    let Some(first) = platforms.next() else {
        // A platform that has a fault of its own is not missing.
        if workspaces.len() == marks.len() {
            let mark = fields.entry("workspaces").map_or(fields.mark, |entry| entry.mark);
            faults.error(Code::PlatformCount, mark, "no workspace is the platform");
        }
        return;
    };
    for other in platforms {
        let message = format!("`{}` is a second platform; there is one", other.name);
        faults.push(
            Diagnostic::error(Code::PlatformCount, other.place.clone(), message)
                .second(first.place.clone(), "the first is here"),
        );
    }
}

fn check_overlap(
    workspaces: &BTreeMap<WorkspaceName, RootEntry>,
    marks: &BTreeMap<&str, Mark>,
    faults: &mut Faults,
) {
    let mut by_path: Vec<_> = workspaces.values().collect();
    by_path.sort_by_key(|entry| entry.path.split('/').collect::<Vec<_>>());
    for pair in by_path.windows(2) {
        let (mut first, mut second) = (pair[0], pair[1]);
        if !is_inside(&second.path, &first.path) {
            continue;
        }
        let line = |entry: &RootEntry| marks.get(entry.name.as_str()).map(|mark| mark.line);
        if line(second) < line(first) {
            std::mem::swap(&mut first, &mut second);
        }
        let message = format!(
            "the folder of `{}`, `{}`, overlaps with `{}` of `{}`",
            second.name, second.path, first.path, first.name
        );
        faults.push(
            Diagnostic::error(Code::Overlap, second.place.clone(), message)
                .second(first.place.clone(), "the other is here"),
        );
    }
}

/// Whether a path is a folder or lies in it.
pub(crate) fn is_inside(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
