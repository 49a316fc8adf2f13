//! `base64::*`: RFC 4648, with both alphabets. Reading takes padding or leaves it.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rhai::{Blob, Engine, Module, NativeCallContext};
use signalbox_core::codes::Code;

use super::{bounds, fail, open_text, placed};
use crate::context::work;
use crate::fault::HostResult;

const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
/// Without padding, as it stands in URLs and tokens.
const URL: GeneralPurpose =
    GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG.with_encode_padding(false));

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    for (name, form) in [("encode", &PLAIN), ("encode_url", &URL)] {
        module.set_native_fn(name, move |ctx: NativeCallContext, text: &str| {
            placed(&ctx, || {
                open_text(text, "base64")?;
                encode(form, text.as_bytes())
            })
        });
        module.set_native_fn(name, move |ctx: NativeCallContext, bytes: Blob| {
            placed(&ctx, || encode(form, &bytes))
        });
    }
    for (name, form) in [("decode", &PLAIN), ("decode_url", &URL)] {
        module.set_native_fn(name, move |ctx: NativeCallContext, text: &str| {
            placed(&ctx, || decode(form, text))
        });
    }
    module.set_native_fn("decode_text", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || match String::from_utf8(decode(&PLAIN, text)?) {
            Ok(text) => Ok(text),
            Err(_) => fail(Code::BadValue, "what the base64 says is not text"),
        })
    });
    engine.register_static_module("base64", module.into());
}

fn encode(form: &GeneralPurpose, bytes: &[u8]) -> HostResult<String> {
    work(bytes.len())?;
    bounds::length(bytes.len() / 3 * 4)?;
    bounds::text(form.encode(bytes))
}

fn decode(form: &GeneralPurpose, text: &str) -> HostResult<Blob> {
    work(text.len())?;
    form.decode(text).or_else(|error| fail(Code::BadValue, format!("not base64: {error}")))
}

/// Bytes in the standard alphabet, with padding.
pub(super) fn encoded(bytes: &[u8]) -> String {
    PLAIN.encode(bytes)
}
