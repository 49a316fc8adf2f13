//! The program that libFuzzer drives. `SIGNALBOX_FUZZ_TARGET` names the target; its seeds and the
//! words in them are written to the folder `SIGNALBOX_FUZZ_SEEDS` first. Started by `cargo xtask fuzz`.

#![no_main]

use std::io::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use signalbox_fuzz::{Seed, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

fuzz_target!(
    init: prepare(),
    |bytes: &[u8]| {
        let target = TARGET.get().expect("libFuzzer prepares first");
        if let Err(said) = target.try_run(bytes) {
            writeln!(std::io::stderr(), "{}: {said}", target.name).expect("stderr");
            std::process::abort();
        }
    }
);

fn prepare() {
    let name = std::env::var("SIGNALBOX_FUZZ_TARGET").expect("SIGNALBOX_FUZZ_TARGET");
    let target = TARGET.get_or_init(|| Target::find(&name).expect("a target"));
    signalbox_fuzz::watch_panics();
    if let Some(folder) = std::env::var_os("SIGNALBOX_FUZZ_SEEDS") {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Seed::write_all(&target.seeds(&repository), Path::new(&folder)).expect("write the seeds");
    }
}
