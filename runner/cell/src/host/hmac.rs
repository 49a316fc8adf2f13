//! `hmac`: a keyed digest (RFC 2104). With a secret's handle as its key, or as a part of it, the
//! runner makes the digest: the key never comes here.

use rhai::{Dynamic, Engine, Map};
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::secret::has_marker;

use super::options::Options;
use super::{argument, base64, fail, open_argument};
use crate::context::work;
use crate::effect::ask;
use crate::fault::HostResult;
use crate::keyed::Algorithm;
use crate::protocol::{Request, malformed_value};
use crate::value::to_dynamic;

const OPTIONS: [&str; 2] = ["algorithm", "encoding"];

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("hmac", |key: Dynamic, message: Dynamic| {
        hmac(&key, &message, &Options::none())
    });
    engine.register_fn("hmac", |key: Dynamic, message: Dynamic, options: Map| {
        hmac(&key, &message, &Options::of(options, "hmac", &OPTIONS)?)
    });
}

fn hmac(key: &Dynamic, message: &Dynamic, options: &Options) -> HostResult<Dynamic> {
    let algorithm = match options.word("algorithm", &["sha256", "sha512"])? {
        "sha512" => Algorithm::Sha512,
        _ => Algorithm::Sha256,
    };
    let encoding = options.word("encoding", &["hex", "base64", "bytes"])?;
    let message = bytes(open_argument(message, "the message of an hmac")?, "message")?;
    work(message.len())?;
    let digest = match argument(key)? {
        Value::String(key) if has_marker(&key) => by_runner(key, message, algorithm)?,
        key => algorithm.digest(&bytes(key, "key")?, &message),
    };
    Ok(match encoding {
        "bytes" => to_dynamic(Value::Bytes(digest)),
        "base64" => base64::encoded(&digest).into(),
        _ => signalbox_core::text::hex(&digest).into(),
    })
}

fn bytes(value: Value, what: &str) -> HostResult<Vec<u8>> {
    match value {
        Value::String(text) => Ok(text.into_bytes()),
        Value::Bytes(bytes) => Ok(bytes),
        other => {
            let kind = other.kind();
            fail(Code::BadValue, format!("the {what} of an hmac is text or bytes, not {kind}"))
        }
    }
}

fn by_runner(key: String, message: Vec<u8>, algorithm: Algorithm) -> HostResult<Vec<u8>> {
    match ask(Request::Hmac { key, message, algorithm })? {
        Value::Bytes(digest) => Ok(digest),
        _ => Err(crate::context::throw(malformed_value())),
    }
}
