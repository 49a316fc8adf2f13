//! `hash::*`: digests, as lower-case hexadecimal text.

use std::fmt::Write as _;

use rhai::{Blob, Engine, Module, NativeCallContext};
use sha2::{Digest, Sha256, Sha512};

use super::{open_text, placed};
use crate::context::work;
use crate::fault::HostResult;

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("sha256", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || of_text::<Sha256>(text))
    });
    module.set_native_fn("sha256", |ctx: NativeCallContext, bytes: Blob| {
        placed(&ctx, || of_bytes::<Sha256>(&bytes))
    });
    module.set_native_fn("sha512", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || of_text::<Sha512>(text))
    });
    module.set_native_fn("sha512", |ctx: NativeCallContext, bytes: Blob| {
        placed(&ctx, || of_bytes::<Sha512>(&bytes))
    });
    engine.register_static_module("hash", module.into());
}

fn of_text<D: Digest>(text: &str) -> HostResult<String> {
    open_text(text, "a digest")?;
    of_bytes::<D>(text.as_bytes())
}

fn of_bytes<D: Digest>(bytes: &[u8]) -> HostResult<String> {
    work(bytes.len())?;
    Ok(hex(&D::digest(bytes)))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}
