//! What people and programs do to a runner while faults happen.
//!
//! A new kind of action is a row of [`ACTIONS`] and a function.

use std::pin::Pin;
use std::time::Duration;

use signalbox_core::run::State;
use signalbox_core::{RunId, Value};
use signalbox_engine::{Handle, RerunRequest, StartRequest};
use signalbox_store::contract::RunFilter;
use signalbox_sync::hints::HintKind;

use crate::catalogue::FLOWS;
use crate::dice::Dice;
use crate::model::Model;
use crate::trace::Trace;

/// Who acts, with what it acts on.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    pub(crate) handle: Handle,
    pub(crate) dice: Dice,
    pub(crate) model: Model,
    pub(crate) trace: Trace,
}

/// How long somebody waits for the end of a run.
const PATIENCE: Duration = Duration::from_secs(20);

type Act = fn(Actor) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Every action with how often it is drawn beside the others.
pub(crate) const ACTIONS: &[(usize, Act)] = &[
    (50, |actor| Box::pin(start(actor))),
    (10, |actor| Box::pin(burst(actor))),
    (8, |actor| Box::pin(ask_again(actor))),
    (8, |actor| Box::pin(cancel(actor))),
    (5, |actor| Box::pin(rerun(actor))),
    (5, |actor| Box::pin(wait(actor))),
];

/// An action, drawn.
pub(crate) fn drawn(dice: &Dice) -> Act {
    let all = ACTIONS.iter().map(|(weight, _)| weight).sum();
    let mut at = dice.below(all);
    for (weight, act) in ACTIONS {
        if at < *weight {
            return *act;
        }
        at -= weight;
    }
    ACTIONS[0].1
}

/// Somebody starts a run over the API.
async fn start(actor: Actor) {
    let flows: Vec<_> = FLOWS.iter().filter(|flow| flow.requested).collect();
    let Some(flow) = actor.dice.pick(&flows) else { return };
    let keyed = actor.dice.happens(400);
    let name = format!("{}/{}", flow.workspace, flow.name);
    let number = actor.model.known().request(name, keyed);
    request(&actor, number).await;
}

/// Several people start runs at once.
async fn burst(actor: Actor) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..=actor.dice.below(6) {
        tasks.spawn(start(actor.clone()));
    }
    while tasks.join_next().await.is_some() {}
}

/// Whoever had no answer asks again, with the same key.
async fn ask_again(actor: Actor) {
    let open: Vec<_> = {
        let known = actor.model.known();
        let keyed = known.requests.iter().filter(|(_, request)| request.keyed);
        keyed.map(|(number, _)| *number).collect()
    };
    if let Some(number) = actor.dice.pick(&open) {
        request(&actor, *number).await;
    }
}

/// Asks for the run of a request.
pub(crate) async fn request(actor: &Actor, number: i64) {
    let Some(request) = actor.model.known().requests.get(&number).cloned() else { return };
    let Ok(flow) = request.flow.parse() else { return };
    let idempotency_key = request.keyed.then(|| format!("request {number}"));
    let inputs = Value::map([("n", Value::Int(number))]);
    let started = actor.handle.start(StartRequest { flow, inputs, idempotency_key }).await;
    match started {
        Ok(started) => {
            actor.trace.say(|| format!("request {number} of {} is {}", request.flow, started.run));
            actor.model.known().answered(number, started.run);
        }
        Err(error) => actor.trace.say(|| format!("request {number} has no answer: {error}")),
    }
}

/// One of the runs that the runner has, the newest first; rarely one that the runner cannot have.
async fn some_run(actor: &Actor, ended: bool) -> Option<RunId> {
    let filter = RunFilter { limit: 30, ..RunFilter::default() };
    let runs = actor.handle.store().runs(filter).await.ok()?.items;
    let fit: Vec<_> = runs.iter().filter(|run| run.state.is_terminal() == ended).collect();
    actor.dice.pick(&fit).map(|run| run.id.clone())
}

/// Somebody cancels a run.
async fn cancel(actor: Actor) {
    let Some(run) = some_run(&actor, false).await else { return };
    actor.model.known().cancelled.insert(run.clone());
    let cancelled = actor.handle.cancel(&run).await;
    actor.trace.say(|| format!("cancel {run}: {cancelled:?}"));
}

/// Somebody starts an ended run again.
async fn rerun(actor: Actor) {
    let Some(run) = some_run(&actor, true).await else { return };
    let newest = actor.dice.happens(500);
    let changes = std::collections::BTreeMap::new();
    let request = RerunRequest { run: run.clone(), newest, from: None, inputs: None, changes };
    let again = actor.handle.rerun(request).await;
    actor.trace.say(|| format!("rerun {run}: {again:?}"));
    if let Ok(again) = again {
        actor.model.known().accepted.insert(again);
    }
}

/// Somebody waits for the end of a run, for a while.
async fn wait(actor: Actor) {
    let jumps = actor.model.known().jumps;
    let Some(run) = some_run(&actor, false).await else { return };
    let ended = actor.handle.wait(&run, PATIENCE).await;
    actor.trace.say(|| format!("waited for {run}: {ended:?}"));
    if let (Ok(None), Ok(view)) = (ended, actor.handle.run(&run).await)
        && !actor.handle.is_stopping()
        && let Some(ended_at) = view.summary.ended_at
        && ended_at.plus(PATIENCE / 2) < actor.handle.now()
        && actor.model.known().jumps == jumps
    {
        let what = format!("run {run} ended at {ended_at} and whoever waited was not told");
        actor.model.known().broken.push(what);
    }
}

/// The repository's host tells the runner of a push.
pub(crate) async fn sync(actor: &Actor) {
    let report = actor.handle.sync(HintKind::Webhook, Some(Duration::from_secs(30))).await;
    let said = report.map(|report| report.map(|report| report.is_good()));
    actor.trace.say(|| format!("synced: {said:?}"));
}

/// How many runs have not ended.
pub(crate) async fn open_runs(handle: &Handle) -> anyhow::Result<u64> {
    let counts = handle.store().counts().await?;
    let open = counts.iter().flat_map(|counts| &counts.runs);
    Ok(open.filter(|(state, _)| !State::is_terminal(**state)).map(|(_, runs)| runs).sum())
}
