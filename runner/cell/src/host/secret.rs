//! `secret`: a handle that stands for a value no script ever sees.

use hmac::{Hmac, KeyInit, Mac};
use rhai::{Dynamic, Engine};
use sha2::Sha256;
use signalbox_core::codes::Code;

use crate::context;
use crate::effect::ask;
use crate::fault::HostResult;
use crate::protocol::Request;
use crate::value::Secret;

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Secret>("secret");
    engine.register_fn("secret", secret);
    engine.register_fn("to_string", |secret: &mut Secret| secret.marker().clone());
    engine.register_fn("to_debug", |secret: &mut Secret| secret.marker().clone());
}

fn secret(name: &str) -> HostResult<Dynamic> {
    let (declared, key) = context::with_run(|run| {
        (run.setting.secrets.iter().any(|known| known == name), run.start.marker_key)
    })?;
    if !declared {
        return super::fail(
            Code::UndeclaredName,
            format!("the workspace does not declare the secret `{name}`"),
        );
    }
    ask(Request::Secret { name: name.to_owned() })?;
    let marker = signalbox_core::secret::marker(name, &proof(&key, name));
    Ok(Dynamic::from(Secret::new(marker)))
}

/// The first half of HMAC-SHA256 over the name: what no other run can guess.
pub(crate) fn proof(key: &[u8; 32], name: &str) -> [u8; 16] {
    let mut proof = [0; 16];
    // HMAC takes keys of any length, so there is always a digest.
    if let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) {
        mac.update(name.as_bytes());
        proof.copy_from_slice(&mac.finalize().into_bytes()[..16]);
    }
    proof
}
