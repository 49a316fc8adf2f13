//! The figures, as a table and as JSON.

use serde::Serialize;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: String,
    rows: Vec<Row>,
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    /// The target of the design, as text.
    target: Option<&'static str>,
    /// The raw limit it is read against, and how many times as much (or as little) it is.
    against: Option<(String, f64)>,
}

impl Report {
    pub(crate) fn of_this_machine() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let kernel = read("/proc/sys/kernel/osrelease");
        let machine = format!(
            "{cores} × {}, Linux {}",
            model.unwrap_or("unknown processor").trim(),
            kernel.trim()
        );
        Self { machine, rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &'static str) {
        eprintln!("  {name}: {} {unit}", rounded(value));
        self.rows.push(Row { name: name.to_owned(), value, unit, target: None, against: None });
    }

    /// Adds a figure with its target and, if it was measured, the raw limit it is read against.
    pub(crate) fn add_beside(
        &mut self,
        name: &str,
        value: f64,
        unit: &'static str,
        target: &'static str,
        limit: &str,
    ) {
        self.add(name, value, unit);
        let raw = self.rows.iter().find(|row| row.name == limit);
        let raw = raw.map(|raw| raw.value * in_base(raw.unit));
        if let Some(row) = self.rows.last_mut() {
            row.target = Some(target);
            row.against = raw.map(|raw| (limit.to_owned(), value * in_base(unit) / raw));
        }
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    pub(crate) fn to_table(&self) -> String {
        let head = format!(
            "{}\n\n| what | measured | target | beside the raw limit |\n|---|---|---|---|",
            self.machine
        );
        let rows = self.rows.iter().map(|row| {
            let against = row.against.as_ref().map_or_else(String::new, |(limit, ratio)| {
                format!("{} × {}", rounded(*ratio), limit.trim_start_matches("raw: "))
            });
            let target = row.target.unwrap_or("");
            let value = rounded(row.value);
            format!("| {} | {value} {} | {target} | {against} |", row.name, row.unit)
        });
        std::iter::once(head).chain(rows).collect::<Vec<_>>().join("\n")
    }
}

/// How many microseconds a unit of time is; 1 for what is no time.
fn in_base(unit: &str) -> f64 {
    if unit == "ms" { 1_000.0 } else { 1.0 }
}

fn rounded(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

/// A percentile of some values, which are sorted in place.
pub(crate) fn percentile(values: &mut [f64], percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a list of a few thousand"
    )]
    let at = ((values.len() as f64 - 1.0) * percent / 100.0).round() as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// How many there were in a second.
pub(crate) fn per_second(count: usize, since: std::time::Instant) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let count = count as f64;
    count / since.elapsed().as_secs_f64()
}
