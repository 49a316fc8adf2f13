//! Evaluates branches by turns. What makes that work is in `run::branches`.

use std::collections::{BTreeMap, BTreeSet};

use crate::context;
use crate::run::{Aftermath, Run, Scope, Turn, Waiting};

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

/// Evaluates as many branches as can begin, at most `limit` of them under way at once, until all
/// have ended. `None`: whatever is around them must be unwound.
pub(crate) fn side_by_side<W: Work>(work: &mut W, count: usize, limit: usize) -> Option<()> {
    let mut group = Group { work, fresh: (0..count).collect(), waiting: BTreeMap::new(), limit };
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

/// Branches that have not ended. A turn costs no more for those that are far from theirs: there may
/// be a hundred thousand.
struct Group<'a, W> {
    work: &'a mut W,
    fresh: BTreeSet<usize>,
    waiting: BTreeMap<usize, Waiting>,
    limit: usize,
}

impl<W: Work> Group<'_, W> {
    /// Evaluates every branch that can go on, once. Answers whether there was one.
    fn round(&mut self) -> Option<bool> {
        let mut next = 0;
        while let Some(index) = self.first_from(next) {
            self.evaluate(index)?;
            next = index + 1;
        }
        Some(next > 0)
    }

    /// The first branch from an index on that can go on or begin.
    fn first_from(&self, index: usize) -> Option<usize> {
        let mut waiting = self.waiting.range(index..);
        let goes_on = with_run(|run| waiting.find(|(_, waiting)| run.has_news(waiting))).flatten();
        let begins = (self.waiting.len() < self.limit)
            .then(|| self.fresh.range(index..).find(|fresh| self.work.may_begin(**fresh)))
            .flatten();
        goes_on.map(|(index, _)| index).into_iter().chain(begins).min().copied()
    }

    fn evaluate(&mut self, index: usize) -> Option<()> {
        self.fresh.remove(&index);
        let earlier = self.waiting.remove(&index).map(|waiting| waiting.spent).unwrap_or_default();
        let around = with_run(|run| !run.is_apart())?;
        let alone = around && self.waiting.is_empty() && !self.can_begin();
        let scope = self.work.scope(index);
        with_run(|run| run.enter_branch(scope, alone, earlier))?;
        let result = self.work.evaluate(index);
        let turn = with_run(Run::leave_branch)?;
        if context::is_stopped() {
            return None;
        }
        match turn {
            Turn::Waits(waiting) => drop(self.waiting.insert(index, waiting)),
            Turn::Ended(aftermath) => self.work.take(index, result, aftermath),
        }
        Some(())
    }

    /// Whether a branch could begin if few enough were under way.
    fn can_begin(&self) -> bool {
        self.fresh.iter().any(|fresh| self.work.may_begin(*fresh))
    }

    fn is_over(&self) -> bool {
        self.waiting.is_empty() && !self.can_begin()
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
            state.run()?.wait_like(self.waiting.values());
            None
        })?
    }
}

fn with_run<T>(act: impl FnOnce(&mut Run) -> T) -> Option<T> {
    context::with(|state| state.run.as_mut().map(act))?
}
