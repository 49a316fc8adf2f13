//! Fuzzes: builds the targets with libFuzzer and coverage, and runs each over its kept corpus.
//!
//! The stable compiler is enough: its LLVM has the pass that counts coverage, and libFuzzer comes as
//! the source of a crate, for which a C++ compiler is wanted. Without a sanitizer's runtime: the
//! code is safe Rust with its overflow checks and debug assertions on. Not with `--cfg fuzzing`:
//! crates leave checks out under it, and what ships has them.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context as _, bail};

use crate::{install, process};

/// What makes the compiler count the edges of the control flow and tell libFuzzer of comparisons.
/// The same as cargo-fuzz passes.
const COVERAGE: &str = "-C passes=sancov-module \
    -C llvm-args=-sanitizer-coverage-level=4 \
    -C llvm-args=-sanitizer-coverage-inline-8bit-counters \
    -C llvm-args=-sanitizer-coverage-pc-table \
    -C llvm-args=-sanitizer-coverage-trace-compares";
/// What an input may cost: memory in MiB, time in seconds. Each needs far less; a machine that is busy
/// with other things lets a target wait.
const BOUNDS: [&str; 2] = ["-rss_limit_mb=1024", "-timeout=60"];
/// Longest input, in bytes.
const MAX_LEN: &str = "-max_len=8192";
/// Most kept inputs of a target, and most bytes of them; `tests/fuzz/tests/corpus.rs` holds both.
const MOST: (usize, u64) = (300, 1 << 20);
/// What inputs are called that showed a fault once. They are never dropped.
const FOUND: &str = "found-";

/// Runs of up to so many seconds begin with the same chance each time.
const SHORT: u64 = 60;
/// What seeds are called.
const SEED: &str = "seed-";

/// What is done to which targets.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Targets, by the names of the folders in `tests/fuzz/corpus/`; all of them when none is named
    targets: Vec<String>,
    /// How long each is fuzzed
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many targets are fuzzed at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Afterwards keeps what reached new code, as few and as small inputs as will do
    #[arg(long)]
    keep: bool,
}

/// A target with its folders.
struct Target {
    name: String,
    program: PathBuf,
    /// Kept inputs, in the repository.
    kept: PathBuf,
    /// What this machine has found; beside it are seeds, words and what libFuzzer says.
    found: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let metadata = process::metadata()?;
    let root = metadata.workspace_root.as_path();
    install::need("c++", "g++")?;
    let folder = metadata.target_directory.join("fuzz");
    let program = build(root, &folder)?;
    let targets = targets(root, &folder, &program, &arguments.targets)?;
    let mut failed = 0;
    for several in targets.chunks(arguments.jobs.max(1)) {
        let running: Vec<_> = several
            .iter()
            .map(|target| Ok((target, target.start(arguments.seconds)?)))
            .collect::<anyhow::Result<_>>()?;
        for (target, child) in running {
            failed += u8::from(!target.finish(child)?);
        }
    }
    if arguments.keep && failed == 0 {
        targets.iter().try_for_each(Target::keep)?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the program with every target, apart from all other builds.
fn build(root: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut build = process::cargo();
    build.current_dir(root).args(["build", "--locked", "--profile", "fuzz"]);
    build.args(["--package", "signalbox-fuzz", "--features", "libfuzzer"]);
    // With a target named, build scripts and macros are built without the flags.
    build.args(["--target", &triple]).arg("--target-dir").arg(folder);
    build.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", COVERAGE);
    match process::status(&mut build)? {
        0 => Ok(folder.join(triple).join("fuzz").join("signalbox-fuzz")),
        code => bail!("the fuzz targets cannot be built ({code})"),
    }
}

fn targets(
    root: &Path,
    folder: &Path,
    program: &Path,
    wanted: &[String],
) -> anyhow::Result<Vec<Target>> {
    let corpus = root.join("tests/fuzz/corpus");
    let entries = std::fs::read_dir(&corpus).context("read tests/fuzz/corpus")?;
    let mut names = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    names.sort();
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(name)) {
        bail!("there is no target `{unknown}`; there are {}", names.join(", "));
    }
    names.retain(|name| wanted.is_empty() || wanted.contains(name));
    let target = |name: String| Target {
        kept: corpus.join(&name),
        found: folder.join("found").join(&name),
        program: program.to_owned(),
        name,
    };
    Ok(names.into_iter().map(target).collect())
}

impl Target {
    fn beside(&self, ending: &str) -> PathBuf {
        self.found.with_extension(ending)
    }

    /// libFuzzer over what was found here, what is kept, and the seeds.
    fn start(&self, seconds: u64) -> anyhow::Result<Child> {
        std::fs::create_dir_all(&self.found)?;
        let mut command = self.command();
        command.args(BOUNDS).args([MAX_LEN, "-print_final_stats=1", "-reload=0"]);
        command.arg(format!("-max_total_time={seconds}"));
        if seconds <= SHORT {
            // A change is judged, and not the day. Only about: what is kept follows from coverage, and
            // that from hashes that differ from process to process.
            command.arg("-seed=1");
        }
        command.arg(option("-dict=", &self.beside("words")));
        command.arg(option("-artifact_prefix=", &self.beside("broke-")));
        command.args([&self.found, &self.kept, &self.beside("seeds")]);
        let said = std::fs::File::create(self.beside("log"))?;
        command.stderr(said).spawn().with_context(|| format!("start `{}`", self.name))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("SIGNALBOX_FUZZ_TARGET", &self.name);
        command.env("SIGNALBOX_FUZZ_SEEDS", self.beside("seeds"));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Waits for the end, and says how it went.
    fn finish(&self, mut child: Child) -> anyhow::Result<bool> {
        let status = child.wait()?;
        let said = std::fs::read(self.beside("log"))?;
        let said = String::from_utf8_lossy(&said);
        let mut out = std::io::stdout().lock();
        if status.success() {
            writeln!(out, "{:10} {}", self.name, summary(&said))?;
            return Ok(true);
        }
        writeln!(out, "{:10} FAILED ({status})", self.name)?;
        let lines: Vec<_> = said.lines().collect();
        for line in &lines[lines.len().saturating_sub(40)..] {
            writeln!(out, "    {line}")?;
        }
        writeln!(out, "    keep the input as tests/fuzz/corpus/{}/{FOUND}WHAT", self.name)?;
        Ok(false)
    }

    /// Makes the kept inputs anew: what was found once, and the fewest that reach what all reach.
    fn keep(&self) -> anyhow::Result<()> {
        let fresh = self.beside("kept");
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh)?;
        }
        std::fs::create_dir_all(&fresh)?;
        let mut merge = self.command();
        // What the first folder reaches needs no other input: the seeds are made each time.
        merge.env("SIGNALBOX_FUZZ_SEEDS", &fresh);
        merge.args(["-merge=1", "-use_counters=0", MAX_LEN]);
        merge.args([&fresh, &self.kept, &self.found]).stderr(Stdio::null());
        if process::status(&mut merge)? != 0 {
            bail!("the corpus of `{}` cannot be merged", self.name);
        }
        for file in files(&self.kept)? {
            if !file.0.starts_with(FOUND) {
                std::fs::remove_file(self.kept.join(file.0))?;
            }
        }
        let found = files(&self.kept)?;
        let (mut count, mut bytes) = (found.len(), found.iter().map(|file| file.1).sum::<u64>());
        let mut reach = files(&fresh)?;
        reach.retain(|file| !file.0.starts_with(SEED));
        reach.sort_by_key(|file| file.1);
        for (name, size) in reach {
            count += 1;
            bytes += size;
            if count > MOST.0 || bytes > MOST.1 {
                break;
            }
            std::fs::copy(fresh.join(&name), self.kept.join(&name))?;
        }
        Ok(())
    }
}

fn option(name: &str, value: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(value);
    option
}

/// The files of a folder, with their sizes.
fn files(folder: &Path) -> anyhow::Result<Vec<(String, u64)>> {
    let entries = std::fs::read_dir(folder)?;
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry?;
        Ok((entry.file_name().to_string_lossy().into_owned(), entry.metadata()?.len()))
    };
    entries.map(file).collect()
}

/// What libFuzzer said last of coverage, and how much was tried.
fn summary(said: &str) -> String {
    let number = |name: &str| {
        let line = said.lines().rev().find(|line| line.contains(name))?;
        line.split_once(name)?.1.split_whitespace().next().map(str::to_owned)
    };
    let shown = |name: &str| number(name).unwrap_or_else(|| "?".to_owned());
    format!(
        "{:>9} executions, {:>6} edges, {:>6} features, slowest {} s, {} MiB",
        shown("stat::number_of_executed_units:"),
        shown(" cov: "),
        shown(" ft: "),
        shown("stat::slowest_unit_time_sec:"),
        shown("stat::peak_rss_mb:"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts() {
        let said = "#2\tINITED cov: 7 ft: 8 corp: 1/1b\n#9\tDONE   cov: 10 ft: 12 corp: 4/25b\n\
                    stat::number_of_executed_units: 46\nstat::slowest_unit_time_sec:    1\n\
                    stat::peak_rss_mb:              27\n";
        let expected = "       46 executions,     10 edges,     12 features, slowest 1 s, 27 MiB";
        assert_eq!(summary(said), expected);
    }
}
