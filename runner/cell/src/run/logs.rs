//! Log lines. They are effects: a replay writes none twice.

use signalbox_core::journal::Outcome;
use signalbox_core::journal::{Level, LogLine};
use signalbox_core::value::encode;
use signalbox_core::{Digest, Value, bounds};

use super::Run;

/// Largest log of one run: DESIGN §6.7.
const MAX_LOG: usize = bounds::LOG;
const KIND: &str = "log";

impl Run {
    /// Writes a line, until the log of the run is full. `None`: the run must stop.
    pub(crate) fn log(&mut self, level: Level, mut message: String) -> Option<()> {
        // A line has its place whether it is kept or not: a replay may skip what filled the log.
        let key = self.next_key()?;
        if self.log_bytes > MAX_LOG {
            return Some(());
        }
        let fingerprint = Digest::of_parts([KIND.as_bytes(), &[level as u8], message.as_bytes()]);
        self.log_bytes += message.len() + 16;
        let full = self.log_bytes > MAX_LOG;
        if self.recorded(&key, KIND, fingerprint)?.is_some() {
            return Some(());
        }
        let level = if full { Level::Warn } else { level };
        if full {
            "log cut at 1 MiB".clone_into(&mut message);
        }
        self.wait_for_record(message.len() + 64);
        let step = self.scopes.last()?.shown.clone();
        self.record(key, KIND, fingerprint, Outcome::Done(encode(&Value::Null)));
        self.chunk.logs.push(LogLine { at: crate::clock::now(), level, step, message });
        Some(())
    }
}
