//! `regex::*`: patterns that cannot backtrack: a search takes time in proportion to the text and
//! the pattern, whatever they are.

use std::cell::RefCell;
use std::collections::VecDeque;

use regex::{Captures, Regex, RegexBuilder};
use rhai::{Array, Dynamic, Engine, Map, Module, NativeCallContext};
use signalbox_core::codes::Code;

use super::bounds;
use super::{fail, placed};
use crate::context::work;
use crate::fault::HostResult;

/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 4 << 10;
/// Largest compiled pattern, and cache of a search, in bytes.
const MAX_COMPILED: usize = 1 << 20;
/// Deepest nesting of a pattern.
const MAX_NESTING: u32 = 64;
/// Most matches that one call gives or replaces.
const MAX_MATCHES: usize = 100_000;
/// Patterns that stay compiled: loops use the same few again and again.
const KEPT: usize = 8;
/// What a search for the next match costs besides its text, in bytes.
const SEARCH: usize = 8 << 10;

thread_local! {
    /// The last used first.
    static COMPILED: RefCell<VecDeque<Regex>> = const { RefCell::new(VecDeque::new()) };
}

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("is_match", |ctx: NativeCallContext, text: &str, pattern: &str| {
        placed(&ctx, || Ok(Search::new(text, pattern)?.regex.is_match(text)))
    });
    module.set_native_fn("find", |ctx: NativeCallContext, text: &str, pattern: &str| {
        placed(&ctx, || {
            let found = Search::new(text, pattern)?.regex.find(text);
            Ok(found.map_or(Dynamic::UNIT, |found| found.as_str().into()))
        })
    });
    module.set_native_fn("find_all", |ctx: NativeCallContext, text: &str, pattern: &str| {
        placed(&ctx, || find_all(text, pattern))
    });
    module.set_native_fn("captures", |ctx: NativeCallContext, text: &str, pattern: &str| {
        placed(&ctx, || {
            let Search { regex, .. } = Search::new(text, pattern)?;
            let found = regex.captures(text);
            Ok(found.map_or(Dynamic::UNIT, |found| groups(&regex, &found).into()))
        })
    });
    module.set_native_fn("captures_all", |ctx: NativeCallContext, text: &str, pattern: &str| {
        placed(&ctx, || captures_all(text, pattern))
    });
    module.set_native_fn(
        "replace",
        |ctx: NativeCallContext, text: &str, pattern: &str, with: &str| {
            placed(&ctx, || replace(text, pattern, with))
        },
    );
    module.set_native_fn("split", |ctx: NativeCallContext, text: &str, pattern: &str| {
        placed(&ctx, || split(text, pattern))
    });
    module.set_native_fn("escape", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || bounds::text(regex::escape(text)))
    });
    engine.register_static_module("regex", module.into());
}

/// A pattern on its way through a text.
struct Search {
    regex: Regex,
    matches: usize,
}

impl Search {
    /// Compiles the pattern and accounts for one way through the text.
    fn new(text: &str, pattern: &str) -> HostResult<Self> {
        let regex = compiled(pattern)?;
        // A pattern of some length keeps a search busy with some of it at every character.
        work(text.len().saturating_mul(1 + pattern.len() / 32))?;
        Ok(Self { regex, matches: 0 })
    }

    /// Accounts for one more match. This is also where a run that must stop does so: matches that
    /// each need a look at all of the text are slow together.
    fn count(&mut self) -> HostResult<()> {
        self.matches += 1;
        if self.matches > MAX_MATCHES {
            return fail(Code::LimitExceeded, format!("more than {MAX_MATCHES} matches"));
        }
        work(SEARCH)
    }
}

/// The compiled pattern, from the last few or anew.
fn compiled(pattern: &str) -> HostResult<Regex> {
    let known = COMPILED.with_borrow_mut(|kept| {
        let at = kept.iter().position(|regex| regex.as_str() == pattern)?;
        let regex = kept.remove(at)?;
        kept.push_front(regex.clone());
        Some(regex)
    });
    if let Some(regex) = known {
        return Ok(regex);
    }
    if pattern.len() > MAX_PATTERN {
        let message = format!("a pattern of more than {MAX_PATTERN} bytes");
        return fail(Code::LimitExceeded, message);
    }
    work(MAX_PATTERN)?;
    let built = RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .nest_limit(MAX_NESTING)
        .build();
    match built {
        Ok(regex) => {
            COMPILED.with_borrow_mut(|kept| {
                kept.push_front(regex.clone());
                kept.truncate(KEPT);
            });
            Ok(regex)
        }
        Err(regex::Error::CompiledTooBig(_)) => {
            let message = format!("a pattern that compiles to more than {MAX_COMPILED} bytes");
            fail(Code::LimitExceeded, message)
        }
        Err(error) => fail(Code::BadValue, error.to_string()),
    }
}

fn find_all(text: &str, pattern: &str) -> HostResult<Array> {
    let mut search = Search::new(text, pattern)?;
    let mut found = Array::new();
    for part in search.regex.clone().find_iter(text) {
        search.count()?;
        found.push(part.as_str().into());
    }
    Ok(found)
}

fn captures_all(text: &str, pattern: &str) -> HostResult<Array> {
    let mut search = Search::new(text, pattern)?;
    let regex = search.regex.clone();
    let mut found = Array::new();
    for captures in regex.captures_iter(text) {
        search.count()?;
        for _ in 0..captures.len() {
            search.count()?;
        }
        found.push(groups(&regex, &captures).into());
    }
    Ok(found)
}

/// Groups by number, the whole match being `0`, and by name; `()` for those that took no part.
fn groups(regex: &Regex, captures: &Captures<'_>) -> Map {
    let mut map = Map::new();
    for (number, name) in regex.capture_names().enumerate() {
        let part = captures.get(number).map_or(Dynamic::UNIT, |part| part.as_str().into());
        if let Some(name) = name {
            map.insert(name.into(), part.clone());
        }
        map.insert(number.to_string().into(), part);
    }
    map
}

fn replace(text: &str, pattern: &str, with: &str) -> HostResult<String> {
    let mut search = Search::new(text, pattern)?;
    let regex = search.regex.clone();
    let groups_in_use = with.matches('$').count();
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for captures in regex.captures_iter(text) {
        search.count()?;
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&text[from..whole.start()]);
        // Before it is written: a replacement can name a long match many times.
        let most = groups_in_use.saturating_mul(whole.len()).saturating_add(with.len());
        bounds::length(out.len().saturating_add(most))?;
        captures.expand(with, &mut out);
        from = whole.end();
    }
    out.push_str(&text[from..]);
    bounds::text(out)
}

fn split(text: &str, pattern: &str) -> HostResult<Array> {
    let mut search = Search::new(text, pattern)?;
    let mut parts = Array::new();
    for part in search.regex.clone().split(text) {
        search.count()?;
        parts.push(part.into());
    }
    Ok(parts)
}
