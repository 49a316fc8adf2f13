//! The dispatcher's loop: one turn, one look at everything that could be done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use signalbox_core::answer::answer_of;
use signalbox_core::codes::Code;
use signalbox_core::isolation::Level;
use signalbox_core::journal::Chunk;
use signalbox_core::run::{Ending, Reason, RunError, State};
use signalbox_core::why::Cells;
use signalbox_core::{RunId, WorkspaceName};
use signalbox_store::contract::{Claim, Want, Write};
use tokio::sync::mpsc;

use super::fair;
use super::pool::Pool;
use crate::events::EventKind;
use crate::handlers::Ended;
use crate::link::{Assignment, CellId, Command, Message};
use crate::recorder;
use crate::revisions::Pinned;
use crate::shared::{Follows, Shared};
use crate::way::{self, Station};

/// After a cell could not be started, so long before the next try.
const START_AGAIN: Duration = Duration::from_secs(1);
/// While it is not known how long a workspace's runs take, and more wait than its cells can take, one
/// cell is added each time this has passed: short runs are over by then, long ones do not wait for
/// each other.
const CURIOUS: Duration = Duration::from_millis(5);

/// A run that was evaluated when the runner died is evaluated again so often, then it fails and waits
/// among the dead letters: DESIGN §6.3.
const RECOVERIES: u32 = 5;

/// When the dispatcher looks again if it hears nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// At once: a run that must be alone found no empty cell, and there can be one.
    Now,
    /// When the first runs of a workspace have had their chance to end.
    Soon,
    /// Never.
    Not,
}

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
        let mut alarm = match self.shared.alarm() {
            Ok(alarm) => alarm,
            Err(error) => return tracing::error!(%error, "cannot watch the time of runs"),
        };
        loop {
            let again = match self.fill().await {
                Ok(again) => again,
                Err(error) => {
                    tracing::error!(%error, "cannot claim runs");
                    self.again();
                    Again::Not
                }
            };
            if again == Again::Now {
                continue;
            }
            let shared = Arc::clone(&self.shared);
            let due = self.shared.store.next_due();
            tokio::select! {
                // Each turn claims and empties the inbox, whichever comes first.
                biased;
                () = shared.stopping(), if !self.stopping => self.stop().await,
                Some(message) = self.inbox.recv() => self.take(message).await,
                () = ready.notified(), if !self.stopping => {}
                () = alarm.until(due), if !self.stopping => {}
                () = tokio::time::sleep(CURIOUS), if again == Again::Soon => {}
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
            Message::Claimed { workspace, wanted, claims } => {
                self.pool(&workspace).claimed(wanted);
                self.claimed(claims).await;
            }
            Message::Finished { cell, workspace, runs, evaluated } => {
                self.pool(&workspace).finished(cell, runs, evaluated);
            }
            Message::Returned { cell, workspace, runs, assignments } => {
                self.pool(&workspace).returned(cell, runs, assignments);
            }
            Message::Retired { cell, workspace } => self.pool(&workspace).retired(cell),
            Message::Gone { cell, workspace, leftover, failed } => {
                self.pool(&workspace).gone(cell, leftover, failed);
                if failed {
                    self.again();
                }
            }
            Message::Again => self.pools.values_mut().for_each(Pool::try_again),
            Message::Look { workspace, reply } => {
                let limit = self.shared.live.load().grants(&workspace).limits.concurrency;
                let cells = self.pools.get(&workspace).map(Pool::cells).unwrap_or_default();
                // Whoever asked may have gone.
                reply.send(Cells { limit, ..cells }).ok();
            }
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
    async fn fill(&mut self) -> Result<Again, signalbox_store::Error> {
        if self.stopping {
            return Ok(Again::Not);
        }
        let live = self.shared.live.load_full();
        let mut demands = Vec::new();
        for waiting in self.shared.store.waiting().await? {
            self.pool(&waiting.workspace).waiting = waiting.runs;
        }
        for (workspace, pool) in &mut self.pools {
            if live.find(workspace).is_some() {
                pool.limits = live.grants(workspace).limits;
            }
            demands.push(pool.demand());
        }
        let grown = fair::share(&demands);
        let mut done = grown.iter().any(|cells| *cells > 0);
        let mut again = Again::Not;
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
            if cells > 0 && pool.waiting > runs && pool.is_curious() {
                again = Again::Soon;
            }
            pool.waiting = 0;
            if runs > 0 {
                wants.push(Want { workspace, runs });
            }
        }
        self.release_crowded();
        for want in wants {
            done |= self.claim(want).await?;
        }
        if done && self.pools.values().any(Pool::wants_one_alone) {
            again = Again::Now;
        }
        Ok(again)
    }

    /// Claims runs of a workspace and places them. When some must be read first, that is told later,
    /// as [`Message::Claimed`]: nobody waits for a queue that is longer than memory. Answers whether
    /// they are placed.
    async fn claim(&mut self, want: Want) -> Result<bool, signalbox_store::Error> {
        let Want { workspace, runs: wanted } = want.clone();
        let store = Arc::clone(&self.shared.store);
        let mut claiming = Box::pin(async move { store.claim(vec![want]).await });
        let at_once = claiming.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(claims) = at_once {
            for claim in claims? {
                self.place(claim).await;
            }
            return Ok(true);
        }
        self.pool(&workspace).claiming(wanted);
        let dispatcher = self.shared.dispatcher.clone();
        tokio::spawn(async move {
            let claims = claiming.await;
            // The dispatcher does not end before it has heard this.
            drop(dispatcher.send(Message::Claimed { workspace, wanted, claims }).await);
        });
        Ok(false)
    }

    async fn claimed(&mut self, claims: Result<Vec<Claim>, signalbox_store::Error>) {
        match claims {
            Ok(claims) if self.stopping => {
                let claims = claims.iter();
                self.release_now(claims.map(release_of).collect()).await;
            }
            Ok(claims) => {
                for claim in claims {
                    self.place(claim).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "cannot claim runs");
                self.again();
            }
        }
    }

    async fn place(&mut self, claim: Claim) {
        way::passed(&claim.run.id, Station::Claimed);
        match self.shared.revisions.get(claim.run.deployment).await {
            Ok(pinned) if claim.recovered > RECOVERIES => {
                let message = format!(
                    "the runner died {} times while it evaluated this run; it is not tried again",
                    claim.recovered
                );
                let error = RunError::plain(Code::CellLost, message);
                self.fail(claim, Some(&pinned), Ending::Failed(Reason::CellLost, error));
            }
            Ok(pinned) if self.shared.lacks_walls(pinned.spec.isolation) => {
                let least = pinned.spec.isolation.unwrap_or(Level::L1);
                let message = format!(
                    "its workspace demands isolation level {least}, which cells do not reach here"
                );
                let error = RunError::plain(Code::IsolationTooWeak, message);
                self.fail(claim, Some(&pinned), Ending::Failed(Reason::Denied, error));
            }
            Ok(pinned) => {
                let suspect = claim.lost_cells > 0 || claim.note;
                let workspace = claim.run.workspace.clone();
                self.pool(&workspace).place(Assignment { claim, pinned, suspect, refused: 0 });
            }
            Err(error) if error.is_permanent() => {
                tracing::error!(run = %claim.run.id, %error, "the revision of a run is lost");
                let message = format!("its revision is lost: {error}");
                let error = RunError::plain(Code::Internal, message);
                let live = self.shared.live_revision(&claim.run.workspace);
                self.fail(claim, live.as_deref(), Ending::Failed(Reason::ScriptError, error));
            }
            Err(error) => {
                tracing::error!(run = %claim.run.id, %error, "cannot load the revision of a run");
                self.give_back(vec![release(&claim.run.id, claim.epoch, claim.active_us)]);
                self.again();
            }
        }
    }

    /// Ends a run that no cell can evaluate, with the handlers of a revision.
    fn fail(&self, claim: Claim, pinned: Option<&Pinned>, ending: Ending) {
        let now = self.shared.clock.now();
        let started_at = claim.started_at.unwrap_or(now);
        let aftermath = pinned.and_then(|pinned| {
            let ended = Ended {
                run: &claim.run,
                attempt: claim.attempt,
                pinned,
                ending: &ending,
                started_at: Some(started_at),
                at: now,
            };
            self.shared.aftermath(&ended)
        });
        let write = Write::End {
            run: claim.run.id.clone(),
            epoch: claim.epoch,
            number: claim.next_chunk,
            started_at,
            chunk: Chunk::default(),
            answer: answer_of(&ending),
            ending,
            ended_at: now,
            isolation: 0,
            aftermath,
        };
        let shared = Arc::clone(&self.shared);
        let (ended, handles) = (recorder::ended_of(&write), claim.run.trigger.handles());
        tokio::spawn(async move {
            if let Some(written) = recorder::commit(&shared, vec![write]).await {
                for written in written {
                    recorder::route_all(&shared, written).await;
                }
                if let Some(ended) = ended {
                    let of = (&claim.run.workspace, &claim.run.flow);
                    shared.lookout.note(of, (ended, handles), now);
                }
                let (run, flow) = (claim.run.id.clone(), claim.run.flow);
                let kind = EventKind::Run { run, flow, state: State::Failed };
                shared.events.publish(now, claim.run.workspace, kind);
                shared.ended(&claim.run.id, &Follows::Nothing);
            }
        });
    }

    /// Gives claimed runs back to the queue, beside the loop and until it works.
    fn give_back(&self, writes: Vec<Write>) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move { recorder::commit(&shared, writes).await });
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
        let returned: Vec<_> = self.pools.values_mut().flat_map(Pool::take_returned).collect();
        self.release_now(returned.iter().map(|returned| release_of(&returned.claim)).collect())
            .await;
    }

    async fn release_now(&self, writes: Vec<Write>) {
        if !writes.is_empty()
            && let Err(error) = self.shared.store.commit(writes).await
        {
            // They are queued again at the next start, whether this is recorded or not.
            tracing::warn!(%error, "cannot give runs back to the queue");
        }
    }

    /// Runs that came back and find no room wait in the queue, where everybody can reach them.
    fn release_crowded(&mut self) {
        let crowded: Vec<_> = self.pools.values_mut().flat_map(Pool::take_crowded).collect();
        if !crowded.is_empty() {
            self.give_back(crowded.iter().map(|crowded| release_of(&crowded.claim)).collect());
        }
    }
}

fn release_of(claim: &Claim) -> Write {
    release(&claim.run.id, claim.epoch, claim.active_us)
}

fn release(run: &RunId, epoch: u64, active_us: i64) -> Write {
    Write::Release { run: run.clone(), epoch, cell_lost: false, active_us }
}
