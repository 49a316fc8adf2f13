//! Everything that is left to chance, from one seed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use signalbox_engine::doors::Random;

/// A stream of random numbers that several parts draw from. Parts that draw in an order of their
/// own have streams of their own, so that one does not move another's.
#[derive(Debug, Clone)]
pub(crate) struct Dice(Arc<Mutex<fastrand::Rng>>);

impl Dice {
    /// The stream of a part of a seed's simulation.
    pub(crate) fn of(seed: u64, part: u64) -> Self {
        let mixed =
            seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ part.wrapping_mul(0xD1B5_4A32_D192_ED03);
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(mixed))))
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether something happens that does so often in a thousand times.
    pub(crate) fn happens(&self, in_a_thousand: u32) -> bool {
        self.draw(|rng| rng.u32(..1_000)) < in_a_thousand
    }

    /// A number below `end`, which is not zero.
    pub(crate) fn below(&self, end: usize) -> usize {
        self.draw(|rng| rng.usize(..end))
    }

    /// One of some.
    pub(crate) fn pick<'a, T>(&self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() { None } else { of.get(self.below(of.len())) }
    }

    /// Milliseconds up to a bound, small ones more often.
    pub(crate) fn millis(&self, most: usize) -> Duration {
        let most = self.below(most + 1);
        Duration::from_millis(self.below(most + 1) as u64)
    }
}

impl Random for Dice {
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        self.draw(|rng| rng.fill(bytes));
        Ok(())
    }
}
