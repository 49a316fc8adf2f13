//! What host functions know without being told: the run that is evaluated and the link to the
//! runner. One thread evaluates, so it is that thread's.

use std::cell::RefCell;
use std::time::Duration;

use rhai::{Dynamic, EvalAltResult};
use signalbox_core::journal::Failure;

use crate::clock::elapsed;
use crate::fault::{HostResult, terminated, thrown};
use crate::link::Link;
use crate::operations;
use crate::protocol::FromCell;
use crate::run::{Run, Stop};

/// A run is announced when it takes this long.
const ANNOUNCE_AFTER: Duration = Duration::from_millis(5);

/// Bytes that a host function gets through in about the time of one operation.
const BYTES_PER_OPERATION: usize = 64;

/// The link, and the run if one is evaluated.
pub(crate) struct State {
    pub(crate) link: Link,
    pub(crate) run: Option<Run>,
    /// Most operations of the run.
    operations: u64,
}

impl State {
    /// The run, for `?` in functions whose `None` means that the run must stop.
    pub(crate) fn run(&mut self) -> Option<&mut Run> {
        self.run.as_mut()
    }
}

thread_local! {
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

/// Gives this thread its link.
pub(crate) fn install(link: Link) {
    STATE.with_borrow_mut(|state| *state = Some(State { link, run: None, operations: 0 }));
}

/// Does something with the link and the run. `None` when this thread has none.
pub(crate) fn with<T>(act: impl FnOnce(&mut State) -> T) -> Option<T> {
    STATE.with_borrow_mut(|state| state.as_mut().map(act))
}

/// Begins a run.
pub(crate) fn begin(run: Run, operations: u64) {
    with(|state| {
        state.link.set_current(Some(run.start.run));
        state.run = Some(run);
        state.operations = operations;
    });
    operations::begin(operations);
}

/// Takes the run that was evaluated.
pub(crate) fn finish() -> Option<Run> {
    with(|state| {
        state.link.set_current(None);
        state.run.take()
    })
    .flatten()
}

/// Called at every operation of a script. Answers something when the script must stop.
pub(crate) fn on_operation() -> Option<Dynamic> {
    operations::count().and_then(look)
}

/// Counts what a host function does with so many bytes as operations of the script: without this a
/// few calls on long texts would be as good as free.
///
/// # Errors
/// That the run must stop.
pub(crate) fn work(bytes: usize) -> HostResult<()> {
    let operations = u64::try_from(bytes / BYTES_PER_OPERATION).unwrap_or(u64::MAX);
    match operations::count_many(operations.max(1)).and_then(look) {
        Some(_) => Err(terminated().into()),
        None => Ok(()),
    }
}

/// Looks at the socket and the clock.
fn look(done: u64) -> Option<Dynamic> {
    with(|state| {
        let operations = state.operations;
        operations::looked(done, operations);
        let Some(run) = &mut state.run else { return None };
        if done > operations {
            run.set_stop(Stop::Limit(format!(
                "more than {operations} operations; do less in one run, or have the root manifest \
                 grant more `limits.operations`"
            )));
        }
        if run.stop().is_none() {
            state.attend();
        }
        if let Some(run) = &mut state.run {
            run.look_at_time();
        }
        state.run.as_ref()?.is_halted().then_some(Dynamic::UNIT)
    })
    .flatten()
}

impl State {
    /// Takes in outcomes that branches wait for. Answers whether there were any.
    pub(crate) fn collect(&mut self) -> bool {
        self.link.poll();
        let outcomes = self.link.take_outcomes();
        let Some(run) = &mut self.run else { return false };
        let any = !outcomes.is_empty();
        for (key, outcome) in outcomes {
            run.take_in(key, outcome);
        }
        any
    }

    /// Says that nothing is evaluated until an outcome comes, with whatever is to be recorded.
    pub(crate) fn say_waiting(&mut self) {
        let Some(run) = &mut self.run else { return };
        let number = run.start.run;
        let chunk = run.take_chunk();
        if !chunk.is_empty() {
            self.link.push(&FromCell::Flush { run: number, chunk });
        }
        let seen = self.link.seen();
        self.link.push(&FromCell::Waiting { run: number, seen });
    }

    /// Waits until a branch can go on. `None`: the run must stop.
    pub(crate) fn wait_for_any(&mut self) -> Option<()> {
        if self.collect() {
            return Some(());
        }
        self.say_waiting();
        if self.link.wait_any() {
            self.collect();
            return Some(());
        }
        self.run()?.set_stop(Stop::Unwind);
        None
    }

    /// Sends what is due and takes in what has come.
    fn attend(&mut self) {
        let Some(run) = &mut self.run else { return };
        if !run.announced && elapsed(run.began) >= ANNOUNCE_AFTER {
            run.announced = true;
            self.link.push(&FromCell::Began { run: run.start.run });
            self.link.flush();
        }
        if let Some(chunk) = run.take_due() {
            self.link.push(&FromCell::Flush { run: run.start.run, chunk });
            self.link.flush();
        }
        self.link.poll();
        self.link.flush_if_due();
        if self.link.must_unwind() || self.link.is_closed() {
            run.set_stop(Stop::Unwind);
        }
    }
}

/// Performs an effect. A `None` of `act` becomes the error that nothing catches.
pub(crate) fn effect<T>(act: impl FnOnce(&mut State) -> Option<T>) -> HostResult<T> {
    let result = with(|state| {
        let run = state.run()?;
        if let Some(chunk) = run.take_due() {
            let frame = FromCell::Flush { run: run.start.run, chunk };
            state.link.push(&frame);
            state.link.flush();
        }
        act(state)
    });
    result.flatten().ok_or_else(|| terminated().into())
}

/// Does something with the run that is no effect.
///
/// # Errors
/// That the run must stop.
pub(crate) fn with_run<T>(act: impl FnOnce(&mut Run) -> T) -> HostResult<T> {
    let result = with(|state| {
        let run = state.run()?;
        if run.is_halted() { None } else { Some(act(run)) }
    });
    result.flatten().ok_or_else(|| terminated().into())
}

/// The error by which a script hears of a failure.
#[expect(clippy::unnecessary_box_returns, reason = "what Rhai's functions return: see HostResult")]
pub(crate) fn throw(failure: Failure) -> Box<EvalAltResult> {
    let error = thrown(&failure).into();
    with(|state| state.run.as_mut().map(|run| run.set_thrown(failure)));
    error
}

/// Whether whatever is evaluated must be unwound: the run, or the branch.
pub(crate) fn is_stopped() -> bool {
    with(|state| state.run.as_ref().is_none_or(Run::is_halted)).unwrap_or(true)
}

/// Forbids effects while `act` runs.
pub(crate) fn without_effects<T>(place: &'static str, act: impl FnOnce() -> T) -> T {
    /// Also when `act` panics.
    struct Allow;
    impl Drop for Allow {
        fn drop(&mut self) {
            with(|state| state.run.as_mut().map(Run::allow_effects));
        }
    }
    with(|state| state.run.as_mut().map(|run| run.forbid_effects(place)));
    let _allow = Allow;
    act()
}
