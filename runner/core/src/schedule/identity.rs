//! What a schedule is known by, and its share of the jitter.

use std::time::Duration;

use super::{Fires, Schedule};
use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::value::{Value, encode};

impl Schedule {
    /// The identity of the schedule in its flow, under which its last slot is kept: its name, else
    /// 16 digits of the hash of its slots, its zone and its inputs.
    pub fn id(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => short(self.digest_with_inputs()),
        }
    }

    /// What changes when the slots do: a named schedule with other slots than before owes none
    /// from before the change. `calendar` is the digest of its calendar, if it has one.
    pub fn timing(&self, calendar: Option<Digest>) -> String {
        let parts = self.parts();
        let calendar = calendar.map(|digest| digest.0);
        let calendar = calendar.as_ref().map(<[u8; 32]>::as_slice);
        short(Digest::of_parts(parts.iter().map(Vec::as_slice).chain(calendar)))
    }

    fn digest_with_inputs(&self) -> Digest {
        let mut parts = self.parts();
        if !self.inputs.is_empty() {
            parts.push(encode(&Value::Map(self.inputs.clone())));
        }
        Digest::of_parts(parts.iter().map(Vec::as_slice))
    }

    fn parts(&self) -> Vec<Vec<u8>> {
        let zone = self.timezone.clone().into_bytes();
        match &self.fires {
            Fires::Cron(expression) => vec![expression.clone().into_bytes(), zone],
            // No expression begins with this.
            Fires::At(moment) => vec![b"@at".to_vec(), moment.0.to_le_bytes().to_vec()],
        }
    }

    /// How much later than its nominal time a slot fires: from nothing to `jitter`, always the
    /// same for a slot of a schedule. `of` tells apart schedules that are equal: the flow's full
    /// name.
    pub fn delay(&self, of: &str, slot: Timestamp) -> Duration {
        let most = u64::try_from(self.jitter.as_micros()).unwrap_or(u64::MAX);
        if most == 0 {
            return Duration::ZERO;
        }
        let id = self.id();
        let digest =
            Digest::of_parts([of.as_bytes(), id.as_bytes(), slot.0.to_le_bytes().as_slice()]);
        let draw = digest.0.first_chunk().map_or(0, |head| u64::from_le_bytes(*head));
        Duration::from_micros(draw % most.saturating_add(1).max(1))
    }
}

fn short(digest: Digest) -> String {
    digest.to_string()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_without_inputs_keeps_the_identity_of_the_first_version() {
        let digest = Digest::of_parts([b"0 7 * * *".as_slice(), b"UTC"]);
        assert_eq!(Schedule::cron("0 7 * * *", "UTC").id(), digest.to_string()[..16]);
        assert_eq!(Schedule::cron("0 7 * * *", "UTC").id(), "f996a75117ba4d6f");
    }

    #[test]
    fn name_inputs_and_moment_make_the_identity() {
        let plain = Schedule::cron("0 7 * * *", "UTC");
        let mut with_inputs = plain.clone();
        with_inputs.inputs.insert("a".to_owned(), Value::Int(1));
        let mut named = with_inputs.clone();
        named.name = Some("morning".to_owned());
        let once = Schedule::new(Fires::At(Timestamp(1)), "UTC");
        let ids = [plain.id(), with_inputs.id(), named.id(), once.id()];
        assert_eq!(ids[2], "morning");
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
    }

    #[test]
    fn other_options_leave_the_identity() {
        let plain = Schedule::cron("0 7 * * *", "UTC");
        let mut other = plain.clone();
        other.jitter = Duration::from_secs(5);
        other.calendar = Some("a.yaml".to_owned());
        assert_eq!(plain.id(), other.id());
        assert_ne!(plain.timing(None), plain.timing(Some(Digest::of(b"calendar"))));
    }

    #[test]
    fn jitter_is_the_same_each_time_and_spread_over_its_range() {
        let mut schedule = Schedule::cron("* * * * *", "UTC");
        schedule.jitter = Duration::from_secs(30);
        let delay = |minute: i64| schedule.delay("ops/a", Timestamp(minute * 60_000_000));
        let all: Vec<_> = (0..200).map(delay).collect();
        assert!((0..200).map(delay).eq(all.iter().copied()));
        assert!(all.iter().all(|delay| *delay <= schedule.jitter));
        let late = all.iter().filter(|delay| **delay > Duration::from_secs(15)).count();
        assert!((70..130).contains(&late), "{late} of 200 in the later half");
        assert_ne!(delay(1), schedule.delay("ops/b", Timestamp(60_000_000)));
    }
}
