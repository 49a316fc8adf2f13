//! The dispatcher's loop: one turn, one look at everything that could be done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use signalbox_core::WorkspaceName;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Chunk, Failure, Outcome};
use signalbox_core::run::{Ending, Reason, RunError, State};
use signalbox_store::contract::{Claim, Want, Write};
use tokio::sync::mpsc;

use super::fair;
use super::pool::Pool;
use crate::events::EventKind;
use crate::link::{Assignment, CellId, Command, Message};
use crate::shared::Shared;

/// After a cell could not be started, so long before the next try.
const START_AGAIN: Duration = Duration::from_secs(1);

/// Runs until the engine stops and every cell is gone.
pub(crate) async fn run(shared: Arc<Shared>, inbox: mpsc::Receiver<Message>) {
    Dispatcher { shared, inbox, pools: BTreeMap::new(), next_cell: 0, stopping: false }.run().await;
}

#[derive(Debug)]
struct Dispatcher {
    shared: Arc<Shared>,
    inbox: mpsc::Receiver<Message>,
    pools: BTreeMap<WorkspaceName, Pool>,
    next_cell: CellId,
    stopping: bool,
}

impl Dispatcher {
    async fn run(mut self) {
        let ready = self.shared.store.ready();
        loop {
            if let Err(error) = self.fill().await {
                tracing::error!(%error, "cannot claim runs");
                self.again();
            }
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                () = ready.notified(), if !self.stopping => {}
                Some(message) = self.inbox.recv() => self.take(message).await,
                () = shared.stopping(), if !self.stopping => self.stop().await,
            }
            while let Ok(message) = self.inbox.try_recv() {
                self.take(message).await;
            }
            if self.stopping && self.pools.values().all(Pool::is_gone) {
                return;
            }
        }
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Finished { cell, workspace, runs, evaluated } => {
                self.pool(&workspace).finished(cell, runs, evaluated);
            }
            Message::Returned { cell, workspace, assignments } => {
                self.pool(&workspace).returned(cell, assignments);
            }
            Message::Retired { cell, workspace } => self.pool(&workspace).retired(cell),
            Message::Gone { cell, workspace, leftover, failed } => {
                self.pool(&workspace).gone(cell, leftover, failed);
                if failed {
                    self.again();
                }
            }
            Message::Again => self.pools.values_mut().for_each(Pool::try_again),
        }
        if self.stopping {
            self.release_returned().await;
        }
    }

    fn pool(&mut self, workspace: &WorkspaceName) -> &mut Pool {
        self.pools.entry(workspace.clone()).or_default()
    }

    fn again(&self) {
        let again = self.shared.dispatcher.clone();
        tokio::spawn(async move {
            tokio::time::sleep(START_AGAIN).await;
            drop(again.send(Message::Again).await);
        });
    }

    /// Gives work to every pool that can take some.
    async fn fill(&mut self) -> Result<(), signalbox_store::Error> {
        if self.stopping {
            return Ok(());
        }
        let live = self.shared.live.load_full();
        let mut demands = Vec::new();
        for waiting in self.shared.store.waiting().await? {
            self.pool(&waiting.workspace).waiting = waiting.runs;
        }
        for (workspace, pool) in &mut self.pools {
            if let Some((spec, _)) = live.find(workspace) {
                pool.limits = spec.grants.limits.clone();
            }
            demands.push(pool.demand());
        }
        let grown = fair::share(&demands);
        let mut wants = Vec::new();
        let names: Vec<_> = self.pools.keys().cloned().collect();
        for (workspace, cells) in names.into_iter().zip(grown) {
            for _ in 0..cells {
                self.next_cell += 1;
                let shared = Arc::clone(&self.shared);
                let memory = self.pool(&workspace).limits.memory;
                let link = crate::cells::spawn(shared, self.next_cell, workspace.clone(), memory);
                self.pool(&workspace).grow(link);
            }
            let pool = self.pool(&workspace);
            pool.place_returned();
            let runs = pool.room().min(pool.waiting);
            pool.waiting = 0;
            if runs > 0 {
                wants.push(Want { workspace, runs });
            }
        }
        if wants.is_empty() {
            return Ok(());
        }
        for claim in self.shared.store.claim(wants).await? {
            self.place(claim).await;
        }
        Ok(())
    }

    async fn place(&mut self, claim: Claim) {
        match self.shared.revisions.get(claim.run.deployment).await {
            Ok(pinned) => {
                let suspect = claim.lost_cells > 0;
                let workspace = claim.run.workspace.clone();
                self.pool(&workspace).place(Assignment { claim, pinned, suspect });
            }
            Err(error) => {
                tracing::error!(run = %claim.run.id, %error, "cannot load the revision of a run");
                self.fail(claim, format!("its revision cannot be loaded: {error}")).await;
            }
        }
    }

    /// Ends a run that no cell can evaluate.
    async fn fail(&self, claim: Claim, message: String) {
        let now = self.shared.clock.now();
        let error = RunError::plain(Code::Internal, message.clone());
        let write = Write::End {
            run: claim.run.id.clone(),
            epoch: claim.epoch,
            number: claim.next_chunk,
            started_at: claim.started_at.unwrap_or(now),
            chunk: Chunk::default(),
            ending: Ending::Failed(Reason::ScriptError, error),
            ended_at: now,
            isolation: 0,
            answer: Outcome::Failed(Failure::permanent(Code::CallFailed, message)),
        };
        if let Err(error) = self.shared.store.commit(vec![write]).await {
            tracing::error!(run = %claim.run.id, %error, "cannot record the end of a run");
        }
        let run = claim.run.id.clone();
        let kind = EventKind::Run { run, flow: claim.run.flow, state: State::Failed };
        self.shared.events.publish(now, claim.run.workspace, kind);
        self.shared.ended(&claim.run.id);
    }

    // --- stopping ---

    async fn stop(&mut self) {
        self.stopping = true;
        for pool in self.pools.values() {
            for link in pool.links() {
                // A driver that is gone has said so.
                drop(link.commands.send(Command::Stop).await);
            }
        }
        self.release_returned().await;
    }

    /// Runs that no cell began go back to the queue.
    async fn release_returned(&mut self) {
        let returned = self.pools.values_mut().flat_map(Pool::take_returned);
        let writes: Vec<_> = returned
            .map(|assignment| Write::Release {
                run: assignment.claim.run.id,
                epoch: assignment.claim.epoch,
                cell_lost: false,
                active_us: assignment.claim.active_us,
            })
            .collect();
        if !writes.is_empty()
            && let Err(error) = self.shared.store.commit(writes).await
        {
            // They are queued again at the next start, whether this is recorded or not.
            tracing::warn!(%error, "cannot give runs back to the queue");
        }
    }
}
