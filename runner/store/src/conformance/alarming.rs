//! Alarms, and what they follow from.

use std::sync::Arc;
use std::time::Duration;

use signalbox_core::alarm::{Absence, Raised, Subject, Why};
use signalbox_core::catalog::Workspace;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::health::Ended;
use signalbox_core::run::{Ending, NewRun, Reason, RunError, Trigger};

use super::kit::{end_then, end_with, new_deployment, record, script, succeed_by};
use super::{Kit, Place};
use crate::contract::{
    Aftermath, AlarmChange, AlarmTurn, CallDecision, CallFilter, DeploymentOutcome, EndedFilter,
    Expected, Handling, Lately, NewCall,
};

const DAY: Duration = Duration::from_hours(24);

fn absent(counted_from: i64) -> Raised {
    let why = Why::Absent { after: DAY, counted_from: Timestamp(counted_from) };
    Raised { subject: subject(), since: Timestamp(50_000), why, told: Vec::new() }
}

fn subject() -> Subject {
    Subject::absence("one".parse().unwrap(), "f".parse().unwrap())
}

/// A run that tells of an alarm.
fn telling(kit: &Kit) -> NewRun {
    let trigger = Trigger::Alarm { subject: subject(), recovered: false, service: None };
    NewRun { trigger, ..kit.run() }
}

async fn change(kit: &Kit, turn: AlarmTurn, run: &NewRun) -> bool {
    let started = vec![Handling::Run(Box::new(run.clone()))];
    kit.alarm(AlarmChange { turn, started, at: Timestamp(50_000) }).await.unwrap()
}

async fn raise(kit: &Kit, raised: Raised, run: &NewRun) -> bool {
    change(kit, AlarmTurn::Raise(Box::new(raised)), run).await
}

/// Makes a revision of `one` live that is changed so.
async fn deploy(kit: &Kit, at: i64, change: impl FnOnce(&mut Workspace)) {
    let mut new = new_deployment("one", DeploymentOutcome::Deployed);
    new.ended_at = Timestamp(at);
    change(Arc::get_mut(new.spec.as_mut().unwrap()).unwrap());
    kit.deploy(vec![new], vec![script()]).await.unwrap();
}

async fn expect(kit: &Kit, at: i64, after: Option<Duration>) {
    deploy(kit, at, |spec| {
        let flow = spec.flows.values_mut().next().unwrap();
        flow.absence = after.map(|after| Absence { after, notify: Vec::new() });
    })
    .await;
}

async fn expected(kit: &Kit) -> Vec<i64> {
    kit.watch().await.unwrap().expected.iter().map(|expected| expected.since.0).collect()
}

/// A run of `one` ends at 30 ms with a success that is expected.
async fn succeed(kit: &Kit) {
    let claim = kit.claimed().await;
    let aftermath = Aftermath { expected: true, ..Aftermath::default() };
    kit.write(end_then(&claim, Ending::Succeeded(vec![0]), aftermath)).await;
}

pub(crate) async fn an_alarm_is_told_once_and_its_end_once(place: &dyn Place) {
    let kit = Kit::new(place).await;
    expect(&kit, 3_000, Some(DAY)).await;
    let (first, second, over) = (telling(&kit), telling(&kit), telling(&kit));
    assert!(raise(&kit, absent(3_000), &first).await);
    let kit = kit.reopen(place).await;
    assert!(!raise(&kit, absent(3_000), &second).await, "it is raised already");
    assert_eq!(kit.watch().await.unwrap().raised, [absent(3_000)]);
    assert!(change(&kit, AlarmTurn::Clear(subject()), &over).await);
    let kit = kit.reopen(place).await;
    assert!(!change(&kit, AlarmTurn::Clear(subject()), &second).await, "it is over already");
    assert!(kit.watch().await.unwrap().raised.is_empty());
    let started = kit.claims("one", 9).await;
    assert_eq!(started.into_iter().map(|claim| claim.run).collect::<Vec<_>>(), [first, over]);
}

pub(crate) async fn an_absence_is_raised_only_while_there_was_no_success(place: &dyn Place) {
    let kit = Kit::new(place).await;
    expect(&kit, 3_000, Some(DAY)).await;
    assert_eq!(expected(&kit).await, [3_000]);
    succeed(&kit).await;
    let kit = kit.reopen(place).await;
    assert_eq!(expected(&kit).await, [30_000]);
    assert!(!raise(&kit, absent(3_000), &telling(&kit)).await, "it has succeeded since");
    assert!(kit.claims("one", 9).await.is_empty(), "and nobody is told");
    assert!(raise(&kit, absent(30_000), &telling(&kit)).await);
    let claim = kit.claim_one("one").await;
    kit.write(end_with(&claim, 1, Ending::Cancelled)).await;
    assert_eq!(expected(&kit).await, [30_000], "only a success counts");
}

pub(crate) async fn an_expectation_lives_with_its_flow(place: &dyn Place) {
    let kit = Kit::new(place).await;
    expect(&kit, 3_000, Some(DAY)).await;
    assert!(raise(&kit, absent(3_000), &telling(&kit)).await);
    expect(&kit, 4_000, Some(DAY)).await;
    let watch = kit.watch().await.unwrap();
    let flow = "one/f".parse().unwrap();
    assert_eq!(watch.expected, [Expected { flow, since: Timestamp(3_000), after: DAY }]);
    assert_eq!(watch.raised, [absent(3_000)], "a push leaves both");
    expect(&kit, 5_000, Some(DAY * 2)).await;
    let watch = kit.watch().await.unwrap();
    assert_eq!((expected(&kit).await, watch.raised), (vec![5_000], vec![]), "it counts anew");
    assert!(!raise(&kit, absent(3_000), &telling(&kit)).await);
    assert!(raise(&kit, absent(5_000), &telling(&kit)).await);
    expect(&kit, 6_000, None).await;
    assert_eq!(kit.watch().await.unwrap(), crate::contract::Watch::default());
    expect(&kit, 7_000, Some(DAY)).await;
    assert!(raise(&kit, absent(7_000), &telling(&kit)).await);
    kit.retire(&"one".parse().unwrap()).await.unwrap();
    assert_eq!(kit.watch().await.unwrap(), crate::contract::Watch::default());
}

pub(crate) async fn calls_of_alarms_are_on_record(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let service = Some("alerts.send".to_owned());
    let trigger = Trigger::Alarm { subject: subject(), recovered: false, service };
    let called = NewRun { trigger, workspace: "two".parse().unwrap(), ..kit.run() };
    let record = crate::contract::CallRecord { caller_run: None, ..record(&kit.run(), "two") };
    let refused = crate::contract::CallRecord { decision: CallDecision::Refused, ..record.clone() };
    let run = called.clone();
    let call = NewCall { run, queue_bound: 9, record, wait: false, until: None };
    let started = vec![Handling::Call(Box::new(call)), Handling::Refused(Box::new(refused))];
    let raised = Raised { subject: Subject::health("one".parse().unwrap()), ..absent(0) };
    let why = Why::Unhealthy { breaches: Vec::new(), window: DAY };
    let turn = AlarmTurn::Raise(Box::new(Raised { why, ..raised }));
    assert!(kit.alarm(AlarmChange { turn, started, at: Timestamp(50_000) }).await.unwrap());
    let claim = kit.claim_one("two").await;
    assert_eq!(claim.run, called);
    kit.write(end_with(&claim, 1, Ending::Succeeded(vec![0]))).await;
    let calls = kit.calls(CallFilter { limit: 9, ..CallFilter::default() }).await.unwrap().items;
    let seen: Vec<_> =
        calls.iter().map(|call| (call.record.decision, call.record.caller_run.clone())).collect();
    assert_eq!(seen, [(CallDecision::Refused, None), (CallDecision::Allowed, None)]);
    let state = Some(signalbox_core::run::State::Succeeded);
    assert_eq!((calls[1].run.as_ref(), calls[1].state), (Some(&called.id), state));
}

pub(crate) async fn what_ended_lately_is_counted_without_handlers(place: &dyn Place) {
    let kit = Kit::new(place).await;
    let filter = |workspace: &str, since: i64| EndedFilter {
        workspace: workspace.parse().unwrap(),
        flow: Some("f".parse().unwrap()),
        since: Timestamp(since),
    };
    assert_eq!(kit.lately(filter("one", 0)).await.unwrap(), Lately::default());
    let failed = Ending::Failed(Reason::ScriptError, RunError::plain(Code::ScriptError, "boom"));
    for ending in [Ending::Succeeded(vec![0]), failed.clone(), Ending::Cancelled] {
        let claim = kit.claimed().await;
        kit.write(end_with(&claim, 1, ending)).await;
    }
    let handler = telling(&kit);
    kit.accept_one(Kit::plain(handler)).await;
    let claim = kit.claim_one("one").await;
    kit.write(end_with(&claim, 1, failed)).await;
    let claim = kit.claimed().await;
    kit.write(succeed_by(&claim, 1, kit.run())).await;
    let ended = |failed| Ended { at: Timestamp(30_000), failed, duration_us: 10_000 };
    let mut lately = kit.lately(filter("one", 29_999)).await.unwrap();
    lately.ended.sort_by_key(|run| run.failed);
    let at = Some(Timestamp(30_000));
    let all = Lately { ended: vec![ended(false), ended(true)], last_success: at, last_failure: at };
    assert_eq!(lately, all);
    let later = kit.lately(filter("one", 30_000)).await.unwrap();
    assert_eq!(later, Lately { ended: Vec::new(), ..all });
    assert_eq!(kit.lately(filter("two", 0)).await.unwrap(), Lately::default());
}
