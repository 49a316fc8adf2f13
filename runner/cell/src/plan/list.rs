//! Lists of steps, in order or side by side.

use signalbox_core::Value;
use signalbox_core::catalog::MAX_PARALLEL;

use super::flow::{Broken, Flow, Frame};
use super::graph::Graph;
use super::interpret::Listed;
use super::program::{List, Step};
use crate::branch::{Work, side_by_side};
use crate::context;
use crate::run::{Aftermath, Scope};

impl Flow<'_> {
    /// Evaluates the steps of a list and adds their results to the frame.
    pub(super) fn list(&self, list: &List, frame: &mut Frame) -> Result<Listed, Broken> {
        match &list.graph {
            None => self.in_order(&list.steps, frame),
            Some(graph) => self.as_needed(&list.steps, graph, frame),
        }
    }

    fn in_order(&self, steps: &[Step], frame: &mut Frame) -> Result<Listed, Broken> {
        let mut last = Value::Null;
        for step in steps {
            let result = self.step(step, frame)?;
            let skipped = result.is_none();
            last = result.unwrap_or_default();
            frame.add(&step.id, last.clone());
            if let Some(stop_if) = step.stop_if.as_ref().filter(|_| !skipped)
                && self.holds(stop_if, "stop_if", frame)?
            {
                return Ok(Listed { last, stopped: true });
            }
        }
        Ok(Listed { last, stopped: false })
    }

    /// Every step begins when those have ended well that it needs. What does not need a step that
    /// fails is done all the same, so that the end does not depend on who was faster.
    fn as_needed(
        &self,
        steps: &[Step],
        graph: &Graph,
        frame: &mut Frame,
    ) -> Result<Listed, Broken> {
        let scopes = self.with_run(|run| {
            let around = run.scope()?;
            Some(steps.iter().map(|step| around.beside(&step.id)).collect::<Vec<_>>())
        })?;
        let mut ends = Vec::new();
        ends.resize_with(steps.len(), || None);
        let mut work = Needs { flow: self, steps, graph, frame, scopes, ends };
        side_by_side(&mut work, steps.len(), MAX_PARALLEL as usize).ok_or(Broken::Stopped(None))?;
        let ends = work.ends;
        let mut last = Value::Null;
        for (step, result) in steps.iter().zip(first_error(ends.into_iter().flatten())?) {
            last = result.unwrap_or_default();
            frame.add(&step.id, last.clone());
        }
        Ok(Listed { last, stopped: false })
    }
}

/// All results, or the error of the first that failed: one that nothing can catch goes before the
/// others.
pub(super) fn first_error<T>(ends: impl Iterator<Item = End<T>>) -> Result<Vec<T>, Broken> {
    let mut results = Vec::new();
    let mut first = None;
    for (result, aftermath) in ends {
        match result {
            Ok(result) => results.push(result),
            Err(Broken::Error(described)) if described.limit => {
                return Err(Broken::Error(described));
            }
            Err(broken) if first.is_none() => first = Some((broken, aftermath)),
            Err(_) => {}
        }
    }
    let Some((broken, aftermath)) = first else { return Ok(results) };
    context::with(|state| state.run().map(|run| run.restore(aftermath)));
    Err(broken)
}

/// What came of a branch.
pub(super) type End<T> = (Result<T, Broken>, Aftermath);

struct Needs<'a, 'f> {
    flow: &'a Flow<'f>,
    steps: &'a [Step],
    graph: &'a Graph,
    frame: &'a Frame,
    scopes: Vec<Scope>,
    ends: Vec<Option<End<Option<Value>>>>,
}

impl Work for Needs<'_, '_> {
    type Result = Result<Option<Value>, Broken>;

    fn may_begin(&self, index: usize) -> bool {
        let is_done = |need: &usize| matches!(&self.ends[*need], Some((Ok(_), _)));
        self.graph.needs[index].iter().all(is_done)
    }

    fn scope(&self, index: usize) -> Scope {
        self.scopes[index].again()
    }

    /// A step sees the results of what it needs, and of what that needs: those of others are there
    /// or not, depending on who was faster.
    fn evaluate(&mut self, index: usize) -> Self::Result {
        let mut frame = self.frame.clone();
        for need in &self.graph.behind[index] {
            if let Some((Ok(result), _)) = &self.ends[*need] {
                frame.add(&self.steps[*need].id, result.clone().unwrap_or_default());
            }
        }
        self.flow.step(&self.steps[index], &frame)
    }

    fn take(&mut self, index: usize, result: Self::Result, aftermath: Aftermath) {
        self.ends[index] = Some((result, aftermath));
    }
}
