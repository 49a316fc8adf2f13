//! Evaluates branches by turns. What makes that work is in `run::branches`.

use crate::context;
use crate::run::{Aftermath, Run, Scope, Spent, Turn, Waiting};

/// What is to be done side by side.
pub(crate) trait Work {
    /// What comes of a branch.
    type Result;

    /// Whether a branch may begin.
    fn may_begin(&self, index: usize) -> bool;

    /// The scope in which a branch is evaluated, the same every time.
    fn scope(&self, index: usize) -> Scope;

    /// Evaluates a branch. What comes of it does not count when the branch was unwound.
    fn evaluate(&mut self, index: usize) -> Self::Result;

    /// Takes what came of a branch that was evaluated to its end.
    fn take(&mut self, index: usize, result: Self::Result, aftermath: Aftermath);
}

/// Where a branch is.
enum Place {
    Fresh,
    Waits(Waiting),
    Ended,
}

/// Evaluates as many branches as can begin, at most `limit` of them under way at once, until all
/// have ended. `None`: whatever is around them must be unwound.
pub(crate) fn side_by_side<W: Work>(work: &mut W, count: usize, limit: usize) -> Option<()> {
    let mut group = Group { work, places: Vec::new(), limit };
    group.places.resize_with(count, || Place::Fresh);
    loop {
        let moved = group.round()?;
        if group.is_over() {
            return Some(());
        }
        if !moved {
            group.wait()?;
        }
    }
}

struct Group<'a, W> {
    work: &'a mut W,
    places: Vec<Place>,
    limit: usize,
}

impl<W: Work> Group<'_, W> {
    /// Evaluates every branch that can go on, once. Answers whether there was one.
    fn round(&mut self) -> Option<bool> {
        let mut moved = false;
        for index in 0..self.places.len() {
            let earlier = match &self.places[index] {
                Place::Ended => continue,
                Place::Waits(waiting) if !with_run(|run| run.has_news(waiting))? => continue,
                Place::Waits(waiting) => waiting.spent,
                Place::Fresh if self.under_way() >= self.limit || !self.work.may_begin(index) => {
                    continue;
                }
                Place::Fresh => Spent::default(),
            };
            self.evaluate(index, earlier)?;
            moved = true;
        }
        Some(moved)
    }

    fn evaluate(&mut self, index: usize, earlier: Spent) -> Option<()> {
        let around = with_run(|run| !run.is_apart())?;
        let alone = around && !self.has_another(index);
        let scope = self.work.scope(index);
        with_run(|run| run.enter_branch(scope, alone, earlier))?;
        let result = self.work.evaluate(index);
        let turn = with_run(Run::leave_branch)?;
        if context::is_stopped() {
            return None;
        }
        self.places[index] = match turn {
            Turn::Waits(waiting) => Place::Waits(waiting),
            Turn::Ended(aftermath) => {
                self.work.take(index, result, aftermath);
                Place::Ended
            }
        };
        Some(())
    }

    /// Whether another branch can go on beside this one.
    fn has_another(&self, index: usize) -> bool {
        let can = |other: usize| match &self.places[other] {
            Place::Ended => false,
            Place::Waits(_) => true,
            Place::Fresh => self.work.may_begin(other),
        };
        // Those behind it are the ones that are likely to be fresh.
        (index + 1..self.places.len()).any(can) || (0..index).any(can)
    }

    fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.places.iter().filter_map(|place| match place {
            Place::Waits(waiting) => Some(waiting),
            Place::Fresh | Place::Ended => None,
        })
    }

    fn under_way(&self) -> usize {
        self.waiting().count()
    }

    fn is_over(&self) -> bool {
        let over = |(index, place): (usize, &Place)| match place {
            Place::Ended => true,
            Place::Waits(_) => false,
            Place::Fresh => !self.work.may_begin(index),
        };
        self.places.iter().enumerate().all(over)
    }

    /// Waits until a branch can go on; in a branch that is not alone, by having that unwound.
    fn wait(&self) -> Option<()> {
        context::with(|state| {
            if !state.run()?.is_apart() {
                return state.wait_for_any();
            }
            if state.collect() {
                return Some(());
            }
            state.run()?.wait_like(self.waiting());
            None
        })?
    }
}

fn with_run<T>(act: impl FnOnce(&mut Run) -> T) -> Option<T> {
    context::with(|state| state.run.as_mut().map(act))?
}
