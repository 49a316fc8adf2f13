//! `type: system`: the machine that the runner is on, as its kernel tells it.

use std::path::Path;

use signalbox_core::Value;
use signalbox_core::catalog::HostGrant;
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;
use sysinfo::{Disk, DiskRefreshKind, Disks, MINIMUM_CPU_UPDATE_INTERVAL, System};

use super::no_method;
use crate::effects::perform::Context;

/// `cpu()`, `memory()`, `disk(path)`, `disks()`, `load()` and `uptime()`. Sizes are in bytes.
pub(super) async fn perform(
    context: &Context,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Failure> {
    if !context.grants().host.contains(&HostGrant::Metrics) {
        let message = "the machine's figures are not granted; the root manifest can grant them \
                       with `grants: { host: [metrics] }`";
        return Err(Failure::permanent(Code::Denied, message));
    }
    match method {
        "cpu" => cpu().await,
        "memory" => memory(),
        "disk" => disk(disks().await?, arguments),
        "disks" => Ok(Value::List(disks().await?.iter().map(usage).collect())),
        "load" => load(),
        "uptime" => uptime(),
        _ => Err(no_method("system", method, "cpu, memory, disk, disks, load and uptime")),
    }
}

/// `#{ used_percent, cores }`, over as short a time as the kernel's counters allow.
async fn cpu() -> Result<Value, Failure> {
    let mut system = System::new().map_err(unknown)?;
    system.refresh_cpu_usage();
    tokio::time::sleep(MINIMUM_CPU_UPDATE_INTERVAL).await;
    system.refresh_cpu_usage();
    let used = f64::from(system.global_cpu_usage()).clamp(0.0, 100.0);
    let cores = u64::try_from(system.cpus().len()).unwrap_or(u64::MAX);
    Ok(Value::map([("used_percent", Value::Float(used)), ("cores", size(cores))]))
}

/// The kernel does not tell.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn unknown(error: sysinfo::Error) -> Failure {
    Failure::permanent(Code::EffectFailed, error.to_string())
}

/// `#{ total, available, used, used_percent, swap_total, swap_used }`.
fn memory() -> Result<Value, Failure> {
    let mut system = System::new().map_err(unknown)?;
    system.refresh_memory();
    let (total, available) = (system.total_memory(), system.available_memory());
    Ok(Value::map([
        ("total", size(total)),
        ("available", size(available)),
        ("used", size(total.saturating_sub(available))),
        ("used_percent", percent(total.saturating_sub(available), total)),
        ("swap_total", size(system.total_swap())),
        ("swap_used", size(system.used_swap())),
    ]))
}

/// `#{ one, five, fifteen }`: how many tasks wanted to run, over so many minutes.
fn load() -> Result<Value, Failure> {
    let load = System::load_average().map_err(unknown)?;
    let figures = [("one", load.one), ("five", load.five), ("fifteen", load.fifteen)];
    Ok(Value::map(figures.map(|(name, figure)| (name, Value::Float(figure)))))
}

/// `#{ seconds, since }`.
fn uptime() -> Result<Value, Failure> {
    let booted = System::boot_time().map_err(unknown)?.saturating_mul(1_000_000);
    let since = Timestamp(i64::try_from(booted).unwrap_or(i64::MAX)).to_string();
    let seconds = System::uptime().map_err(unknown)?;
    Ok(Value::map([("seconds", size(seconds)), ("since", Value::String(since))]))
}

/// The file systems with storage, beside the loop: one that is stuck keeps whoever asks it.
async fn disks() -> Result<Disks, Failure> {
    let kind = DiskRefreshKind::nothing().with_storage();
    let read = tokio::task::spawn_blocking(move || Disks::new_with_refreshed_list_specifics(kind));
    match read.await {
        Ok(disks) => disks.map_err(unknown),
        Err(_) => Err(Failure::transient(Code::EffectFailed, "the runner is stopping")),
    }
}

/// The file system that a path is on. The path itself is not looked at.
#[expect(clippy::needless_pass_by_value, reason = "read for this alone")]
fn disk(disks: Disks, arguments: &[Value]) -> Result<Value, Failure> {
    let path = match arguments {
        [Value::String(path)] if path.starts_with('/') => Path::new(path),
        _ => {
            let message = "disk takes a path that begins with `/`";
            return Err(Failure::permanent(Code::BadValue, message));
        }
    };
    let above = disks.iter().filter(|disk| path.starts_with(disk.mount_point()));
    let nearest = above.max_by_key(|disk| disk.mount_point().as_os_str().len());
    nearest.map(usage).ok_or_else(|| {
        let message = format!("no file system with storage has `{}`", path.display());
        Failure::permanent(Code::EffectFailed, message)
    })
}

/// `#{ mount, device, kind, total, available, used, used_percent }`.
fn usage(disk: &Disk) -> Value {
    let (total, available) = (disk.total_space(), disk.available_space());
    let text = |text: &std::ffi::OsStr| Value::String(text.to_string_lossy().into_owned());
    Value::map([
        ("mount", text(disk.mount_point().as_os_str())),
        ("device", text(disk.name())),
        ("kind", text(disk.file_system())),
        ("total", size(total)),
        ("available", size(available)),
        ("used", size(total.saturating_sub(available))),
        ("used_percent", percent(total.saturating_sub(available), total)),
    ])
}

fn size(bytes: u64) -> Value {
    Value::Int(i64::try_from(bytes).unwrap_or(i64::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "a share of a hundred needs no more")]
fn percent(part: u64, whole: u64) -> Value {
    Value::Float(if whole == 0 { 0.0 } else { part as f64 / whole as f64 * 100.0 })
}
