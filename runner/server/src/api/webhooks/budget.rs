//! How much memory the large bodies of deliveries may take that nobody has judged yet.

use std::sync::atomic::{AtomicUsize, Ordering};

use signalbox_core::codes::Code;

use crate::problem::Problem;

/// Bytes of all large bodies together.
const TOTAL: usize = 96 << 20;
/// What every body has for itself: small ones are always taken, however many large ones come.
const FREE: usize = 64 << 10;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// What one body has taken; given back when dropped.
#[derive(Debug, Default)]
pub(super) struct Share(usize);

impl Share {
    /// Grows to the part of a body's length that counts.
    pub(super) fn grow(&mut self, length: usize) -> Result<(), Problem> {
        let wanted = length.saturating_sub(FREE);
        let more = wanted.saturating_sub(self.0);
        if more > 0 {
            let add = |taken: usize| taken.checked_add(more).filter(|sum| *sum <= TOTAL);
            if TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_err() {
                let message = "too many large bodies at once; send it again";
                return Err(Problem::new(Code::WebhookUnavailable, message));
            }
            self.0 += more;
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        TAKEN.fetch_sub(self.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_share_and_small_ones_are_always_taken() {
        let mut large = Share::default();
        large.grow(TOTAL / 2).unwrap();
        let mut larger = Share::default();
        assert!(larger.grow(TOTAL).is_err());
        Share::default().grow(FREE).unwrap();
        drop(large);
        larger.grow(TOTAL).unwrap();
    }
}
