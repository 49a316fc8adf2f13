//! What people and programs do to a runner while faults happen.
//!
//! A new kind of action is a row of [`ACTIONS`] and a function.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::HeaderMap;
use signalbox_core::run::State;
use signalbox_core::{RunId, Value};
use signalbox_engine::{Delivery, Handle, RerunRequest, StartRequest, Started, Which};
use signalbox_store::contract::RunFilter;
use signalbox_sync::hints::HintKind;

use crate::catalogue::{self, Asked};
use crate::dice::Dice;
use crate::model::{Model, Requested};
use crate::timeline::Pause;
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
    (14, |actor| Box::pin(crowd(actor))),
    (8, |actor| Box::pin(ask_again(actor))),
    (8, |actor| Box::pin(cancel(actor))),
    (5, |actor| Box::pin(rerun(actor))),
    (5, |actor| Box::pin(wait(actor))),
    (6, |actor| Box::pin(pause(actor))),
    (6, |actor| Box::pin(resume(actor))),
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

/// Somebody starts a run over the API, or delivers something to a webhook.
async fn start(actor: Actor) {
    let asked: Vec<_> = catalogue::flows().filter(|flow| flow.asked != Asked::Never).collect();
    let Some(flow) = actor.dice.pick(&asked) else { return };
    let is_delivery = matches!(flow.asked, Asked::Webhook(_));
    let keyed = is_delivery || actor.dice.happens(400);
    let number = actor.model.known().request(flow.full_name(), flow.asked, keyed);
    if is_delivery && actor.dice.happens(500) {
        // A sender that does not wait for its answer before it sends again.
        tokio::join!(request(&actor, number), request(&actor, number));
    } else {
        request(&actor, number).await;
    }
}

/// Several requests for runs of one flow at once: they take turns, if it says so.
async fn crowd(actor: Actor) {
    let crowded = ["in-line", "turned-away", "pushed-out", "last-word", "urgent", "unhurried"];
    let flows: Vec<_> = catalogue::flows().filter(|flow| crowded.contains(&flow.name)).collect();
    let mut tasks = tokio::task::JoinSet::new();
    let Some(first) = actor.dice.pick(&flows) else { return };
    for _ in 0..=actor.dice.below(5) {
        let flow = if first.name == "urgent" || first.name == "unhurried" {
            *actor.dice.pick(&["urgent", "unhurried"]).unwrap_or(&"urgent")
        } else {
            first.name
        };
        let name = format!("{}/{flow}", first.workspace);
        let number = actor.model.known().request(name, first.asked, false);
        let actor = actor.clone();
        tasks.spawn(async move {
            tokio::time::sleep(actor.dice.millis(2_000)).await;
            request(&actor, number).await;
        });
    }
    while tasks.join_next().await.is_some() {}
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
    let started = match request.asked {
        Asked::Webhook(name) => deliver(actor, name, number).await,
        Asked::Api | Asked::Keyed | Asked::Never => ask(actor, &request, number).await,
    };
    match started {
        Ok(started) => {
            actor.trace.say(|| format!("request {number} of {} is {}", request.flow, started.run));
            actor.model.known().answered(number, &started.run);
        }
        Err(error) => actor.trace.say(|| format!("request {number} has no answer: {error}")),
    }
}

async fn ask(actor: &Actor, request: &Requested, number: i64) -> anyhow::Result<Started> {
    let flow = request.flow.parse().map_err(anyhow::Error::msg)?;
    let idempotency_key = request.keyed.then(|| format!("request {number}"));
    let mut inputs = BTreeMap::from([("n".to_owned(), Value::Int(number))]);
    if request.asked == Asked::Keyed {
        inputs.insert("k".to_owned(), Value::Int(number % 2));
    }
    let inputs = Value::Map(inputs);
    Ok(actor.handle.start(StartRequest { flow, inputs, idempotency_key }).await?)
}

/// Somebody posts to a webhook of `shop`.
async fn deliver(actor: &Actor, webhook: &str, number: i64) -> anyhow::Result<Started> {
    let arrival = actor.handle.webhook("shop", webhook).context("there is no such webhook")?;
    let mut headers = HeaderMap::new();
    headers.insert("Idempotency-Key", format!("delivery {number}").parse()?);
    let body = format!("{{\"n\": {number}}}");
    let body = body.into_bytes().into();
    let delivery = Delivery { headers, query: BTreeMap::new(), body };
    Ok(arrival.open(&delivery.headers).await?.accept(delivery).await?)
}

/// One of the runs that the runner has, the newest first; rarely one that the runner cannot have.
async fn some_run(actor: &Actor, ended: bool) -> Option<RunId> {
    some_run_of(actor, ended, None).await
}

/// The same, of a flow.
async fn some_run_of(actor: &Actor, ended: bool, flow: Option<&str>) -> Option<RunId> {
    let flow = flow.and_then(|flow| flow.parse().ok());
    let filter = RunFilter { limit: 30, flow, ..RunFilter::default() };
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

/// Somebody starts an ended run again, from the beginning or from a step.
async fn rerun(actor: Actor) {
    let of = actor.dice.happens(400).then_some("steps");
    let Some(run) = some_run_of(&actor, true, of).await else { return };
    let Ok(view) = actor.handle.run(&run).await else { return };
    let newest = actor.dice.happens(500);
    let from = actor.dice.happens(500) && view.summary.flow.as_str() == "steps";
    let from = from.then(|| "b".to_owned());
    let changes = BTreeMap::new();
    let request =
        RerunRequest { run: run.clone(), newest, from: from.clone(), inputs: None, changes };
    let again = actor.handle.rerun(request).await;
    actor.trace.say(|| format!("rerun {run} from {from:?}: {again:?}"));
    if let Ok(again) = again {
        let mut known = actor.model.known();
        if from.is_some() {
            known.from_step.insert(again.clone());
        }
        known.accepted.insert(again);
    }
}

/// Somebody pauses the schedule of a flow, or all of a workspace.
async fn pause(actor: Actor) {
    let scheduled: Vec<_> = catalogue::flows().filter(|flow| flow.slots.is_some()).collect();
    let Some(flow) = actor.dice.pick(&scheduled) else { return };
    let pause = Pause {
        workspace: flow.workspace,
        flow: actor.dice.happens(600).then_some(flow.name),
        from: actor.handle.now(),
        to: None,
    };
    let Some(which) = which(&pause) else { return };
    let same = |other: &Pause| {
        other.to.is_none() && (other.workspace, other.flow) == (pause.workspace, pause.flow)
    };
    {
        let mut known = actor.model.known();
        if known.pauses.iter().any(same) {
            return;
        }
        known.pauses.push(pause);
    }
    let paused = actor.handle.pause(which.clone()).await;
    actor.trace.say(|| format!("pause {which:?}: {paused:?}"));
}

/// Somebody lets paused schedules go on.
async fn resume(actor: Actor) {
    let known = actor.model.known().pauses.clone();
    let open: Vec<_> = (0..known.len()).filter(|at| known[*at].to.is_none()).collect();
    if let Some(at) = actor.dice.pick(&open) {
        go_on(&actor, *at).await;
    }
}

/// Ends a pause. Answers whether it is over.
pub(crate) async fn go_on(actor: &Actor, at: usize) -> bool {
    let Some(pause) = actor.model.known().pauses.get(at).cloned() else { return true };
    let Some(which) = which(&pause) else { return true };
    let resumed = actor.handle.resume(which.clone()).await;
    actor.trace.say(|| format!("resume {which:?}: {resumed:?}"));
    let now = actor.handle.now();
    if let (Ok(_), Some(pause)) = (&resumed, actor.model.known().pauses.get_mut(at)) {
        pause.to.get_or_insert(now);
    }
    resumed.is_ok()
}

fn which(pause: &Pause) -> Option<Which> {
    Some(match pause.flow {
        None => Which::Workspace(pause.workspace.parse().ok()?),
        Some(flow) => Which::Schedule(format!("{}/{flow}", pause.workspace).parse().ok()?, None),
    })
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
