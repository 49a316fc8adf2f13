//! The health of a workspace, and its alarms.

use maud::{Markup, html};
use signalbox_core::alarm::Raised;
use signalbox_core::health::{Tally, Thresholds};
use signalbox_core::{WorkspaceName, text};

use super::parts::time;
use super::shown::shown;

/// The health of a workspace on the overview: its alarms, then each threshold with what it is now.
pub(super) fn part(
    name: &WorkspaceName,
    measured: Option<&(Thresholds, Tally)>,
    alarms: &[Raised],
) -> Markup {
    html! {
        @for alarm in alarms.iter().filter(|alarm| alarm.subject.workspace == *name) {
            p.alarm {
                span class="state failed" { "alarm" }
                " " (shown(&alarm.message())) ", since " (time(alarm.since))
            }
        }
        @if let Some((thresholds, tally)) = measured { (thresholds_of(thresholds, *tally)) }
    }
}

fn thresholds_of(thresholds: &Thresholds, tally: Tally) -> Markup {
    let breaches = thresholds.judge(tally);
    let value =
        |measure| tally.measure(measure).map_or_else(|| "–".to_owned(), |v| measure.show(v));
    html! {
        p.dim {
            "within " (text::duration(&thresholds.window)) ": " (tally.runs()) " runs ended"
            @for (measure, limit) in thresholds.limits() {
                " · " (measure.as_str().replace('_', " ")) " "
                @if breaches.iter().any(|breach| breach.measure == measure) {
                    span class="state failed" { (value(measure)) }
                } @else { (value(measure)) }
                " (" (if measure.is_floor() { "at least " } else { "at most " }) (measure.show(limit)) ")"
            }
        }
    }
}
