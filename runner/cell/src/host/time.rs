//! `time::*`: arithmetic with moments. A moment is what `now` gives: RFC 3339 text in UTC with
//! microseconds, so that moments of the same form sort as text.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp, Zoned};
use rhai::{Engine, Map, Module, NativeCallContext};
use signalbox_core::codes::Code;

use super::placed;
use crate::fault::HostResult;

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    module.set_native_fn("parse", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || Ok(shown(moment(text)?)))
    });
    module.set_native_fn("format", |ctx: NativeCallContext, text: &str, format: &str| {
        placed(&ctx, || format_in(text, format, "UTC"))
    });
    module.set_native_fn(
        "format",
        |ctx: NativeCallContext, text: &str, format: &str, zone: &str| {
            placed(&ctx, || format_in(text, format, zone))
        },
    );
    module.set_native_fn("add", |ctx: NativeCallContext, text: &str, seconds: i64| {
        placed(&ctx, || add(text, SignedDuration::from_secs(seconds)))
    });
    module.set_native_fn("add", |ctx: NativeCallContext, text: &str, duration: &str| {
        placed(&ctx, || add(text, parse_duration(duration)?))
    });
    module.set_native_fn("diff", |ctx: NativeCallContext, later: &str, earlier: &str| {
        placed(&ctx, || Ok(moment(later)?.duration_since(moment(earlier)?).as_secs_f64()))
    });
    module.set_native_fn("unix", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || Ok(moment(text)?.as_second()))
    });
    module.set_native_fn("from_unix", |ctx: NativeCallContext, seconds: i64| {
        placed(&ctx, || Timestamp::from_second(seconds).map(shown).or_else(|error| refuse(&error)))
    });
    module.set_native_fn("weekday", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || weekday(text, "UTC"))
    });
    module.set_native_fn("weekday", |ctx: NativeCallContext, text: &str, zone: &str| {
        placed(&ctx, || weekday(text, zone))
    });
    module.set_native_fn("parts", |ctx: NativeCallContext, text: &str| {
        placed(&ctx, || parts(text, "UTC"))
    });
    module.set_native_fn("parts", |ctx: NativeCallContext, text: &str, zone: &str| {
        placed(&ctx, || parts(text, zone))
    });
    engine.register_static_module("time", module.into());
}

fn refuse<T>(error: &jiff::Error) -> HostResult<T> {
    super::fail(Code::BadValue, error.to_string())
}

pub(super) fn moment(text: &str) -> HostResult<Timestamp> {
    text.parse().or_else(|error| refuse(&error))
}

fn shown(moment: Timestamp) -> String {
    format!("{moment:.6}")
}

/// Zones come from the binary: a run must not depend on the files of its machine.
fn zone(name: &str) -> HostResult<TimeZone> {
    if name.eq_ignore_ascii_case("utc") {
        return Ok(TimeZone::UTC);
    }
    TimeZoneDatabase::bundled().get(name).or_else(|error| refuse(&error))
}

fn at(text: &str, name: &str) -> HostResult<Zoned> {
    Ok(moment(text)?.to_zoned(zone(name)?))
}

fn format_in(text: &str, format: &str, name: &str) -> HostResult<String> {
    jiff::fmt::strtime::format(format, &at(text, name)?).or_else(|error| refuse(&error))
}

fn parse_duration(text: &str) -> HostResult<SignedDuration> {
    text.parse().or_else(|error| refuse(&error))
}

fn add(text: &str, duration: SignedDuration) -> HostResult<String> {
    moment(text)?.checked_add(duration).map(shown).or_else(|error| refuse(&error))
}

/// 1 for Monday to 7 for Sunday.
fn weekday(text: &str, name: &str) -> HostResult<i64> {
    Ok(i64::from(at(text, name)?.weekday().to_monday_one_offset()))
}

fn parts(text: &str, name: &str) -> HostResult<Map> {
    let moment = at(text, name)?;
    let parts = [
        ("year", i64::from(moment.year())),
        ("month", i64::from(moment.month())),
        ("day", i64::from(moment.day())),
        ("hour", i64::from(moment.hour())),
        ("minute", i64::from(moment.minute())),
        ("second", i64::from(moment.second())),
        ("microsecond", i64::from(moment.subsec_nanosecond() / 1000)),
        ("weekday", i64::from(moment.weekday().to_monday_one_offset())),
        ("offset", i64::from(moment.offset().seconds())),
    ];
    Ok(parts.into_iter().map(|(name, part)| (name.into(), part.into())).collect())
}
