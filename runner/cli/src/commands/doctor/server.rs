//! The runner, when one answers: whether it is well, and which secrets it misses.

use serde_json::Value;

use super::check::Check;
use crate::client::{Client, Connect};
use crate::exit::Failure;
use crate::fields::{flag, text};

/// Looks at the runner. That there is none is no fault.
pub(super) async fn checks(connect: &Connect) -> Vec<Check> {
    let client = match Client::open(connect) {
        Ok(client) => client,
        Err(failure) => return vec![Check::fail("runner", failure.message)],
    };
    match client.list("/workspaces", &[], usize::MAX).await {
        Ok(workspaces) => {
            vec![runner(&workspaces), secrets(&client, &workspaces).await, webhooks(&client).await]
        }
        Err(failure) if failure.code.is_some() => vec![refused(failure)],
        Err(failure) => vec![Check::skip("runner", failure.message)],
    }
}

fn refused(failure: Failure) -> Check {
    let check = Check::fail("runner", failure.message);
    match failure.help {
        Some(help) => check.help(help),
        None => check,
    }
}

fn runner(workspaces: &[Value]) -> Check {
    let well = |workspace: &&Value| matches!(text(workspace, "/state"), "live" | "pinned");
    let good = workspaces.iter().filter(well).count();
    let found = format!("answers; {good} of {} workspaces are at what is wanted", workspaces.len());
    if good == workspaces.len() {
        Check::ok("runner", found)
    } else {
        Check::warn("runner", found).help("`signalbox status` lists every fault")
    }
}

async fn secrets(client: &Client, workspaces: &[Value]) -> Check {
    const NAME: &str = "secrets";
    let mut missing = Vec::new();
    for workspace in workspaces {
        let workspace = text(workspace, "/name");
        let path = format!("/workspaces/{workspace}/secrets");
        let declared = match client.list(&path, &[], usize::MAX).await {
            Ok(declared) => declared,
            Err(failure) => return Check::warn(NAME, failure.message),
        };
        let unset = declared.iter().filter(|secret| !flag(secret, "/set"));
        missing.extend(unset.map(|secret| (text(secret, "/name").to_owned(), workspace)));
    }
    let Some((name, workspace)) = missing.first() else {
        return Check::ok(NAME, "every declared secret is set");
    };
    let names: Vec<_> = missing.iter().map(|(name, of)| format!("{name} of {of}")).collect();
    Check::warn(NAME, format!("declared but not set: {}", names.join(", ")))
        .help(format!("`signalbox secret set {name} -w {workspace}`"))
}

/// Webhooks that anybody may send to, and those that answer nobody.
async fn webhooks(client: &Client) -> Check {
    const NAME: &str = "webhooks";
    let all = match client.list("/webhooks", &[], usize::MAX).await {
        Ok(all) => all,
        Err(failure) => return Check::warn(NAME, failure.message),
    };
    let named = |pick: fn(&Value) -> bool| {
        let path = |webhook: &Value| text(webhook, "/path").to_owned();
        all.iter().filter(|webhook| pick(webhook)).map(path).collect::<Vec<_>>()
    };
    let deaf = named(|webhook| !flag(webhook, "/ready"));
    let open = named(|webhook| text(webhook, "/auth") == "none");
    if !deaf.is_empty() {
        let found = format!("answer 503, for want of a secret: {}", deaf.join(", "));
        return Check::warn(NAME, found).help("`signalbox webhook list` says which secret");
    }
    if !open.is_empty() {
        return Check::warn(NAME, format!("anybody may send to {}", open.join(", ")))
            .help("give them an `auth` in their workspace.yaml");
    }
    Check::ok(NAME, format!("{} ask their senders for proof", all.len()))
}
