//! Secrets: sealed in the store, opened at the last moment, never shown.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use signalbox_core::clock::Clock;
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;
use signalbox_core::{RunId, WorkspaceName};
use signalbox_store::Store;
use zeroize::Zeroizing;

use crate::options::Error;
use crate::random::{self, KernelRandom};

/// Length of an `XChaCha20` nonce.
const NONCE: usize = 24;
/// Largest value of a secret.
const MAX_VALUE: usize = 64 << 10;

/// The secrets of every workspace.
#[derive(Debug)]
pub(crate) struct Secrets {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    key: Key,
}

struct Key(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Secrets {
    /// Reads the key of a data directory, or makes it at the first start.
    pub(crate) fn open(
        data: &Path,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let path = data.join("key");
        let key = read_or_make_key(&path).map_err(|source| Error::Host {
            what: format!("read the key {}", path.display()),
            source,
        })?;
        Ok(Self { store, clock, key: Key(key) })
    }

    /// Seals and stores a value. The seal holds for this workspace and name only.
    pub(crate) async fn set(
        &self,
        workspace: &WorkspaceName,
        name: &str,
        value: &[u8],
    ) -> Result<(), Error> {
        if value.is_empty() || value.len() > MAX_VALUE {
            let message = "the value of a secret has 1 byte to 64 KiB";
            return Err(Error::refused(Code::BadRequest, message));
        }
        let nonce = random::bytes::<NONCE>(&KernelRandom).map_err(no_random)?;
        let place = place(workspace, name);
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: value, aad: &place })
            .map_err(|error| Error::Host {
                what: "seal a secret".to_owned(),
                source: std::io::Error::other(error.to_string()),
            })?;
        let mut stored = nonce.to_vec();
        stored.extend_from_slice(&sealed);
        Ok(self.store.set_secret(workspace, name, stored, self.clock.now()).await?)
    }

    /// The value of a secret.
    pub(crate) async fn get(
        &self,
        workspace: &WorkspaceName,
        name: &str,
    ) -> Result<Zeroizing<String>, Failure> {
        let sealed = self.sealed(workspace, &BTreeSet::from([name.to_owned()])).await?;
        self.open_sealed(workspace, name, sealed.get(name).map(Vec::as_slice))
    }

    /// Those of some secrets that are set, as they are stored: one look at the store.
    pub(crate) async fn sealed(
        &self,
        workspace: &WorkspaceName,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        let sealed = self.store.sealed(workspace, names).await;
        sealed.map_err(|error| Failure::transient(Code::StoreFailed, error.to_string()))
    }

    /// The value of a secret, from how it is stored; `None`: it is not set.
    pub(crate) fn open_sealed(
        &self,
        workspace: &WorkspaceName,
        name: &str,
        sealed: Option<&[u8]>,
    ) -> Result<Zeroizing<String>, Failure> {
        let lost = |reason: &str| Failure::permanent(Code::SecretMissing, reason);
        let stored = sealed.ok_or_else(|| {
            lost(&format!(
                "secret `{name}` is not set; `signalbox secret set {name} -w {workspace}`"
            ))
        })?;
        let unreadable = || lost(&format!("secret `{name}` cannot be opened; set it again"));
        let (nonce, sealed) = stored.split_first_chunk::<NONCE>().ok_or_else(unreadable)?;
        let place = place(workspace, name);
        let value = self
            .cipher()
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &place })
            .map_err(|_| unreadable())?;
        let text = String::from_utf8(value).map_err(|_| {
            lost(&format!("secret `{name}` is not text and cannot be sent as text"))
        })?;
        Ok(Zeroizing::new(text))
    }

    /// The key of a run's markers: the same on every replay, unguessable for any other run.
    pub(crate) fn marker_key(&self, run: &RunId) -> [u8; 32] {
        mac(self.key.0.as_slice(), run.as_str().as_bytes())
    }

    /// The proof that a marker of a run carries for a name.
    pub(crate) fn proof(marker_key: &[u8; 32], name: &str) -> [u8; 16] {
        let whole = mac(marker_key, name.as_bytes());
        let mut proof = [0; 16];
        proof.copy_from_slice(&whole[..16]);
        proof
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.key.0).into())
    }
}

fn no_random(source: std::io::Error) -> Error {
    Error::Host { what: "draw random bytes".to_owned(), source }
}

/// What a seal is bound to.
fn place(workspace: &WorkspaceName, name: &str) -> Vec<u8> {
    format!("signalbox secret\0{workspace}\0{name}").into_bytes()
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key)
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn read_or_make_key(path: &Path) -> std::io::Result<Zeroizing<[u8; 32]>> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let bytes = Zeroizing::new(bytes);
            let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| {
                std::io::Error::other("it has not 32 bytes: restore it, or every secret is lost")
            })?;
            Ok(Zeroizing::new(key))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = Zeroizing::new(random::bytes::<32>(&KernelRandom)?);
            // Renamed into place whole: a key that was half written would lock every secret out.
            let fresh = path.with_extension("new");
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&fresh)?;
            file.write_all(key.as_slice())?;
            file.sync_all()?;
            std::fs::rename(&fresh, path)?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}
