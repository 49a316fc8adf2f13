//! Waiting for a moment of the wall clock with a timer of the kernel.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use signalbox_core::clock::{Clock, Timestamp};
use tokio::io::unix::AsyncFd;

use crate::doors::{Alarm, Alarms, Later};

/// Pause before a clock that is behind the kernel's is asked again.
const BEHIND: std::time::Duration = std::time::Duration::from_millis(10);

/// Alarms of the kernel.
#[derive(Debug)]
pub(crate) struct KernelAlarms;

impl Alarms for KernelAlarms {
    fn alarm(&self, clock: Arc<dyn Clock>) -> io::Result<Box<dyn Alarm>> {
        Ok(Box::new(KernelAlarm::new(clock)?))
    }
}

/// A timer on the wall clock. The kernel wakes it at the moment, and at once when somebody sets
/// the clock; nothing is woken in between.
#[derive(Debug)]
struct KernelAlarm {
    clock: Arc<dyn Clock>,
    timer: AsyncFd<OwnedFd>,
}

impl Alarm for KernelAlarm {
    fn until(&mut self, moment: Option<Timestamp>) -> Later<'_, ()> {
        Box::pin(self.wait(moment))
    }
}

impl KernelAlarm {
    fn new(clock: Arc<dyn Clock>) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Realtime, flags)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe for types that may close early; an OwnedFd does not"
        )]
        let timer = AsyncFd::new(timer)?;
        Ok(Self { clock, timer })
    }

    async fn wait(&self, moment: Option<Timestamp>) {
        let Some(moment) = moment else { return std::future::pending().await };
        if self.clock.now() >= moment {
            return;
        }
        self.ring(moment).await;
        if self.clock.now() < moment {
            // The clock was set back, or is not the system's: no reason to ask it without end.
            tokio::time::sleep(BEHIND).await;
        }
    }

    async fn ring(&self, moment: Timestamp) {
        if let Err(error) = self.arm(moment) {
            tracing::error!(%error, "cannot set a timer; looking again in a second");
            return tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        loop {
            let Ok(mut guard) = self.timer.readable().await else { return };
            let read = guard.try_io(|timer| {
                let mut expirations = [0; 8];
                Ok(rustix::io::read(timer.get_ref(), &mut expirations)?)
            });
            match read {
                // A clock that was set is told as an error (ECANCELED).
                Ok(_) => return,
                Err(_would_block) => {}
            }
        }
    }

    fn arm(&self, moment: Timestamp) -> io::Result<()> {
        let at = Timespec {
            tv_sec: moment.0.div_euclid(1_000_000),
            tv_nsec: moment.0.rem_euclid(1_000_000) * 1_000,
        };
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        timerfd_settime(
            self.timer.get_ref(),
            flags,
            &Itimerspec { it_interval: zero, it_value: at },
        )?;
        Ok(())
    }
}
