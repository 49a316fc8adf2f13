//! The seeds that every change must pass. `SIGNALBOX_SIM_SEEDS` and `SIGNALBOX_SIM_FROM` choose
//! others; `cargo xtask sim --from SEED --trace` shows what happened in one.

use signalbox_sim::{Report, repeat_all, simulate_all};

/// Faults that a thousand seeds meet, each many times.
const FAULTS: [&str; 18] = [
    "a cell is lost before an effect",
    "a cell is lost before an end",
    "a cell is not started",
    "an orderly stop",
    "claim is refused",
    "commit is refused",
    "crash after accept",
    "crash after commit",
    "crash after expire",
    "crash before commit",
    "crash before expire",
    "expire is refused",
    "the answer of accept is lost",
    "the answer of commit is lost",
    "the answer of expire is lost",
    "the clock jumps by -3600 s",
    "the clock jumps by 86400 s",
    "the store is slow",
];

/// Ends of runs that a thousand seeds meet, each many times: what a promise is about must happen.
const ENDS: [&str; 31] = [
    "ops/aside succeeded",
    "ops/gives-up failed, script_error",
    "ops/goes-on succeeded",
    "ops/in-line succeeded",
    "ops/late failed, timed_out",
    "ops/naps succeeded",
    "ops/noted failed, script_error",
    "ops/noted succeeded",
    "ops/pushed-out cancelled, superseded",
    "ops/pushed-out skipped, superseded",
    "ops/pushed-out succeeded",
    "ops/queues succeeded",
    "ops/seldom skipped, not_wanted",
    "ops/seldom succeeded",
    "ops/tree succeeded",
    "ops/tries succeeded",
    "ops/unhurried succeeded",
    "ops/urgent succeeded",
    "shop/alarm-clock succeeded",
    "shop/catches-up succeeded",
    "shop/crossing succeeded",
    "shop/each succeeded",
    "shop/hears succeeded",
    "shop/last-word skipped, superseded",
    "shop/last-word succeeded",
    "shop/mended succeeded",
    "shop/once succeeded",
    "shop/replaces cancelled, cancel_requested",
    "shop/stubborn succeeded",
    "shop/ticks skipped, overlap",
    "shop/turned-away skipped, concurrency_limit",
];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number of seeds"))
}

#[test]
fn a_thousand_seeds_break_no_promise() {
    let from = number("SIGNALBOX_SIM_FROM", 0);
    let seeds = number("SIGNALBOX_SIM_SEEDS", 1_000);
    let Report { broken, met, .. } = simulate_all(from..from + seeds);
    for broken in &broken {
        println!("{broken}\n");
    }
    let numbers: Vec<_> = broken.iter().map(|broken| broken.seed).collect();
    assert!(numbers.is_empty(), "seeds {numbers:?} are broken; each is printed above");
    if seeds >= 1_000 {
        for what in FAULTS.into_iter().chain(ENDS) {
            assert!(met.get(what).is_some_and(|times| *times > 5), "hardly ever met: {what}");
        }
    }
}

#[test]
fn a_seed_happens_again_exactly() {
    let from = number("SIGNALBOX_SIM_FROM", 0);
    let Report { broken, unsteady, .. } = repeat_all(from..from + 40);
    assert!(broken.is_empty(), "seeds are broken: {broken:?}");
    assert!(unsteady.is_empty(), "not the same the second time: {unsteady:?}");
}
