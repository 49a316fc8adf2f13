//! Times for people: how long ago, how soon, how long.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use signalbox_core::clock::{Clock, Timestamp};

/// The wall clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// Reads a time as the API writes it.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(Timestamp::from)
}

/// `3m ago`, `in 12s`, `now`.
pub(crate) fn relative(moment: Timestamp, now: Timestamp) -> String {
    if moment > now {
        return format!("in {}", coarse(moment.since(now)));
    }
    let past = now.since(moment);
    if past < Duration::from_secs(1) { "now".to_owned() } else { format!("{} ago", coarse(past)) }
}

/// [`relative`] of a time as the API writes it; a dash when there is none.
pub(crate) fn relative_text(text: &str, now: Timestamp) -> String {
    parse(text).map_or_else(|| "-".to_owned(), |moment| relative(moment, now))
}

/// How old a time is, as the API writes it: `12s`, `3h`; a dash when there is none.
pub(crate) fn age(text: &str, now: Timestamp) -> String {
    parse(text).map_or_else(|| "-".to_owned(), |moment| coarse(now.since(moment)))
}

/// `2026-11-23 12:00:00 UTC`: without the fraction.
pub(crate) fn absolute(moment: Timestamp) -> String {
    match moment.to_jiff() {
        Some(moment) => format!("{}", moment.strftime("%Y-%m-%d %H:%M:%S UTC")),
        None => moment.to_string(),
    }
}

/// One unit is enough: `850ms`, `12s`, `4m`, `3h`, `9d`.
pub(crate) fn coarse(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0 => format!("{}ms", length.as_millis()),
        1..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A measured time with two or three figures: `0.42ms`, `4.2ms`, `120ms`, `1.2s`, `4m 10s`.
pub(crate) fn measured(milliseconds: f64) -> String {
    if milliseconds < 1.0 {
        format!("{milliseconds:.2}ms")
    } else if milliseconds < 10.0 {
        format!("{milliseconds:.1}ms")
    } else if milliseconds < 1_000.0 {
        format!("{milliseconds:.0}ms")
    } else if milliseconds < 120_000.0 {
        format!("{:.1}s", milliseconds / 1_000.0)
    } else {
        let seconds = Duration::from_secs_f64((milliseconds / 1_000.0).min(1e12)).as_secs();
        format!("{}m {}s", seconds / 60, seconds % 60)
    }
}

/// Reads `500ms`, `2s`, `5m`, `1h`; a bare number is seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let wrong = || format!("`{text}` is not a time: write 500ms, 2s, 5m or 1h");
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let milliseconds = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_have_a_direction() {
        let now = Timestamp(1_700_000_000_000_000);
        let ago = |seconds| relative(now.minus(Duration::from_secs(seconds)), now);
        assert_eq!(ago(0), "now");
        assert_eq!(ago(61), "61s ago");
        assert_eq!(ago(600), "10m ago");
        assert_eq!(ago(90_000), "25h ago");
        assert_eq!(relative(now.plus(Duration::from_secs(7)), now), "in 7s");
        assert_eq!(relative_text("yesterday", now), "-");
        assert_eq!(absolute(now), "2023-11-14 22:13:20 UTC");
    }

    #[test]
    fn durations_are_read_with_their_unit_and_refused_without_sense() {
        assert_eq!(parse_duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(parse_duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["", "s", "-1s", "2 s", "2d", "99999999999999999999s", "18446744073709551615h"]
        {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn measured_times_keep_two_or_three_figures() {
        assert_eq!(measured(0.4211), "0.42ms");
        assert_eq!(measured(999.0), "999ms");
        assert_eq!(measured(1_200.0), "1.2s");
        assert_eq!(measured(250_000.0), "4m 10s");
    }
}
