//! The order in which the writer takes what waits for it.
//!
//! A light job goes before a heavy one that came a little earlier: whoever writes a megabyte does not
//! notice a hundred bytes before it, but whoever writes a hundred bytes would notice the megabyte. A
//! job lets others of its own weight pass at most, so that none waits for ever.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::writer::Job;

/// Weights that differ by less are the same: those of single writes, which go in the order in which
/// they come.
const GRAIN: u64 = 4 << 10;

/// Jobs that wait, lightest and longest waiting first.
#[derive(Default)]
pub(super) struct Queue {
    waiting: BinaryHeap<Waiting>,
    /// What was taken so far, by weight: the time by which turns are given.
    taken: u64,
    /// Jobs that ever came.
    came: u64,
}

struct Waiting {
    /// When everything of this turn's weight was taken that came together with it.
    turn: u64,
    /// Jobs of one turn go in the order in which they came.
    number: u64,
    weight: u64,
    job: Box<dyn Job>,
}

impl Queue {
    /// Puts a job in line, with about how many bytes it writes.
    pub(super) fn push(&mut self, job: Box<dyn Job>, weight: u64) {
        self.came += 1;
        let turn = self.taken.saturating_add(weight - weight % GRAIN);
        self.waiting.push(Waiting { turn, number: self.came, weight, job });
    }

    /// Takes the job whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Box<dyn Job>> {
        let next = self.waiting.pop()?;
        self.taken = self.taken.saturating_add(next.weight);
        Some(next.job)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl Ord for Waiting {
    /// The heap gives its greatest: that is the one with the earliest turn.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.turn, other.number).cmp(&(self.turn, self.number))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::sqlite::error::Cause;
    use crate::sqlite::tx::Tx;

    /// A job that says its name when it is answered.
    struct Named(u32, Arc<Mutex<Vec<u32>>>);

    impl Job for Named {
        fn perform(&mut self, _: &mut Tx<'_>) -> Result<(), Cause> {
            Ok(())
        }

        fn answer(self: Box<Self>, _: Option<&Cause>) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    #[derive(Default)]
    struct Line {
        queue: Queue,
        said: Arc<Mutex<Vec<u32>>>,
    }

    impl Line {
        fn comes(&mut self, name: u32, weight: u64) {
            self.queue.push(Box::new(Named(name, Arc::clone(&self.said))), weight);
        }

        fn taken(&mut self) -> Option<u32> {
            self.queue.pop()?.answer(None);
            self.said.lock().unwrap().pop()
        }
    }

    #[test]
    fn a_light_job_goes_before_heavy_ones_that_came_earlier() {
        let mut line = Line::default();
        line.comes(1, 8 * GRAIN);
        line.comes(2, 9 * GRAIN);
        line.comes(3, 1);
        let order: Vec<_> = std::iter::from_fn(|| line.taken()).collect();
        assert_eq!(order, [3, 1, 2]);
        assert!(line.queue.is_empty());
    }

    #[test]
    fn a_heavy_job_lets_no_more_than_its_own_weight_pass() {
        let mut line = Line::default();
        line.comes(0, 100 * GRAIN);
        let mut passed = 0;
        for name in 1.. {
            line.comes(name, 3 * GRAIN);
            if line.taken() == Some(0) {
                break;
            }
            passed += 3 * GRAIN;
        }
        assert!(passed <= 100 * GRAIN, "{passed} bytes passed");
    }

    #[test]
    fn jobs_of_about_the_same_weight_go_in_the_order_in_which_they_came() {
        let mut line = Line::default();
        (0..100).for_each(|name| line.comes(name, GRAIN - 1 - u64::from(name)));
        let order: Vec<_> = std::iter::from_fn(|| line.taken()).collect();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
