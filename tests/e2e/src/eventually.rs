//! Waiting, always with a deadline.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How long anything is waited for before a test fails. Two busy cores must not make one fail.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at what no event tells of.
const LOOK: Duration = Duration::from_millis(5);

/// Looks until there is something, and gives it. For what no answer and no event tells of: another
/// process's end, a state on the way to another one.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::park_timeout(LOOK);
    }
}

/// Lets a time pass. Only where the time itself is what is tested: a kill at a random moment.
pub fn pause(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    {
        thread::park_timeout(left);
    }
}

/// Random numbers from a seed (xorshift64*, Vigna 2014): the same seed, the same numbers.
#[derive(Debug, Clone)]
pub struct Die(u64);

impl Die {
    /// A die with the seed of the variable `SIGNALBOX_SEED`, or with a new one, which is printed.
    pub fn new() -> Self {
        let given = std::env::var("SIGNALBOX_SEED").ok().and_then(|text| text.parse().ok());
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = since.map_or(1, |time| u64::from(time.subsec_nanos()) ^ time.as_secs());
        let seed: u64 = given.unwrap_or(now).max(1);
        told(&format!("SIGNALBOX_SEED={seed}"));
        Self(seed)
    }

    /// The next number, from `low` to `high`, both included.
    pub fn roll(&mut self, low: u64, high: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        low + (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % (high - low + 1)
    }
}

impl Default for Die {
    fn default() -> Self {
        Self::new()
    }
}

/// How often a long loop goes round: as often as `SIGNALBOX_ROUNDS` says, or as the test does.
pub fn rounds(usual: usize) -> usize {
    let given = std::env::var("SIGNALBOX_ROUNDS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Puts a figure or a seed into the output of the test.
#[expect(clippy::print_stderr, reason = "what a test reports")]
pub fn told(text: &str) {
    eprintln!("{text}");
}
