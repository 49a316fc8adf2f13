//! `sleep` and `sleep_until`: pauses that hold nothing.

use jiff::SignedDuration;
use rhai::{Dynamic, Engine};
use signalbox_core::Value;
use signalbox_core::codes::Code;

use crate::effect::ask;
use crate::fault::HostResult;
use crate::protocol::Request;

/// Longest pause: a leap year.
const MAX_DAYS: i64 = 366;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("sleep", |seconds: i64| sleep(&Value::Int(seconds)));
    engine.register_fn("sleep", |seconds: f64| sleep(&Value::Float(seconds)));
    engine.register_fn("sleep", |duration: &str| sleep(&Value::from(duration)));
    engine.register_fn("sleep_until", |moment: &str| -> HostResult<Dynamic> {
        let at = super::time::moment(moment)?.as_microsecond();
        ask(Request::SleepUntil { at })?;
        Ok(Dynamic::UNIT)
    });
}

/// Sleeps for so many seconds, or a duration as text. Also for a step's `sleep:`.
pub(crate) fn sleep(duration: &Value) -> HostResult<Dynamic> {
    let length = match duration {
        Value::Int(seconds) => Some(SignedDuration::from_secs(*seconds)),
        Value::Float(seconds) => SignedDuration::try_from_secs_f64(*seconds).ok(),
        Value::String(text) => parse(text),
        _ => None,
    };
    let most = SignedDuration::from_hours(MAX_DAYS * 24);
    let fits = length.filter(|length| !length.is_negative() && *length <= most);
    let Some(micros) = fits.and_then(|length| i64::try_from(length.as_micros()).ok()) else {
        let message = format!(
            "a pause is a number of seconds or a duration such as `90s`, `1h30m` or `7d`, up to \
             {MAX_DAYS} days, not {duration}"
        );
        return super::fail(Code::BadValue, message);
    };
    ask(Request::Sleep { micros })?;
    Ok(Dynamic::UNIT)
}

/// A duration with days, which are always of 24 hours here.
fn parse(text: &str) -> Option<SignedDuration> {
    let (days, rest) = match text.split_once('d') {
        Some((days, rest)) => (days.parse::<u32>().ok()?, rest),
        None => (0, text),
    };
    let rest = match rest.trim() {
        "" if days > 0 => SignedDuration::ZERO,
        rest => rest.parse().ok()?,
    };
    SignedDuration::from_hours(i64::from(days) * 24).checked_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_days() {
        for (text, seconds) in [
            ("500ms", Some(0.5)),
            ("90s", Some(90.0)),
            ("1h30m", Some(5400.0)),
            ("7d", Some(604_800.0)),
            ("1d 12h", Some(129_600.0)),
            ("", None),
            ("d", None),
            ("1w", None),
            ("soon", None),
        ] {
            assert_eq!(parse(text).map(|length| length.as_secs_f64()), seconds, "{text}");
        }
    }
}
