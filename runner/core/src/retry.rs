//! When something that failed is tried again. Pure: whoever asks brings the time and the chance.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::journal::Failure;

/// Most attempts of one thing.
pub const MAX_ATTEMPTS: u32 = 100;
/// Longest pause between two attempts: a day.
pub const MAX_PAUSE: Duration = Duration::from_hours(24);

/// How often, and with which pauses, something is tried: DESIGN §6.3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How often it is tried at all; the first time counts. From 1 to [`MAX_ATTEMPTS`].
    pub attempts: u32,
    /// How the pauses grow.
    pub backoff: Backoff,
    /// The pause after the first failure.
    pub initial: Duration,
    /// The longest pause.
    pub max: Duration,
    /// Whether a pause is drawn evenly from nothing up to its length ("full jitter": Brooker,
    /// "Exponential Backoff And Jitter", 2015), so that what failed together is not tried again
    /// together.
    pub jitter: bool,
    /// Wall time after the first attempt began, in which another may begin; no bound when not given.
    pub budget: Option<Duration>,
    /// A Rhai expression over `error` (`code`, `message`, `retryable`) that must be true for
    /// another attempt.
    pub retry_if: Option<String>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff: Backoff::Exponential,
            initial: Duration::from_secs(1),
            max: Duration::from_mins(1),
            jitter: true,
            budget: None,
            retry_if: None,
        }
    }
}

/// How pauses grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Each is as long as the first.
    Fixed,
    /// Each is twice as long as the one before.
    Exponential,
}

impl Retry {
    /// The pause before the next attempt, after `failed` attempts that failed (1 or more), the last
    /// one with `failure`, `spent` after the first one began. `None`: it is not tried again, because
    /// it was tried often enough, trying again cannot help, or the budget is spent.
    ///
    /// `chance` is drawn evenly from 0 up to 1. A pause that the other side asked for (Retry-After)
    /// is the least there is; one that is longer than [`MAX_PAUSE`] is not waited for.
    pub fn pause(
        &self,
        failed: u32,
        failure: &Failure,
        spent: Duration,
        chance: f64,
    ) -> Option<Duration> {
        if failed >= self.attempts || !failure.retryable {
            return None;
        }
        let asked = Duration::from_millis(failure.after_ms.unwrap_or(0));
        let pause =
            self.length(failed).mul_f64(if self.jitter { chance.clamp(0.0, 1.0) } else { 1.0 });
        let pause = pause.max(asked);
        let in_time = self.budget.is_none_or(|budget| spent.saturating_add(pause) <= budget);
        (in_time && pause <= MAX_PAUSE).then_some(pause)
    }

    /// The longest pause after so many failures.
    fn length(&self, failed: u32) -> Duration {
        let factor = match self.backoff {
            Backoff::Fixed => 1,
            Backoff::Exponential => 1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX),
        };
        self.initial.saturating_mul(factor).min(self.max).min(MAX_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::Code;

    fn plain() -> Retry {
        Retry { attempts: 10, jitter: false, ..Retry::default() }
    }

    fn transient() -> Failure {
        Failure::transient(Code::EffectFailed, "busy")
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses: Vec<_> = (1..=9)
            .filter_map(|failed| plain().pause(failed, &transient(), Duration::ZERO, 0.0))
            .map(|pause| pause.as_secs())
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let fixed = Retry { backoff: Backoff::Fixed, ..plain() };
        assert_eq!(fixed.pause(9, &transient(), Duration::ZERO, 0.0), Some(Duration::from_secs(1)));
        let many = Retry { attempts: MAX_ATTEMPTS, ..plain() };
        assert_eq!(many.pause(99, &transient(), Duration::ZERO, 0.0), Some(Duration::from_mins(1)));
    }

    #[test]
    fn the_first_attempt_counts() {
        let retry = Retry { attempts: 3, ..plain() };
        assert!(retry.pause(2, &transient(), Duration::ZERO, 0.0).is_some());
        assert_eq!(retry.pause(3, &transient(), Duration::ZERO, 0.0), None);
        let once = Retry { attempts: 1, ..plain() };
        assert_eq!(once.pause(1, &transient(), Duration::ZERO, 0.0), None);
    }

    #[test]
    fn what_cannot_be_mended_is_not_tried_again() {
        let permanent = Failure::permanent(Code::Denied, "no");
        assert_eq!(plain().pause(1, &permanent, Duration::ZERO, 0.0), None);
    }

    #[test]
    fn full_jitter_draws_from_nothing_to_the_whole_pause() {
        let retry = Retry { jitter: true, ..plain() };
        let pause = |chance| retry.pause(4, &transient(), Duration::ZERO, chance);
        assert_eq!(pause(0.0), Some(Duration::ZERO));
        assert_eq!(pause(0.25), Some(Duration::from_secs(2)));
        assert_eq!(pause(1.0), Some(Duration::from_secs(8)));
    }

    #[test]
    fn what_the_other_side_asks_for_is_the_least_pause() {
        let asked = transient().after(Duration::from_secs(30));
        assert_eq!(plain().pause(1, &asked, Duration::ZERO, 0.0), Some(Duration::from_secs(30)));
        let sooner = transient().after(Duration::from_millis(10));
        assert_eq!(plain().pause(1, &sooner, Duration::ZERO, 0.0), Some(Duration::from_secs(1)));
        let never = transient().after(MAX_PAUSE + Duration::from_millis(1));
        assert_eq!(plain().pause(1, &never, Duration::ZERO, 0.0), None);
    }

    #[test]
    fn no_attempt_begins_after_the_budget() {
        let retry = Retry { budget: Some(Duration::from_secs(10)), ..plain() };
        let pause = |spent| retry.pause(1, &transient(), Duration::from_secs(spent), 0.0);
        assert_eq!(pause(9), Some(Duration::from_secs(1)));
        assert_eq!(pause(10), None);
    }
}
