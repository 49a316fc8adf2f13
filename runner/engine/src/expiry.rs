//! Ends waits whose time has come: sleeps, calls that took too long, pauses before the next attempt,
//! deadlines.
//!
//! Moments are of the wall clock. A clock that is set forward makes them due at once, one that is
//! set back makes them wait longer; none is lost. The store knows them all and says which is next,
//! so that however many runs wait, nothing is kept here and nobody is woken but at that moment.

use std::sync::Arc;
use std::time::Duration;

use signalbox_core::clock::Timestamp;
use signalbox_core::health;
use signalbox_core::run::{Ending, Reason, State};
use signalbox_store::contract::{Aftermath, Expired, Named, Write, Written};

use crate::deadline::overdue;
use crate::events::EventKind;
use crate::handlers::Ended;
use crate::options::Error;
use crate::recorder;
use crate::shared::{Follows, Shared};

/// After a failure of the store, or when nothing that is due could be ended, so long before the next
/// try.
const AGAIN: Duration = Duration::from_secs(1);

/// Ends waits until the engine stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut alarm = match shared.alarm() {
        Ok(alarm) => alarm,
        Err(error) => return tracing::error!(%error, "cannot watch the time: no wait ends"),
    };
    let mut due = shared.store.due();
    let mut left = Left::Nothing;
    loop {
        let next = *due.borrow_and_update();
        let now = shared.clock.now();
        if left != Left::Nothing || next.is_some_and(|next| next <= now) {
            left = expire(&shared, now).await.unwrap_or_else(|error| {
                tracing::error!(%error, "cannot end waits; trying again");
                Left::Stuck
            });
            if left == Left::Stuck {
                tokio::select! {
                    biased;
                    () = shared.stopping() => return,
                    () = tokio::time::sleep(AGAIN) => {}
                }
            }
            if shared.is_stopping() {
                return;
            }
            continue;
        }
        tokio::select! {
            biased;
            () = shared.stopping() => return,
            changed = due.changed() => if changed.is_err() { return },
            () = alarm.until(next) => {}
        }
    }
}

/// What is left of what was due. The store's word of what is due next leaves out the deadlines that
/// have passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    /// There may be more.
    More,
    /// There is more, and this time nothing could be ended.
    Stuck,
}

async fn expire(shared: &Shared, now: Timestamp) -> Result<Left, Error> {
    let Expired { answers, retried, overdue, more } = shared.store.expire(now).await?;
    let mut moved = !answers.is_empty() || !retried.is_empty();
    for answer in answers {
        recorder::route(shared, answer).await;
    }
    for run in retried {
        tell(shared, run, State::Queued, now);
    }
    for run in overdue {
        moved |= fail(shared, run, now).await?;
    }
    Ok(match (more, moved) {
        (false, _) => Left::Nothing,
        (true, true) => Left::More,
        (true, false) => Left::Stuck,
    })
}

/// Fails a run whose deadline has passed; a cell that has it is told to stop it. Between two hands
/// nobody has it: whoever gets it looks at its deadline first. Answers whether it has ended.
async fn fail(shared: &Shared, late: Named, at: Timestamp) -> Result<bool, Error> {
    let (write, noted) = failure(shared, &late, at).await?;
    let told = recorder::handlers_of(&write);
    match shared.store.commit(vec![write]).await?.into_iter().next() {
        Some(Written::Claimed) => {
            if let Some(link) = shared.find_link(&late.run) {
                link.overdue(late.run).await;
            }
        }
        Some(written @ (Written::Answered(_) | Written::Done(_))) => {
            match noted {
                Some(noted) => shared.lookout.note((&late.workspace, &late.flow), noted, at),
                None => shared.lookout.doubt(),
            }
            tell(shared, late.clone(), State::Failed, at);
            shared.ended(&late.run, &Follows::Nothing);
            recorder::tell_of_handlers(shared, told, at);
            recorder::route_all(shared, written).await;
            return Ok(true);
        }
        Some(Written::Woken | Written::Suspended { .. } | Written::Fenced | Written::Rejected)
        | None => {}
    }
    Ok(false)
}

/// How a run ended, for the health of its workspace, and whether it handles something.
type Noted = (health::Ended, bool);

/// The end of a run whose deadline has passed, with what it starts and how it counts.
async fn failure(
    shared: &Shared,
    late: &Named,
    at: Timestamp,
) -> Result<(Write, Option<Noted>), Error> {
    let (reason, error) = (Reason::TimedOut, overdue());
    let ending = Ending::Failed(reason, error.clone());
    let (aftermath, noted) = match aftermath(shared, late, &ending, at).await {
        Err(error) if error.is_permanent() => {
            tracing::error!(run = %late.run, %error, "nobody hears of the end of a run");
            (None, None)
        }
        known => known.map(|(aftermath, noted)| (aftermath, Some(noted)))?,
    };
    Ok((Write::Fail { run: late.run.clone(), at, reason, error, aftermath }, noted))
}

async fn aftermath(
    shared: &Shared,
    late: &Named,
    ending: &Ending,
    at: Timestamp,
) -> Result<(Option<Box<Aftermath>>, Noted), Error> {
    let view = shared.store.run(&late.run).await?;
    let (attempt, started_at) = (view.summary.attempt, view.summary.started_at);
    let run = view.into_run();
    let noted = (health::Ended::of(true, started_at, at), run.trigger.handles());
    let Some(pinned) = shared.whose_handlers(&run).await? else { return Ok((None, noted)) };
    let (run, pinned) = (&run, &*pinned);
    let aftermath = shared.aftermath(&Ended { run, attempt, pinned, ending, started_at, at });
    Ok((aftermath, noted))
}

fn tell(shared: &Shared, Named { run, workspace, flow }: Named, state: State, at: Timestamp) {
    shared.events.publish(at, workspace, EventKind::Run { run, flow, state });
}
