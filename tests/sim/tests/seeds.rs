//! The seeds that every change must pass. `SIGNALBOX_SIM_SEEDS` and `SIGNALBOX_SIM_FROM` choose
//! others; `cargo xtask sim --from SEED --trace` shows what happened in one.

use signalbox_sim::{Report, simulate_all};

/// Faults that a thousand seeds meet, each many times.
const FAULTS: [&str; 14] = [
    "a cell is lost before an effect",
    "a cell is lost before an end",
    "a cell is not started",
    "an orderly stop",
    "claim is refused",
    "commit is refused",
    "crash after accept",
    "crash after commit",
    "crash before commit",
    "the answer of accept is lost",
    "the answer of commit is lost",
    "the clock jumps by -3600 s",
    "the clock jumps by 86400 s",
    "the store is slow",
];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number of seeds"))
}

#[test]
fn a_thousand_seeds_break_no_promise() {
    let from = number("SIGNALBOX_SIM_FROM", 0);
    let seeds = number("SIGNALBOX_SIM_SEEDS", 1_000);
    let Report { broken, met } = simulate_all(from..from + seeds);
    for broken in &broken {
        println!("{broken}\n");
    }
    let numbers: Vec<_> = broken.iter().map(|broken| broken.seed).collect();
    assert!(numbers.is_empty(), "seeds {numbers:?} are broken; each is printed above");
    if seeds >= 1_000 {
        for fault in FAULTS {
            assert!(met.get(fault).is_some_and(|times| *times > 10), "hardly ever met: {fault}");
        }
    }
}
