//! A single moment, as a person writes it.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::Error;
use crate::clock::Timestamp;

/// Reads RFC 3339 (`2026-12-24T18:00:00Z`, `...+01:00`), or a time on the clocks of a zone
/// (`2026-12-24T18:00`). One that a clock change skips is the first moment after the gap, one that
/// comes twice is the first of both: as with a fixed time in a cron expression.
///
/// # Errors
/// Neither of both, or an unknown zone.
pub fn moment(text: &str, timezone: &str) -> Result<Timestamp, Error> {
    let zone = TimeZone::get(timezone).map_err(|_| Error::Zone(timezone.to_owned()))?;
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(moment.into());
    }
    let refused = || Error::Moment(text.to_owned());
    // A date alone would be midnight, which nobody has said.
    let local: DateTime = text.parse().ok().filter(|_| text.contains(':')).ok_or_else(refused)?;
    let ambiguous = zone.to_ambiguous_zoned(local);
    let gap = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    let earlier = ambiguous.earlier().map_err(|_| refused())?.timestamp();
    if gap {
        let change = zone.following(earlier).next().ok_or_else(refused)?;
        return Ok(change.timestamp().into());
    }
    Ok(earlier.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_an_offset_or_is_local() {
        let read = |text: &str| moment(text, "Europe/Berlin").map(|at| at.to_string());
        let at = |text: &str| Ok(text.to_owned());
        assert_eq!(read("2026-12-24T18:00:00Z"), at("2026-12-24T18:00:00.000000Z"));
        assert_eq!(read("2026-12-24T18:00:00+05:30"), at("2026-12-24T12:30:00.000000Z"));
        assert_eq!(read("2026-12-24T18:00"), at("2026-12-24T17:00:00.000000Z"));
        assert_eq!(read("2026-07-01 18:00:30"), at("2026-07-01T16:00:30.000000Z"));
        assert_eq!(read("2026-03-29T02:30"), at("2026-03-29T01:00:00.000000Z"), "in a gap");
        assert_eq!(read("2026-10-25T02:30"), at("2026-10-25T00:30:00.000000Z"), "twice");
        for bad in ["2026-12-24", "18:00", "tomorrow", "", "2026-02-30T10:00"] {
            assert_eq!(read(bad), Err(Error::Moment(bad.to_owned())));
        }
    }
}
