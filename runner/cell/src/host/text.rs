//! `text::*`: what Rhai's own strings lack.

use std::fmt::Write as _;

use rhai::{Array, Dynamic, Engine, ImmutableString, Module, NativeCallContext};
use signalbox_core::codes::Code;

use super::placed;
use crate::context::work;
use crate::fault::HostResult;

/// As long as any string may be.
const MAX_WIDTH: i64 = 4 << 20;

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("trim", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || ok(text.trim()))
    });
    module.set_native_fn("lines", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || list(text.lines()))
    });
    module.set_native_fn("words", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || list(text.split_whitespace()))
    });
    module.set_native_fn("join", |ctx: NativeCallContext, parts: Array, separator: &str| {
        placed(&ctx, || join(&parts, separator))
    });
    module.set_native_fn("slug", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || ok(slug(text)))
    });
    module.set_native_fn("truncate", |ctx: NativeCallContext, text: &str, most: i64| {
        placed(&ctx, || {
            work(text.len())?;
            ok(truncate(text, most))
        })
    });
    module.set_native_fn("pad_left", |ctx: NativeCallContext, text: &str, width: i64| {
        placed(&ctx, || pad(text, width, true))
    });
    module.set_native_fn("pad_right", |ctx: NativeCallContext, text: &str, width: i64| {
        placed(&ctx, || pad(text, width, false))
    });
    module.set_native_fn("repeat", |ctx: NativeCallContext, text: &str, times: i64| {
        placed(&ctx, || repeat(text, times))
    });
    module.set_native_fn("percent_encode", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || ok(percent_encode(text)))
    });
    engine.register_static_module("text", module.into());
}

/// The result of a function, which costs as many operations as it is long.
fn ok(text: impl Into<ImmutableString>) -> HostResult<ImmutableString> {
    let text = text.into();
    work(text.len())?;
    Ok(text)
}

fn list<'a>(parts: impl Iterator<Item = &'a str>) -> HostResult<Array> {
    let part = |part: &str| {
        work(part.len())?;
        Ok(part.to_owned().into())
    };
    parts.map(part).collect()
}

fn join(parts: &[Dynamic], separator: &str) -> HostResult<ImmutableString> {
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            out.push_str(separator);
        }
        match super::argument(part)? {
            signalbox_core::Value::String(text) => out.push_str(&text),
            other => out.push_str(&other.to_string()),
        }
        bounded(out.len())?;
    }
    ok(out)
}

/// Lower-case letters and digits, with `-` for whatever is between.
fn slug(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(out.trim_end_matches('-').len());
    out
}

/// At most so many characters, the last of them `…` when there were more.
fn truncate(text: &str, most: i64) -> String {
    let most = usize::try_from(most).unwrap_or(0);
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(most.saturating_sub(1)).collect();
    if most > 0 {
        out.push('…');
    }
    out
}

fn pad(text: &str, width: i64, left: bool) -> HostResult<ImmutableString> {
    let width = usize::try_from(width.clamp(0, MAX_WIDTH)).unwrap_or(0);
    let missing = " ".repeat(width.saturating_sub(text.chars().count()));
    ok(if left { format!("{missing}{text}") } else { format!("{text}{missing}") })
}

fn repeat(text: &str, times: i64) -> HostResult<ImmutableString> {
    let times = usize::try_from(times).unwrap_or(0);
    bounded(text.len().saturating_mul(times))?;
    ok(text.repeat(times))
}

fn bounded(length: usize) -> HostResult<()> {
    if i64::try_from(length).is_ok_and(|length| length <= MAX_WIDTH) {
        return Ok(());
    }
    super::fail(Code::LimitExceeded, format!("text of more than {MAX_WIDTH} bytes"))
}

/// The text with every byte but the unreserved ones of RFC 3986 as `%XX`.
pub(super) fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(out, "%{byte:02X}").unwrap_or_default();
        }
    }
    out
}
