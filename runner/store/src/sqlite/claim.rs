//! Claiming: in memory, at once. Only a run that is not in memory any more is read first.

use std::sync::Arc;

use super::journal;
use super::line::Queued;
use super::live::Taken;
use super::shared::Shared;
use crate::contract::{Claim, Error, Want};

/// Claims what is wanted. Dropped or failed half-way, it gives everything back.
pub(super) async fn claim(shared: &Arc<Shared>, want: &[Want]) -> Result<Vec<Claim>, Error> {
    let taken = shared.live().claim(want, shared.clock.now());
    if taken.iter().all(|taken| taken.claim.is_some()) {
        return Ok(taken.into_iter().filter_map(|taken| taken.claim).collect());
    }
    let runs = taken.iter().map(|taken| (taken.run.clone(), taken.epoch)).collect();
    let mut limbo = Limbo { shared: Arc::clone(shared), runs };
    let claims: Vec<Claim> = shared
        .readers
        .read(move |connection| {
            let read = |taken: &Taken| -> Result<Claim, Error> {
                let claim = journal::claim(connection, taken.run.seq, taken.epoch)?;
                Ok(Claim { note: taken.suspect || claim.recovered > 0, ..claim })
            };
            let whole = taken.into_iter().map(|mut taken| match taken.claim.take() {
                Some(claim) => Ok(claim),
                None => read(&taken),
            });
            whole.collect()
        })
        .await?;
    let mut live = shared.live();
    for claim in &claims {
        live.complete(claim);
    }
    limbo.runs.clear();
    Ok(claims)
}

/// Runs that are claimed by somebody who does not know it yet.
struct Limbo {
    shared: Arc<Shared>,
    runs: Vec<(Queued, u64)>,
}

impl Drop for Limbo {
    fn drop(&mut self) {
        if self.runs.is_empty() {
            return;
        }
        let mut live = self.shared.live();
        // The last one first: each goes before those that are in the queue.
        self.runs.drain(..).rev().for_each(|(run, epoch)| live.give_back(run, epoch));
        drop(live);
        self.shared.ready.notify_one();
    }
}
