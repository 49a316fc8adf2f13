//! Where the time of one run goes: from the request to the answer, station by station.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use signalbox_core::Value;
use signalbox_engine::StartRequest;
use signalbox_engine::way::{Station, TARGET};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::report::{Report, percentile};

/// Runs that are watched, 100 a second.
const RUNS: usize = 1_000;
/// What is done between one station and the next, in the order of [`Station::ALL`], and at last
/// until whoever asked has the answer.
const LEGS: [&str; 6] = [
    "checked, and accepted with a commit",
    "noticed and claimed",
    "given to a cell's driver",
    "through the socket, evaluated, and back",
    "the end recorded with a commit",
    "answered",
];

/// When each run came to each station.
type Seen = Arc<Mutex<HashMap<String, HashMap<String, Instant>>>>;

/// Listens to the events of the way.
struct Stations(Seen);

impl<S: Subscriber> Layer<S> for Stations {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.entry(fields.run).or_default().insert(fields.station, Instant::now());
    }
}

#[derive(Default)]
struct Fields {
    run: String,
    station: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "station" {
            value.clone_into(&mut self.station);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "run" {
            self.run = format!("{value:?}");
        }
    }
}

pub(crate) async fn measure(report: &mut Report, binary: &Path) -> Result<()> {
    let seen = Seen::default();
    let only = tracing_subscriber::filter::filter_fn(|metadata| metadata.target() == TARGET);
    let layer = Stations(Arc::clone(&seen)).with_filter(only);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;
    let repo = crate::fixture::repository();
    let data = tempfile::tempdir()?;
    let engine = crate::fixture::engine(&repo.path(), data.path(), binary).await?;
    let handle = engine.handle();
    crate::in_process::one(&handle, "bench/one").await?;
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let mut asked = Vec::new();
    for _ in 0..RUNS {
        ticks.tick().await;
        let inputs = Value::map([("x", Value::Int(41))]);
        let flow = "bench/one".parse()?;
        let begun = Instant::now();
        let started = handle.start(StartRequest { flow, inputs, idempotency_key: None }).await?;
        let ended = handle.wait(&started.run, Duration::from_mins(1)).await?;
        ensure!(ended.is_some(), "a run takes too long");
        asked.push((started.run.to_string(), begun, Instant::now()));
    }
    engine.stop().await?;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let mut legs: Vec<Vec<f64>> = vec![Vec::new(); LEGS.len()];
    for (run, begun, answered) in asked {
        let Some(stations) = seen.get(&run) else { continue };
        let passed = Station::ALL.iter().map(|station| stations.get(station.name()).copied());
        let Some(passed) = passed.collect::<Option<Vec<_>>>() else { continue };
        let moments: Vec<_> =
            std::iter::once(begun).chain(passed).chain(std::iter::once(answered)).collect();
        for (leg, ends) in legs.iter_mut().zip(moments.windows(2)) {
            leg.push(ends[1].saturating_duration_since(ends[0]).as_secs_f64() * 1e6);
        }
    }
    ensure!(legs[0].len() > RUNS * 9 / 10, "the way of {} runs only was seen", legs[0].len());
    for (name, times) in LEGS.iter().zip(&mut legs) {
        report.add(&format!("way of a run: {name}, p50"), percentile(times, 50.0), "µs");
    }
    Ok(())
}
