//! The one gate between workspaces: a pure decision over what both sides declared.
//!
//! Platform to domain only what the platform declares in `may_start` and the domain `accepts`;
//! domain to platform only exported services that the domain `uses`; domain to domain never; no
//! cycle, ever. The same function decides when a revision is synced and when a call is made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::catalog::{Callers, Catalog, Export, Kind, Workspace};
use crate::codes::Code;
use crate::ids::{FlowRef, InvalidName, ServiceName, WorkspaceName};

/// Longest chain of calls that led to one another, the first caller included.
pub const MAX_DEPTH: usize = 8;

/// What a call names: a service of the platform or a flow of a domain. Nothing else is a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Target {
    /// `alerts.send` or `alerts.send@1`.
    Service(ServiceName, Option<u32>),
    /// `workspace/flow`.
    Flow(FlowRef),
}

impl FromStr for Target {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.contains('/') {
            return text.parse().map(Self::Flow);
        }
        match text.split_once('@') {
            None => Ok(Self::Service(text.parse()?, None)),
            Some((name, version)) => {
                let number = version.parse().map_err(|_| InvalidName {
                    what: "version of a service",
                    rule: "a whole number after `@`",
                    value: version.chars().take(80).collect(),
                })?;
                Ok(Self::Service(name.parse()?, Some(number)))
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(name, None) => write!(f, "{name}"),
            Self::Service(name, Some(version)) => write!(f, "{name}@{version}"),
            Self::Flow(flow) => write!(f, "{flow}"),
        }
    }
}

/// Why a call is let through or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Allowed: the platform starts what it declared and the domain accepts.
    PlatformStartsAccepted,
    /// Allowed: a domain calls an export that it declared to use.
    DomainUsesExport,
    /// The name is neither a service nor `workspace/flow`.
    InvalidTarget,
    /// A domain names another domain, or its own flow through the broker.
    DomainToDomain,
    /// A domain names a flow of the platform instead of a service.
    FlowOfPlatform,
    /// The platform names a service, or a flow of its own.
    PlatformToItself,
    /// No live workspace has the name.
    UnknownWorkspace,
    /// The workspace has no such flow.
    UnknownFlow,
    /// The platform's `may_start` does not list the flow.
    NotInMayStart,
    /// The domain's `accepts` does not list the flow.
    NotAccepted,
    /// No service has the name.
    UnknownService,
    /// The service is there, in another version.
    UnknownVersion,
    /// The caller's `uses` does not list the service in this version.
    NotInUses,
    /// The export's `callers` does not list the caller.
    CallerNotListed,
    /// The inputs do not fit the callee.
    InputsDoNotFit,
    /// The callee is in the chain that led to this call.
    Cycle,
    /// The chain is longer than [`MAX_DEPTH`].
    Depth,
    /// The export's rate is used up.
    RateLimit,
    /// The callee's queue is full.
    QueueFull,
}

impl Rule {
    /// Every rule, for tables and tests.
    pub const ALL: [Self; 19] = [
        Self::PlatformStartsAccepted,
        Self::DomainUsesExport,
        Self::InvalidTarget,
        Self::DomainToDomain,
        Self::FlowOfPlatform,
        Self::PlatformToItself,
        Self::UnknownWorkspace,
        Self::UnknownFlow,
        Self::NotInMayStart,
        Self::NotAccepted,
        Self::UnknownService,
        Self::UnknownVersion,
        Self::NotInUses,
        Self::CallerNotListed,
        Self::InputsDoNotFit,
        Self::Cycle,
        Self::Depth,
        Self::RateLimit,
        Self::QueueFull,
    ];

    /// The rule's name, as in records and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PlatformStartsAccepted => "platform_starts_accepted",
            Self::DomainUsesExport => "domain_uses_export",
            Self::InvalidTarget => "invalid_target",
            Self::DomainToDomain => "domain_to_domain",
            Self::FlowOfPlatform => "flow_of_platform",
            Self::PlatformToItself => "platform_to_itself",
            Self::UnknownWorkspace => "unknown_workspace",
            Self::UnknownFlow => "unknown_flow",
            Self::NotInMayStart => "not_in_may_start",
            Self::NotAccepted => "not_accepted",
            Self::UnknownService => "unknown_service",
            Self::UnknownVersion => "unknown_version",
            Self::NotInUses => "not_in_uses",
            Self::CallerNotListed => "caller_not_listed",
            Self::InputsDoNotFit => "inputs_do_not_fit",
            Self::Cycle => "cycle",
            Self::Depth => "depth",
            Self::RateLimit => "rate_limit",
            Self::QueueFull => "queue_full",
        }
    }

    /// The error code of a refusal by this rule; `None` for the two rules that allow.
    pub fn code(self) -> Option<Code> {
        Some(match self {
            Self::PlatformStartsAccepted | Self::DomainUsesExport => return None,
            Self::InvalidTarget => Code::InvalidName,
            Self::DomainToDomain | Self::FlowOfPlatform | Self::PlatformToItself => {
                Code::WrongDirection
            }
            Self::UnknownWorkspace => Code::UnknownWorkspace,
            Self::UnknownFlow => Code::UnknownFlow,
            Self::NotInMayStart | Self::NotInUses => Code::NotDeclared,
            Self::NotAccepted => Code::NotAccepted,
            Self::UnknownService => Code::UnknownService,
            Self::UnknownVersion => Code::UnknownVersion,
            Self::CallerNotListed => Code::CallerNotAllowed,
            Self::InputsDoNotFit => Code::InputsDoNotFit,
            Self::Cycle => Code::CallCycle,
            Self::Depth => Code::CallDepth,
            Self::RateLimit => Code::RateLimited,
            Self::QueueFull => Code::QueueFull,
        })
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|rule| rule.as_str() == text);
        known.ok_or_else(|| format!("`{text}` is not a rule of the broker"))
    }
}

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule that refused.
    pub rule: Rule,
    /// For people: what was asked and what would have to change.
    pub message: String,
}

/// A call that may be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Permit<'a> {
    /// The rule that allowed it.
    pub rule: Rule,
    /// The flow that will run.
    pub callee: FlowRef,
    /// The export behind the service; `None` when the platform starts a domain's flow.
    pub export: Option<(&'a ServiceName, &'a Export)>,
}

/// Decides whether `caller` may call `target`, by names and declarations alone.
///
/// # Errors
/// The first rule that refuses.
pub fn decide<'a>(
    catalog: &'a Catalog,
    caller: &WorkspaceName,
    target: &Target,
) -> Result<Permit<'a>, Refusal> {
    let Some(from) = catalog.workspaces.get(caller) else {
        return refuse(Rule::UnknownWorkspace, format!("workspace `{caller}` is not live"));
    };
    match (from.kind, target) {
        (Kind::Domain, Target::Service(service, version)) => {
            domain_uses(catalog, from, service, *version)
        }
        (Kind::Domain, Target::Flow(flow)) => refuse_flow_by_domain(catalog, from, flow),
        (Kind::Platform, Target::Flow(flow)) => platform_starts(catalog, from, flow),
        (Kind::Platform, Target::Service(service, _)) => refuse(
            Rule::PlatformToItself,
            format!("`{service}` is a service for domains; the platform cannot call it"),
        ),
    }
}

fn refuse<T>(rule: Rule, message: String) -> Result<T, Refusal> {
    Err(Refusal { rule, message })
}

fn refuse_flow_by_domain<'a>(
    catalog: &Catalog,
    from: &Workspace,
    flow: &FlowRef,
) -> Result<Permit<'a>, Refusal> {
    match catalog.workspaces.get(&flow.workspace).map(|to| to.kind) {
        Some(Kind::Platform) => refuse(
            Rule::FlowOfPlatform,
            format!("domain `{}` may call exported services, not `{flow}` by name", from.name),
        ),
        Some(Kind::Domain) => refuse(
            Rule::DomainToDomain,
            format!("domain `{}` may not call domain `{}`", from.name, flow.workspace),
        ),
        None => {
            refuse(Rule::UnknownWorkspace, format!("workspace `{}` is not live", flow.workspace))
        }
    }
}

fn platform_starts<'a>(
    catalog: &'a Catalog,
    from: &Workspace,
    flow: &FlowRef,
) -> Result<Permit<'a>, Refusal> {
    let Some(to) = catalog.workspaces.get(&flow.workspace) else {
        return refuse(
            Rule::UnknownWorkspace,
            format!("workspace `{}` is not live", flow.workspace),
        );
    };
    if to.kind == Kind::Platform {
        return refuse(
            Rule::PlatformToItself,
            format!("`{flow}` is the platform's own; the broker is for other workspaces"),
        );
    }
    if !to.flows.contains_key(&flow.flow) {
        return refuse(Rule::UnknownFlow, format!("`{}` has no flow `{}`", to.name, flow.flow));
    }
    if !from.may_start.get(&to.name).is_some_and(|flows| flows.contains(&flow.flow)) {
        return refuse(
            Rule::NotInMayStart,
            format!("`{}` does not list `{flow}` in its `may_start`", from.name),
        );
    }
    if !to.accepts.contains(&flow.flow) {
        return refuse(
            Rule::NotAccepted,
            format!("`{}` does not list `{}` in its `accepts`", to.name, flow.flow),
        );
    }
    Ok(Permit { rule: Rule::PlatformStartsAccepted, callee: flow.clone(), export: None })
}

fn domain_uses<'a>(
    catalog: &'a Catalog,
    from: &Workspace,
    service: &ServiceName,
    version: Option<u32>,
) -> Result<Permit<'a>, Refusal> {
    let found = catalog.platform().and_then(|platform| {
        let (name, export) = platform.exports.get_key_value(service)?;
        Some((platform, name, export))
    });
    let Some((platform, name, export)) = found else {
        return refuse(Rule::UnknownService, format!("the platform exports no `{service}`"));
    };
    if version.is_some_and(|version| version != export.version) {
        return refuse(
            Rule::UnknownVersion,
            format!("`{service}` is exported in version {}", export.version),
        );
    }
    let declared = from.uses.iter().any(|used| {
        used.service == *service && used.version.is_none_or(|wanted| wanted == export.version)
    });
    if !declared {
        return refuse(
            Rule::NotInUses,
            format!("`{}` does not list `{service}@{}` in its `uses`", from.name, export.version),
        );
    }
    if let Callers::Only(callers) = &export.callers
        && !callers.contains(&from.name)
    {
        return refuse(
            Rule::CallerNotListed,
            format!("`{service}` does not list `{}` in its `callers`", from.name),
        );
    }
    if !platform.flows.contains_key(&export.flow) {
        return refuse(
            Rule::UnknownFlow,
            format!("`{}` has no flow `{}`", platform.name, export.flow),
        );
    }
    Ok(Permit {
        rule: Rule::DomainUsesExport,
        callee: FlowRef { workspace: platform.name.clone(), flow: export.flow.clone() },
        export: Some((name, export)),
    })
}

/// Checks a call against the chain of flows that led to it, the caller last.
///
/// # Errors
/// [`Rule::Cycle`] when the callee is in the chain, [`Rule::Depth`] when the chain is too long.
pub fn check_chain(chain: &[FlowRef], callee: &FlowRef) -> Result<(), Refusal> {
    if chain.contains(callee) {
        let path: Vec<_> = chain.iter().map(ToString::to_string).collect();
        return refuse(Rule::Cycle, format!("{} → {callee} leads back", path.join(" → ")));
    }
    if chain.len() >= MAX_DEPTH {
        return refuse(Rule::Depth, format!("the chain has {} calls already", chain.len()));
    }
    Ok(())
}
