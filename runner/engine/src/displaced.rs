//! Runs that newer ones take the place of: `debounce`, and `when_full: cancel_running`.

use std::sync::Arc;
use std::time::Duration;

use signalbox_core::RunId;
use signalbox_core::run::State;
use signalbox_store::contract::Displaced;

use crate::events::EventKind;
use crate::recorder;
use crate::shared::Shared;

/// After a failure, so long before the next try.
const AGAIN: Duration = Duration::from_secs(1);

/// Deals with displaced runs until the engine stops. What it does not come to is told again by the
/// store when it is opened again.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        let told = tokio::select! {
            biased;
            () = shared.stopping() => return,
            told = shared.store.displaced() => told,
        };
        match told {
            Ok(all) => {
                for displaced in all {
                    settle(&shared, displaced).await;
                }
            }
            Err(signalbox_store::Error::Closed) => return,
            Err(error) => {
                tracing::error!(%error, "cannot tell which runs were replaced");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn settle(shared: &Arc<Shared>, displaced: Displaced) {
    match displaced {
        Displaced::Ended { run, workspace, flow, answers } => {
            let kind = EventKind::Run { run: run.clone(), flow, state: State::Skipped };
            shared.events.publish(shared.clock.now(), workspace, kind);
            shared.ended(&run);
            for answer in answers {
                recorder::route(shared, answer).await;
            }
        }
        // One that does not listen must not keep the others waiting.
        Displaced::Cancel(run) => drop(tokio::spawn(cancel(Arc::clone(shared), run))),
    }
}

async fn cancel(shared: Arc<Shared>, run: RunId) {
    while !shared.is_stopping() {
        let asked = shared.cancel(&run).await;
        if shared.store.run(&run).await.is_ok_and(|view| view.summary.state.is_terminal()) {
            return;
        }
        if let Err(error) = asked {
            tracing::warn!(%run, %error, "cannot cancel a replaced run; trying again");
        }
        tokio::time::sleep(AGAIN).await;
    }
}
