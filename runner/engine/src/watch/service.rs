//! The loop that raises alarms and says when they are over.

use std::sync::Arc;
use std::time::Duration;

use signalbox_core::alarm::Raised;
use signalbox_core::clock::Timestamp;
use signalbox_store::contract::{AlarmChange, AlarmTurn, EndedFilter};

use super::tell::runs_of;
use crate::events::EventKind;
use crate::lookout::Due;
use crate::options::Error;
use crate::shared::Shared;

/// After a failure of the store, so long before the next try.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs until the engine stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut alarm = match shared.alarm() {
        Ok(alarm) => alarm,
        Err(error) => return tracing::error!(%error, "cannot watch the time: no alarm is raised"),
    };
    loop {
        let next = match turn(&shared).await {
            Ok(next) => next,
            Err(_) if shared.is_stopping() => return,
            Err(error) => {
                tracing::error!(%error, "cannot look after alarms; trying again");
                shared.lookout.doubt();
                tokio::select! {
                    biased;
                    () = tokio::time::sleep(AGAIN) => continue,
                    () = shared.stopping() => return,
                }
            }
        };
        tokio::select! {
            biased;
            () = alarm.until(next) => {}
            () = shared.lookout.woken() => {}
            () = shared.stopping() => return,
        }
    }
}

/// Follows what is live, and does what is due. Answers when something may change by itself.
async fn turn(shared: &Shared) -> Result<Option<Timestamp>, Error> {
    follow(shared).await?;
    let now = shared.clock.now();
    let Due { raise, clear, next } = shared.lookout.due(now);
    let changed = !raise.is_empty() || !clear.is_empty();
    for (subject, why) in raise {
        let told = shared.told_of(&subject);
        let alarm = Raised { subject, since: now, why, told };
        tracing::warn!(subject = %alarm.subject, "{}", alarm.message());
        let turn = AlarmTurn::Raise(Box::new(alarm.clone()));
        if change(shared, &alarm, turn, now).await? {
            shared.lookout.raised(alarm);
        }
    }
    for alarm in clear {
        tracing::info!(subject = %alarm.subject, "an alarm is over");
        let turn = AlarmTurn::Clear(alarm.subject.clone());
        if change(shared, &alarm, turn, now).await? {
            shared.lookout.cleared(&alarm.subject);
        }
    }
    // What was raised is over some day, and what is over can come again: that has its moment, too.
    Ok(if changed { Some(now) } else { next })
}

/// Reads what the state in memory follows from, when that changed.
async fn follow(shared: &Shared) -> Result<(), Error> {
    while let Some(wanted) = shared.lookout.wanted(shared.live.load_full()) {
        let now = shared.clock.now();
        let watch = shared.store.watch().await?;
        let mut lately = Vec::new();
        for (workspace, thresholds) in &wanted.windows {
            let since = now.minus(thresholds.window);
            let filter = EndedFilter { workspace: workspace.clone(), flow: None, since };
            lately.push(shared.store.lately(filter).await?);
        }
        shared.lookout.adopt(wanted, watch, lately, shared.clock.now());
    }
    Ok(())
}

/// Writes a change with what tells of it. When the store says that it was so already, what is known
/// here is read again.
async fn change(
    shared: &Shared,
    alarm: &Raised,
    turn: AlarmTurn,
    at: Timestamp,
) -> Result<bool, Error> {
    let recovered = matches!(turn, AlarmTurn::Clear(_)).then_some(at);
    let started = shared.tell(alarm, recovered, at);
    let runs = runs_of(&started);
    if shared.is_stopping() {
        // Nothing is started any more: whoever comes next tells of it.
        return Err(Error::Stopping);
    }
    let changed = shared.store.alarm(AlarmChange { turn, started, at }).await?;
    if changed {
        for (run, workspace, flow) in runs {
            let state = signalbox_core::run::State::Queued;
            shared.events.publish(at, workspace, EventKind::Run { run, flow, state });
        }
        let subject = &alarm.subject;
        let kind = EventKind::Alarm { flow: subject.flow.clone(), raised: recovered.is_none() };
        shared.events.publish(at, subject.workspace.clone(), kind);
    } else {
        shared.lookout.doubt();
    }
    Ok(changed)
}
