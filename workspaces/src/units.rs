//! Sizes, durations and rates as texts.

use std::time::Duration;

use signalbox_core::catalog::RateLimit;
use signalbox_core::health::Percent;
pub(crate) use signalbox_core::text::duration as show_duration;

const TIMES: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// `500ms`, `30s`, `5m`, `1h`, `7d`; more than nothing.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (count, unit) = split(text)?;
    let (_, millis) = TIMES.into_iter().find(|(name, _)| *name == unit)?;
    let millis = count.checked_mul(millis).filter(|millis| *millis > 0)?;
    Some(Duration::from_millis(millis))
}

/// `512MiB`: a whole number of KiB, MiB or GiB, in bytes.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (count, unit) = split(text)?;
    let (_, bytes) = SIZES.into_iter().find(|(name, _)| *name == unit)?;
    count.checked_mul(bytes)
}

/// `60/m`: so many in a second, minute, hour or day.
pub(crate) fn rate(text: &str) -> Option<RateLimit> {
    let (count, unit) = text.split_once('/')?;
    let count = digits(count)?.try_into().ok().filter(|count: &u32| *count > 0)?;
    let (_, millis) = TIMES[1..].iter().find(|(name, _)| *name == unit)?;
    Some(RateLimit { count, per: Duration::from_millis(*millis) })
}

/// `5%` or `0.25%`, up to a hundred, with at most two places.
pub(crate) fn percent(text: &str) -> Option<Percent> {
    let number = text.strip_suffix('%')?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let part = match part.len() {
        1 => digits(part)? * 10,
        2 => digits(part)?,
        _ => return None,
    };
    let hundredths = digits(whole)?.checked_mul(100)?.checked_add(part)?;
    u32::try_from(hundredths).ok().map(Percent).filter(|percent| *percent <= Percent::ALL)
}

/// The shortest way to write a size.
pub(crate) fn show_size(bytes: u64) -> String {
    let fits = SIZES.iter().rev().find(|(_, unit)| bytes.is_multiple_of(*unit));
    fits.map_or_else(|| bytes.to_string(), |(name, unit)| format!("{}{name}", bytes / unit))
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((digits(&text[..end])?, &text[end..]))
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_shown() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("90s").map(|d| show_duration(&d)), Some("90s".into()));
        assert_eq!(duration("60m").map(|d| show_duration(&d)), Some("1h".into()));
        assert_eq!(size("512MiB"), Some(512 << 20));
        assert_eq!(percent("5%"), Some(Percent(500)));
        assert_eq!(percent("0.25%"), Some(Percent(25)));
        assert_eq!(percent("99.5%"), Some(Percent(9_950)));
        assert_eq!(percent("100%"), Some(Percent::ALL));
        assert_eq!(rate("60/m"), Some(RateLimit { count: 60, per: Duration::from_mins(1) }));
    }

    #[test]
    fn what_is_no_unit_is_refused() {
        for bad in ["", "s", "5", "0s", "-1s", "1.5s", "5 m", "1w", "99999999999999999999s", "+5s"]
        {
            assert_eq!(duration(bad), None, "{bad}");
        }
        for bad in ["", "512", "512MB", "MiB", "99999999999999GiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
        for bad in ["", "%", "5", "-5%", "101%", "100.01%", "0.001%", "1.%", ".5%", "5 %", "1e1%"] {
            assert_eq!(percent(bad), None, "{bad}");
        }
        for bad in ["", "/m", "0/m", "60", "60/ms", "60/", "+6/m", "99999999999/m"] {
            assert_eq!(rate(bad), None, "{bad}");
        }
    }
}
