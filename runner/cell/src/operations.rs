//! Counts what a script does, for the thread that evaluates. Rhai's own count forgets the
//! operations of callbacks.

use std::cell::Cell;

/// Operations between two looks at the socket and the clock.
const LOOK_EVERY: u64 = 1 << 14;

thread_local! {
    /// Operations of the run so far.
    static DONE: Cell<u64> = const { Cell::new(0) };
    /// When to look next.
    static NEXT_LOOK: Cell<u64> = const { Cell::new(0) };
}

/// Begins to count for a run that may have `most` operations.
pub(crate) fn begin(most: u64) {
    DONE.set(0);
    NEXT_LOOK.set(LOOK_EVERY.min(most));
}

/// How many there have been.
pub(crate) fn done() -> u64 {
    DONE.get()
}

/// Has operations not count that will be done again, and the next one look.
pub(crate) fn give_back(operations: u64) {
    DONE.set(DONE.get().saturating_sub(operations));
    look_at_once();
}

/// Has the next operation look, whichever it is.
pub(crate) fn look_at_once() {
    NEXT_LOOK.set(0);
}

/// Counts an operation. Answers how many there have been when it is time to look.
pub(crate) fn count() -> Option<u64> {
    count_many(1)
}

/// Counts operations at once, for work inside of a host function.
pub(crate) fn count_many(many: u64) -> Option<u64> {
    let done = DONE.get().saturating_add(many);
    DONE.set(done);
    (done > NEXT_LOOK.get()).then_some(done)
}

/// Says at a look when the next one is: at the bound at the latest, and always beyond it.
pub(crate) fn looked(done: u64, most: u64) {
    NEXT_LOOK.set(if done < most { (done + LOOK_EVERY).min(most) } else { 0 });
}
