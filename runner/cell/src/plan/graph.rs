//! Which steps of a list wait for which.

use std::collections::BTreeSet;

use signalbox_core::catalog::Step;

/// How the steps of a list depend on each other, by index.
pub(super) struct Graph {
    /// The steps that each one needs.
    pub(super) needs: Vec<Vec<usize>>,
    /// Those, and whatever they need.
    pub(super) behind: Vec<BTreeSet<usize>>,
}

impl Graph {
    /// The graph of a list. `None` when its steps are evaluated in order.
    ///
    /// # Errors
    /// A step needs what is not there, or itself.
    pub(super) fn of(steps: &[Step]) -> Result<Option<Self>, String> {
        let needs: Vec<_> =
            (0..steps.len()).map(|index| needs_of(steps, index)).collect::<Result<_, _>>()?;
        let in_order =
            |(index, needs): (usize, &Vec<usize>)| needs.iter().copied().eq(index.checked_sub(1));
        if needs.iter().enumerate().all(in_order) {
            return Ok(None);
        }
        let behind: Vec<_> = (0..needs.len()).map(|index| behind(&needs, index)).collect();
        match behind.iter().enumerate().find(|(index, behind)| behind.contains(index)) {
            Some((index, _)) => Err(format!("step `{}` needs itself", steps[index].id)),
            None => Ok(Some(Self { needs, behind })),
        }
    }
}

fn needs_of(steps: &[Step], index: usize) -> Result<Vec<usize>, String> {
    let step = &steps[index];
    let Some(needs) = &step.needs else { return Ok(index.checked_sub(1).into_iter().collect()) };
    let find = |id: &String| {
        let found = steps.iter().position(|other| other.id == *id);
        found.ok_or_else(|| format!("step `{}` needs `{id}`, which is not there", step.id))
    };
    needs.iter().map(find).collect()
}

fn behind(needs: &[Vec<usize>], index: usize) -> BTreeSet<usize> {
    let mut behind = BTreeSet::new();
    let mut open = needs[index].clone();
    while let Some(next) = open.pop() {
        if behind.insert(next) {
            open.extend(&needs[next]);
        }
    }
    behind
}
