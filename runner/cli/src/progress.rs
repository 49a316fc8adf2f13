//! One line on a terminal that says how far something is, and leaves nothing behind.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What is over sooner says nothing.
const PATIENCE: Duration = Duration::from_millis(700);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// Back to the beginning of the line, and away with what stands there.
const CLEAR: &str = "\r\u{1b}[K";

/// A line that is kept up to date until this is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    watched: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Shows what `line` says, when stderr is a terminal that takes control sequences: with
    /// `NO_COLOR`, `--color never` or a pipe nothing is shown.
    pub(crate) fn show(line: impl Fn(Duration) -> String + Send + 'static) -> Self {
        let err = io::stderr();
        let plain = anstream::AutoStream::choice(&err) == anstream::ColorChoice::Never;
        if plain || !err.is_terminal() {
            return Self { watched: None };
        }
        let (stop, stopped) = mpsc::channel();
        let began = Instant::now();
        let watch = move || {
            let mut pause = PATIENCE;
            let mut shown = false;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                write(&format!("{CLEAR}{}", line(began.elapsed())));
                (pause, shown) = (LOOK, true);
            }
            if shown {
                write(CLEAR);
            }
        };
        let thread = std::thread::Builder::new().name("progress".into()).spawn(watch);
        Self { watched: thread.ok().map(|thread| (stop, thread)) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.watched.take() {
            drop(stop);
            // A line that could not be written is no reason to fail.
            thread.join().unwrap_or_default();
        }
    }
}

fn write(text: &str) {
    let mut err = io::stderr().lock();
    err.write_all(text.as_bytes()).and_then(|()| err.flush()).unwrap_or_default();
}

/// `12 of 40 MiB`.
pub(crate) fn mebibytes(done: u64, total: u64) -> String {
    format!("{} of {} MiB", done >> 20, total.max(done).div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_shown_where_nobody_watches() {
        // The tests' stderr is no terminal.
        assert!(Progress::show(|_| "never".to_owned()).watched.is_none());
    }

    #[test]
    fn more_than_was_thought_is_not_more_than_all() {
        assert_eq!(mebibytes(5 << 20, 40 << 20), "5 of 40 MiB");
        assert_eq!(mebibytes(50 << 20, 40 << 20), "50 of 50 MiB");
    }
}
