//! `hash::*`: digests, as lower-case hexadecimal text.

use std::fmt::Write as _;

use rhai::{Blob, Engine, Module};
use sha2::{Digest, Sha256, Sha512};

use super::open_text;
use crate::script::error::HostResult;

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("sha256", |text: &str| of_text::<Sha256>(text));
    module.set_native_fn("sha256", |bytes: Blob| Ok(hex(&Sha256::digest(bytes))));
    module.set_native_fn("sha512", |text: &str| of_text::<Sha512>(text));
    module.set_native_fn("sha512", |bytes: Blob| Ok(hex(&Sha512::digest(bytes))));
    engine.register_static_module("hash", module.into());
}

fn of_text<D: Digest>(text: &str) -> HostResult<String> {
    open_text(text, "a digest")?;
    Ok(hex(&D::digest(text)))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}
