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
    Held::of(context).value(name).await.map(|_| Value::Null)
}

/// The values that must be masked in what comes back.
pub(super) type Used = Vec<Zeroizing<String>>;

/// Shorter values are masked in the answer to the effect that put them in only: as a part of
/// something else they are too likely.
pub(super) const TELLING: usize = 8;

/// The secrets of a workspace, for one effect: read at once, each opened once, when it is needed.
pub(super) struct Held<'c> {
    context: &'c Context,
    /// All that it declares, as they are stored; `None` as long as none was needed.
    sealed: Option<BTreeMap<String, Vec<u8>>>,
    /// Those that were put in.
    values: Values,
}

/// Values by the names of their secrets.
type Values = BTreeMap<String, Zeroizing<String>>;

impl<'c> Held<'c> {
    pub(super) fn of(context: &'c Context) -> Self {
        Self { context, sealed: None, values: Values::new() }
    }

    /// The value of a secret that the workspace declares, to be put in.
    async fn value(&mut self, name: &str) -> Result<&str, Failure> {
        if !self.values.contains_key(name) {
            let value = self.open(name).await?;
            self.values.insert(name.to_owned(), value);
        }
        Ok(self.values.get(name).map_or("", |value| value.as_str()))
    }

    async fn open(&mut self, name: &str) -> Result<Zeroizing<String>, Failure> {
        let workspace = self.context.workspace();
        if !self.context.pinned.spec.secrets.contains(name) {
            let message = format!("`{name}` is not among the `secrets` of `{workspace}`");
            return Err(Failure::permanent(Code::Denied, message));
        }
        self.read().await?;
        let sealed = self.sealed.as_ref().and_then(|all| all.get(name));
        self.context.shared.secrets.open_sealed(workspace, name, sealed.map(Vec::as_slice))
    }

    async fn read(&mut self) -> Result<(), Failure> {
        if self.sealed.is_none() {
            let names = &self.context.pinned.spec.secrets;
            let secrets = &self.context.shared.secrets;
            self.sealed = Some(secrets.sealed(self.context.workspace(), names).await?);
        }
        Ok(())
    }

    /// The values that were put in, and all others of the workspace that can be told apart.
    pub(super) async fn into_used(mut self) -> Result<Used, Failure> {
        let context = self.context;
        if !context.pinned.spec.secrets.is_empty() {
            self.read().await?;
        }
        let mut used = Used::new();
        for (name, sealed) in self.sealed.unwrap_or_default() {
            if self.values.contains_key(&name) {
                continue;
            }
            match context.shared.secrets.open_sealed(context.workspace(), &name, Some(&sealed)) {
                Ok(value) if value.len() >= TELLING => remember(value, &mut used),
                // It is short, or the key is another now.
                Ok(_) | Err(_) => {}
            }
        }
        for value in self.values.into_values() {
            remember(value, &mut used);
        }
        Ok(used)
    }

    /// Puts the values of a script's handles in: every marker must be of this very run.
    pub(super) async fn fill_markers(&mut self, text: &str) -> Result<String, Failure> {
        let key = self.context.shared.secrets.marker_key(&self.context.run);
        let mut names = BTreeSet::new();
        replace_markers(text, |name, proof| match basic_credentials(name, proof) {
            Some(credentials) => collect(&credentials, &key, &mut names),
            None => check_proof(name, proof, &key, &mut names),
        })?;
        for name in &names {
            self.value(name).await?;
        }
        let values = &self.values;
        replace_markers(text, |name, proof| match basic_credentials(name, proof) {
            Some(credentials) => put_in(&credentials, values).map(|text| STANDARD.encode(text)),
            None => Ok(value_of(name, values)),
        })
    }

    /// Fills in a connector's setting: `${secrets.NAME}` and `${env.NAME}`.
    pub(super) async fn fill_setting(&mut self, text: &str) -> Result<String, Failure> {
        let parts = template::parse(text)
            .map_err(|error| Failure::permanent(Code::Template, error.to_string()))?;
        let mut filled = String::new();
        for part in parts {
            match part {
                template::Part::Text(text) => filled.push_str(&text),
                template::Part::Expression(name, _) => {
                    let env = &self.context.pinned.spec.env;
                    if let Some(name) = name.strip_prefix("secrets.") {
                        filled.push_str(self.value(name).await?);
                    } else if let Some(value) =
                        name.strip_prefix("env.").and_then(|name| env.get(name))
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
}

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
