//! The store contract.
//!
//! Writes that belong to runs go through [`Store::commit`] as a batch of [`Write`]s. Each is all or
//! nothing on its own; a batch shares one durable commit. A call that answers with an [`Error`]
//! has left nothing of its batch. Reads never block writes.

mod alarms;
mod deployments;
mod error;
mod runs;
mod store;
mod views;
mod weight;

pub use alarms::{AlarmChange, AlarmTurn, EndedFilter, Expected, Lately, Watch};
pub use deployments::{
    Blob, Deployment, DeploymentOutcome, LiveWorkspace, NewDeployment, Pausable, ScheduleKey,
    ScheduleState, Slot,
};
pub use error::Error;
pub use runs::{
    Accept, Accepted, Aftermath, Answer, CallDecision, CallRecord, Claim, Displaced, Expired,
    Handling, IdempotencyKey, Internal, InternalEffect, MAX_CHUNKS, Named, NewCall, NewFlow,
    Recovery, StateChange, Waiting, Want, Write, Written,
};
pub use store::{Reply, Store};
pub use views::{
    CallFilter, CallView, Counts, KeyView, Page, Pruned, QueueView, Retention, RunFilter,
    RunSummary, RunView, Wait, WaitKind,
};
