//! The signals that ask a runner to stop.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// SIGTERM, SIGINT and, unless the parent had it ignored (as `nohup` does), SIGHUP.
#[derive(Debug)]
pub(super) struct Signals {
    count: watch::Receiver<u32>,
}

impl Signals {
    /// Begins to listen: from now on these signals no longer end the process by themselves.
    pub(super) fn install() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let hangup =
            if is_ignored(SignalKind::hangup()) { None } else { Some(SignalKind::hangup()) };
        let mut hangup = hangup.map(signal).transpose()?;
        let (sender, count) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                let closed = async {
                    match &mut hangup {
                        Some(hangup) => hangup.recv().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = closed => {}
                }
                sender.send_modify(|count| *count += 1);
            }
        });
        Ok(Self { count })
    }

    /// The first signal, and the second.
    pub(super) fn split(
        self,
    ) -> (impl Future<Output = ()> + Send, impl Future<Output = ()> + Send) {
        let reached = |mut count: watch::Receiver<u32>, number: u32| async move {
            if count.wait_for(|count| *count >= number).await.is_err() {
                // Nobody listens for signals any more; nothing will come.
                std::future::pending::<()>().await;
            }
        };
        (reached(self.count.clone(), 1), reached(self.count, 2))
    }
}

/// Whether the process was started with a signal ignored.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let bit = u32::try_from(kind.as_raw_value()).unwrap_or(0).saturating_sub(1);
    mask.checked_shr(bit).is_some_and(|rest| rest & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_kernel() {
        // The standard library ignores SIGPIPE in every program, and leaves SIGTERM alone.
        assert!(is_ignored(SignalKind::pipe()));
        assert!(!is_ignored(SignalKind::terminate()));
    }
}
