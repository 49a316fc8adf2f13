//! How many cells each workspace may start, when not all can start what they want.

/// Most cells over all workspaces.
pub(super) const MAX_CELLS: usize = 64;

/// What a workspace has and wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand {
    /// Cells that it has.
    pub(super) cells: usize,
    /// Cells that it would like to have besides.
    pub(super) wants: usize,
}

/// How many cells each workspace may start now. Whoever has none gets its first one even when all
/// places are taken: nobody waits for the end of another's longest run. One at a time goes to whoever has the fewest, so
/// that the last places are never taken by whoever asked first or loudest.
pub(super) fn share(demands: &[Demand]) -> Vec<usize> {
    let mut grown = vec![0; demands.len()];
    for (at, demand) in demands.iter().enumerate() {
        grown[at] = usize::from(demand.cells == 0 && demand.wants > 0);
    }
    let mut free = MAX_CELLS.saturating_sub(demands.iter().map(|demand| demand.cells).sum());
    free = free.saturating_sub(grown.iter().sum());
    while free > 0 {
        let hungry = (0..demands.len()).filter(|at| grown[*at] < demands[*at].wants);
        let Some(next) = hungry.min_by_key(|at| demands[*at].cells + grown[*at]) else { break };
        grown[next] += 1;
        free -= 1;
    }
    grown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_places_go_to_whoever_has_the_fewest() {
        let greedy = Demand { cells: 60, wants: 16 };
        let modest = Demand { cells: 0, wants: 3 };
        assert_eq!(share(&[greedy, modest]), [1, 3]);
        assert_eq!(share(&[Demand { cells: 0, wants: 100 }, modest]), [61, 3]);
        assert_eq!(share(&[]), Vec::<usize>::new());
        assert_eq!(share(&[Demand { cells: MAX_CELLS, wants: 1 }]), [0]);
        let full = Demand { cells: MAX_CELLS, wants: 9 };
        assert_eq!(share(&[full, modest]), [0, 1], "everybody gets a first cell");
    }
}
