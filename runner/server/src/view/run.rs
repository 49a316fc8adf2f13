//! A run.

use serde::Serialize;
use serde_json::Value;
use signalbox_core::run::{Reason, RunError, StepRecord, Trigger};
use signalbox_core::turn::Turn;
use signalbox_core::value::DecodeError;
use signalbox_core::why::Why;
use signalbox_store::contract::{RunSummary, RunView, Wait, WaitKind};
use utoipa::ToSchema;

use super::why::WhyJson;
use super::{FlowPlace, json, millis, time};

/// A run. Lists leave out `inputs`, `result`, `steps`, `chain`, `waits_for`, `waits`,
/// `successor`, `deadline`, `dealt_at` and `turn`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Run)]
pub(crate) struct RunJson {
    /// A UUID.
    id: String,
    workspace: String,
    flow: String,
    /// The deployment that it is pinned to for life.
    deployment: String,
    /// The commit of that deployment.
    revision: String,
    /// The workspace's tree at that commit.
    tree: String,
    trigger: TriggerJson,
    /// `queued`, `running`, `suspended`, `succeeded`, `failed`, `cancelled` or `skipped`.
    state: &'static str,
    /// Why it is in its state, from a closed list.
    reason: Option<&'static str>,
    /// Suspended: when the first of its waits ends by itself, if one does.
    until: Option<String>,
    /// Why it does not run: of a run that is queued, suspended or skipped, when it is read alone
    /// or in a list of runs.
    why: Option<WhyJson>,
    /// From 1.
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    error: Option<RunErrorJson>,
    /// The run that started it, and may wait for it.
    parent_run: Option<String>,
    /// Who called it: through the broker, or from its own workspace.
    caller: Option<Caller>,
    /// The run that it continues.
    predecessor: Option<String>,
    /// Isolation level of the cell that evaluated it, `L0` to `L3`, once it ended.
    isolation: Option<String>,
    /// RFC 3339, as all times are.
    queued_at: String,
    started_at: Option<String>,
    ended_at: Option<String>,
    /// From its start to its end.
    duration_ms: Option<f64>,
    /// The last record of each step, in the order they ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<StepJson>>,
    /// Flows whose calls led to it, oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<Vec<FlowPlace>>,
    /// Runs that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<Vec<String>>,
    /// All that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<Vec<WaitJson>>,
    /// The run that continues it: `continue_as`.
    #[serde(skip_serializing_if = "Option::is_none")]
    successor: Option<String>,
    /// When it must have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<String>,
    /// When somebody dealt with its failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    dealt_at: Option<String>,
    /// How it takes its turn among others.
    #[serde(skip_serializing_if = "Option::is_none")]
    turn: Option<TurnJson>,
}

/// Something that a run waits for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Wait)]
pub(crate) struct WaitJson {
    /// `moment`, `run` or `retry`.
    kind: &'static str,
    /// When it ends by itself.
    until: Option<String>,
    /// Kind `run`: which.
    run: Option<String>,
    /// Scope of the journal's entry: `fetch#0`; empty outside of steps.
    scope: String,
}

/// How a run takes its turn among others: its flow's settings, as they were when it was accepted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Turn)]
pub(crate) struct TurnJson {
    /// From -10 to 10; higher goes first.
    priority: i8,
    /// What it shares with other runs of its flow: empty when all share one, null when nothing is.
    key: Option<String>,
    /// Most runs with the key that have begun and not ended.
    limit: Option<u32>,
    /// `queue`, `skip` or `cancel_running`.
    when_full: &'static str,
    debounce_ms: Option<f64>,
}

/// What started a run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = Trigger)]
pub(crate) enum TriggerJson {
    /// A slot of a schedule.
    Schedule {
        /// The schedule's identity in its flow.
        schedule: String,
        /// The slot's nominal time.
        slot: String,
    },
    /// A call through the broker.
    Call {
        /// The calling flow.
        caller: FlowPlace,
        /// The calling run.
        run: String,
        /// The service that was named, if one was.
        service: Option<String>,
    },
    /// How another run ended, which this one handles.
    Handler {
        /// `failure`, `recovery`, `success` or `call_failure`.
        event: &'static str,
        /// The flow that it happened to.
        flow: FlowPlace,
        /// Its run.
        of: String,
        /// The service that was named as the handler, if one was.
        service: Option<String>,
    },
    /// An alarm that was raised, or is over.
    Alarm {
        /// `health` or `absence`.
        alarm: &'static str,
        workspace: String,
        /// The flow that is absent.
        flow: Option<String>,
        /// Whether it is over.
        recovered: bool,
        /// The service that was named as the handler, if one was.
        service: Option<String>,
    },
    /// A request from outside.
    Webhook {
        /// The webhook's name in its workspace.
        webhook: String,
    },
    /// The API, or a command that speaks to it.
    Api,
    /// A re-run.
    Retry {
        /// The run that is repeated.
        of: String,
    },
    /// `flow::run`, `flow::start` or a step's `flow`, in the same workspace.
    Flow {
        /// The flow that started it.
        caller: FlowPlace,
        /// Its run.
        run: String,
    },
    /// `continue_as`.
    Continue {
        /// The run that it continues.
        of: String,
    },
}

/// Who called a run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Caller {
    workspace: String,
    flow: String,
    run: String,
}

/// How a run failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunError)]
pub(crate) struct RunErrorJson {
    /// `SB....`
    code: &'static str,
    message: String,
    /// From the workspace's folder.
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
}

/// A step of a run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Step)]
pub(crate) struct StepJson {
    /// With `#n` when it is not its first occurrence.
    id: String,
    /// `succeeded`, `failed` or `skipped`.
    state: &'static str,
    attempt: u32,
    started_at: String,
    duration_ms: f64,
    error: Option<String>,
}

impl From<&RunSummary> for RunJson {
    fn from(run: &RunSummary) -> Self {
        let caller = match &run.trigger {
            Trigger::Call { caller, run, .. } | Trigger::Flow { caller, run } => Some(Caller {
                workspace: caller.workspace.to_string(),
                flow: caller.flow.to_string(),
                run: run.to_string(),
            }),
            Trigger::Schedule { .. }
            | Trigger::Handler { .. }
            | Trigger::Alarm { .. }
            | Trigger::Webhook { .. }
            | Trigger::Api
            | Trigger::Retry { .. }
            | Trigger::Continue { .. } => None,
        };
        let predecessor = match &run.trigger {
            Trigger::Continue { of, .. } => Some(of.to_string()),
            Trigger::Schedule { .. }
            | Trigger::Call { .. }
            | Trigger::Handler { .. }
            | Trigger::Alarm { .. }
            | Trigger::Webhook { .. }
            | Trigger::Api
            | Trigger::Retry { .. }
            | Trigger::Flow { .. } => None,
        };
        Self {
            id: run.id.to_string(),
            workspace: run.workspace.to_string(),
            flow: run.flow.to_string(),
            deployment: run.deployment.to_string(),
            revision: run.revision.to_string(),
            tree: run.tree.clone(),
            trigger: (&run.trigger).into(),
            state: run.state.as_str(),
            reason: run.reason.map(Reason::as_str),
            until: time(run.until),
            why: None,
            attempt: run.attempt,
            inputs: None,
            result: None,
            error: run.error.as_ref().map(Into::into),
            parent_run: caller.as_ref().map(|caller| caller.run.clone()),
            caller,
            predecessor,
            isolation: run.isolation.map(|level| format!("L{level}")),
            queued_at: run.queued_at.to_string(),
            started_at: time(run.started_at),
            ended_at: time(run.ended_at),
            duration_ms: millis(run.started_at, run.ended_at),
            steps: None,
            chain: None,
            waits_for: None,
            waits: None,
            successor: None,
            deadline: None,
            dealt_at: None,
            turn: None,
        }
    }
}

impl RunJson {
    /// With why it does not run.
    pub(crate) fn because(self, why: Option<&Why>) -> Self {
        Self { why: why.map(Into::into), ..self }
    }
}

impl From<&Turn> for TurnJson {
    fn from(turn: &Turn) -> Self {
        Self {
            priority: turn.priority,
            key: turn.key.clone(),
            limit: turn.limit,
            when_full: turn.when_full.as_str(),
            debounce_ms: turn.debounce.map(|debounce| debounce.as_secs_f64() * 1000.0),
        }
    }
}

impl TryFrom<&RunView> for RunJson {
    type Error = DecodeError;

    fn try_from(run: &RunView) -> Result<Self, DecodeError> {
        let result = run.result.as_deref().map(json).transpose()?;
        Ok(Self {
            inputs: Some(json(&run.inputs)?),
            result: Some(result.unwrap_or(Value::Null)),
            steps: Some(run.steps.iter().map(Into::into).collect()),
            chain: Some(run.chain.iter().map(Into::into).collect()),
            waits_for: Some(run.waits_for.iter().map(ToString::to_string).collect()),
            waits: Some(run.waits.iter().map(Into::into).collect()),
            successor: run.successor.as_ref().map(ToString::to_string),
            deadline: time(run.deadline),
            dealt_at: time(run.dealt_at),
            turn: (!run.turn.is_plain()).then(|| (&run.turn).into()),
            ..(&run.summary).into()
        })
    }
}

impl From<&Trigger> for TriggerJson {
    fn from(trigger: &Trigger) -> Self {
        match trigger {
            Trigger::Schedule { schedule, slot } => {
                Self::Schedule { schedule: schedule.clone(), slot: slot.to_string() }
            }
            Trigger::Call { caller, run, service } => {
                Self::Call { caller: caller.into(), run: run.to_string(), service: service.clone() }
            }
            Trigger::Handler { event, flow, of, service } => Self::Handler {
                event: event.as_str(),
                flow: flow.into(),
                of: of.to_string(),
                service: service.clone(),
            },
            Trigger::Alarm { subject, recovered, service } => Self::Alarm {
                alarm: subject.kind().as_str(),
                workspace: subject.workspace.to_string(),
                flow: subject.flow.as_ref().map(ToString::to_string),
                recovered: *recovered,
                service: service.clone(),
            },
            Trigger::Webhook { webhook } => Self::Webhook { webhook: webhook.clone() },
            Trigger::Api => Self::Api,
            Trigger::Retry { of, .. } => Self::Retry { of: of.to_string() },
            Trigger::Flow { caller, run } => {
                Self::Flow { caller: caller.into(), run: run.to_string() }
            }
            Trigger::Continue { of, .. } => Self::Continue { of: of.to_string() },
        }
    }
}

impl From<&Wait> for WaitJson {
    fn from(wait: &Wait) -> Self {
        let (kind, run) = match &wait.kind {
            WaitKind::Moment => ("moment", None),
            WaitKind::Run(run) => ("run", Some(run.to_string())),
            WaitKind::Retry => ("retry", None),
        };
        Self { kind, until: time(wait.until), run, scope: wait.key.scope.clone() }
    }
}

impl From<&RunError> for RunErrorJson {
    fn from(error: &RunError) -> Self {
        Self {
            code: error.code.as_str(),
            message: error.message.clone(),
            file: error.file.clone(),
            line: error.line,
            column: error.column,
        }
    }
}

impl From<&StepRecord> for StepJson {
    fn from(step: &StepRecord) -> Self {
        let started = step.started_at;
        let ended = signalbox_core::clock::Timestamp(started.0.saturating_add(step.duration_us));
        Self {
            id: step.id.clone(),
            state: step.state.as_str(),
            attempt: step.attempt,
            started_at: started.to_string(),
            duration_ms: millis(Some(started), Some(ended)).unwrap_or_default(),
            error: step.error.clone(),
        }
    }
}
