//! Secrets in the fields of an effect.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;
use signalbox_core::secret::{basic_credentials, replace_markers};
use signalbox_core::{Value, template};
use zeroize::Zeroizing;

use super::perform::Context;
use crate::secrets::Secrets;

/// `secret(name)`: fails unless the workspace declares it and it is set.
pub(super) async fn check(context: &Context, name: &str) -> Result<Value, Failure> {
    read(context, name).await.map(|_| Value::Null)
}

async fn read(context: &Context, name: &str) -> Result<Zeroizing<String>, Failure> {
    if !context.pinned.spec.secrets.contains(name) {
        let message = format!("`{name}` is not among the `secrets` of `{}`", context.workspace());
        return Err(Failure::permanent(Code::Denied, message));
    }
    context.shared.secrets.get(context.workspace(), name).await
}

/// The values that an effect put in, to be masked in what comes back.
pub(super) type Used = Vec<Zeroizing<String>>;

/// Shorter values are masked in the answer to the effect that put them in only: as a part of
/// something else they are too likely.
pub(super) const TELLING: usize = 8;

/// The values that an effect put in, and all others of its workspace that can be told apart.
pub(super) async fn with_declared(context: &Context, mut used: Used) -> Result<Used, Failure> {
    for name in &context.pinned.spec.secrets {
        match context.shared.secrets.get(context.workspace(), name).await {
            Ok(value) if value.len() >= TELLING => remember(value, &mut used),
            Err(failure) if failure.code != Code::SecretMissing => return Err(failure),
            // It is short, or not set.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(used)
}

/// Puts the values of a script's handles in: every marker must be of this very run.
pub(super) async fn fill_markers(
    context: &Context,
    text: &str,
    used: &mut Used,
) -> Result<String, Failure> {
    let key = context.shared.secrets.marker_key(&context.run);
    let mut names = BTreeSet::new();
    replace_markers(text, |name, proof| match basic_credentials(name, proof) {
        Some(credentials) => collect(&credentials, &key, &mut names),
        None => check_proof(name, proof, &key, &mut names),
    })?;
    let mut values: Values = BTreeMap::new();
    for name in names {
        let value = read(context, &name).await?;
        values.insert(name, value);
    }
    let filled = replace_markers(text, |name, proof| match basic_credentials(name, proof) {
        Some(credentials) => put_in(&credentials, &values).map(|text| STANDARD.encode(text)),
        None => Ok(value_of(name, &values)),
    })?;
    for value in values.into_values() {
        remember(value, used);
    }
    Ok(filled)
}

/// Values by the names of their secrets.
type Values = BTreeMap<String, Zeroizing<String>>;

/// The names in credentials, which hold no other credentials.
fn collect(text: &str, key: &[u8; 32], names: &mut BTreeSet<String>) -> Result<String, Failure> {
    replace_markers(text, |name, proof| check_proof(name, proof, key, names))
}

fn check_proof(
    name: &str,
    proof: &str,
    key: &[u8; 32],
    names: &mut BTreeSet<String>,
) -> Result<String, Failure> {
    if proof != signalbox_core::text::hex(&Secrets::proof(key, name)) {
        let message = "text that looks like a secret but is none of this run";
        return Err(Failure::permanent(Code::SecretMisused, message));
    }
    names.insert(name.to_owned());
    Ok(String::new())
}

fn put_in(text: &str, values: &Values) -> Result<String, Failure> {
    replace_markers(text, |name, _| Ok(value_of(name, values)))
}

fn value_of(name: &str, values: &Values) -> String {
    values.get(name).map(|value| value.to_string()).unwrap_or_default()
}

/// Keeps a value for masking, once.
fn remember(value: Zeroizing<String>, used: &mut Used) {
    if !used.contains(&value) {
        used.push(value);
    }
}

/// Fills in a connector's setting: `${secrets.NAME}` and `${env.NAME}`.
pub(super) async fn fill_setting(
    context: &Context,
    text: &str,
    used: &mut Used,
) -> Result<String, Failure> {
    let parts = template::parse(text)
        .map_err(|error| Failure::permanent(Code::Template, error.to_string()))?;
    let mut filled = String::new();
    for part in parts {
        match part {
            template::Part::Text(text) => filled.push_str(&text),
            template::Part::Expression(name, _) => {
                if let Some(name) = name.strip_prefix("secrets.") {
                    let value = read(context, name).await?;
                    filled.push_str(&value);
                    remember(value, used);
                } else if let Some(value) =
                    name.strip_prefix("env.").and_then(|name| context.pinned.spec.env.get(name))
                {
                    filled.push_str(value);
                } else {
                    let message = format!("`${{{name}}}` is neither a secret nor of `env`");
                    return Err(Failure::permanent(Code::Template, message));
                }
            }
        }
    }
    Ok(filled)
}
