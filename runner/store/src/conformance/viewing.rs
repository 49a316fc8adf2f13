//! What people and programs see.

use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::Chunk;
use signalbox_core::run::{Ending, Reason, RunError, State, StepRecord};

use super::kit::{end_with, run_in};
use super::{Kit, Place, append, end};
use crate::contract::{Accept, CallFilter, Error, RunFilter};

fn all() -> RunFilter {
    RunFilter { limit: 100, ..RunFilter::default() }
}

pub(crate) async fn a_claimed_run_is_running_for_everybody(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = kit.claimed().await;
    let queued = kit.queued().await;
    for durable in [false, true] {
        if durable {
            kit.write(append(&claim, 1, Chunk::default())).await;
        }
        let view = (*kit).run(&claim.run.id).await.unwrap().summary;
        assert_eq!(view.state, State::Running);
        assert!(view.started_at.is_some());
        for (state, run) in [(State::Running, &claim.run), (State::Queued, &queued)] {
            let filter = RunFilter { state: Some(state), ..all() };
            let ids: Vec<_> =
                kit.runs(filter).await.unwrap().items.into_iter().map(|run| run.id).collect();
            assert_eq!(ids, std::slice::from_ref(&run.id), "{state:?}");
        }
        let counts = kit.counts().await.unwrap();
        let pairs: Vec<_> = counts[0].runs.iter().collect();
        assert_eq!(pairs, [(&State::Queued, &1), (&State::Running, &1)]);
    }
    kit.write(end(&claim, 2)).await;
    let counts = kit.counts().await.unwrap();
    let pairs: Vec<_> = counts[0].runs.iter().collect();
    assert_eq!(pairs, [(&State::Queued, &1), (&State::Succeeded, &1)]);
}

pub(crate) async fn lists_go_on_at_their_cursor(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(kit.queued().await.id);
    }
    ids.reverse();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = kit.runs(RunFilter { limit: 2, cursor, ..all() }).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|run| run.id));
        kit.queued().await;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids, "newest first; what comes later disturbs nothing");
    let caller = kit.claimed_any().await;
    let (first, _) = kit.call(&caller, false).await;
    let filter = CallFilter { limit: 1, ..CallFilter::default() };
    let page = kit.calls(filter.clone()).await.unwrap();
    assert_eq!((page.items[0].run.clone(), page.next), (Some(first), None));
    for (workspace, found) in [("one", 1), ("two", 1), ("nobody", 0)] {
        let filter = CallFilter { workspace: Some(workspace.parse().unwrap()), ..filter.clone() };
        assert_eq!(kit.calls(filter).await.unwrap().items.len(), found, "{workspace}");
    }
}

impl Kit {
    async fn claimed_any(&self) -> crate::contract::Claim {
        self.claim_one("one").await
    }
}

pub(crate) async fn lists_are_filtered(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let failed = kit.claimed().await;
    let error = RunError::plain(Code::ScriptError, "no");
    let ending = Ending::Failed(Reason::ScriptError, error);
    kit.write(end_with(&failed, 1, ending)).await;
    let mut other = run_in("two", kit.deployment);
    other.flow = "g/h".parse().unwrap();
    other.queued_at = Timestamp(90_000);
    kit.accept(vec![Accept { ..Kit::plain(other.clone()) }]).await.unwrap();
    let filters = [
        RunFilter { workspace: Some("one".parse().unwrap()), ..all() },
        RunFilter { state: Some(State::Failed), ..all() },
        RunFilter { flow: Some("f".parse().unwrap()), ..all() },
        RunFilter { workspace: Some("two".parse().unwrap()), ..all() },
        RunFilter { since: Some(Timestamp(90_000)), ..all() },
        RunFilter { flow: Some("g/h".parse().unwrap()), state: Some(State::Queued), ..all() },
    ];
    for (at, filter) in filters.into_iter().enumerate() {
        let expected = if at < 3 { &failed.run.id } else { &other.id };
        let items = kit.runs(filter).await.unwrap().items;
        assert_eq!(items.len(), 1, "{at}");
        assert_eq!(items[0].id, *expected, "{at}");
    }
    for state in [State::Succeeded, State::Suspended, State::Running, State::Skipped] {
        let filter = RunFilter { state: Some(state), ..all() };
        assert!(kit.runs(filter).await.unwrap().items.is_empty(), "{state:?}");
    }
    let nobody = RunFilter { workspace: Some("nobody".parse().unwrap()), ..all() };
    assert!(kit.runs(nobody).await.unwrap().items.is_empty());
}

pub(crate) async fn a_run_shows_its_last_steps_and_error(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let claim = kit.claimed().await;
    let step = |id: &str, attempt, state| StepRecord {
        id: id.into(),
        state,
        attempt,
        started_at: Timestamp(1),
        duration_us: 2,
        error: None,
    };
    let first = vec![step("a", 1, State::Failed), step("b", 1, State::Succeeded)];
    let second = vec![step("a", 2, State::Succeeded)];
    let chunk = |steps| Chunk { steps, ..Chunk::default() };
    let error = RunError {
        code: Code::ScriptError,
        message: "boom".into(),
        file: Some("s.rhai".into()),
        line: Some(3),
        column: None,
    };
    let batch = vec![
        append(&claim, 1, chunk(first)),
        append(&claim, 2, chunk(second)),
        end_with(&claim, 3, Ending::Failed(Reason::ScriptError, error.clone())),
    ];
    kit.commit(batch).await.unwrap();
    let view = (*kit).run(&claim.run.id).await.unwrap();
    assert_eq!(view.steps, [step("b", 1, State::Succeeded), step("a", 2, State::Succeeded)]);
    assert_eq!(view.summary.error, Some(error));
    assert_eq!(view.summary.reason, Some(Reason::ScriptError));
    assert_eq!(view.summary.trigger, claim.run.trigger);
    assert_eq!(view.summary.tree, "t1");
    assert!(matches!((*kit).run(&kit.run().id).await, Err(Error::NotFound(_))));
}
