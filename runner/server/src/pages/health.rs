//! The health of a workspace, and its alarms.

use maud::{Markup, html};
use signalbox_core::health::Measure;
use signalbox_core::text;
use signalbox_engine::Health;

use super::parts::time;
use super::shown::shown;

/// The health of a workspace on the overview: alarms, then each threshold with what it is now.
pub(super) fn part(health: &Health) -> Markup {
    let now = rows(health);
    html! {
        @for alarm in &health.alarms {
            p.alarm { span class="state failed" { "alarm" } " " (shown(&alarm.message())) " since " (time(alarm.since)) }
        }
        @if !now.is_empty() {
            p.dim {
                "within " (text::duration(&health.window)) ": " (health.tally.runs()) " runs"
                @for (measure, value, limit) in now {
                    " · " (measure.as_str().replace('_', " ")) " "
                    @if health.breaches.iter().any(|breach| breach.measure == measure) {
                        span class="state failed" { (value) }
                    } @else { (value) }
                    " of " (limit)
                }
            }
        }
    }
}

/// Every threshold: what is measured, what it is, and what would be healthy.
fn rows(health: &Health) -> Vec<(Measure, String, String)> {
    let Some(thresholds) = &health.thresholds else { return Vec::new() };
    let row = |(measure, limit): (Measure, f64)| {
        let value = health.tally.measure(measure);
        let value = value.map_or_else(|| "–".to_owned(), |value| measure.show(value));
        (measure, value, measure.show(limit))
    };
    thresholds.limits().into_iter().map(row).collect()
}
