//! What a run costs its cell. Measures, and holds nothing: run it with `--run-ignored only`.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use signalbox_core::RunId;
use signalbox_core::catalog::{Action, Plan, Repeat, Step};
use signalbox_core::value::{encode, from_json_str};

use super::run;
use crate::link::Link;
use crate::protocol::{About, FromCell, Start, ToCell, read_frame, write_frame};

/// Runs of one measurement.
const RUNS: u32 = 20_000;

#[test]
#[ignore = "measures"]
fn the_cost_of_a_run_of_one_step() {
    for (what, code) in [
        ("a constant", "1"),
        ("an input", "inputs.n * 2"),
        ("a function", "fn f(n) { n + 1 } let a = [1, 2, 3]; f(inputs.n) + a.len()"),
        ("an effect of the cell", "now(); 1"),
        ("a step", "step(\"s\", || 1)"),
    ] {
        for in_line in [256, 1] {
            let best =
                (0..3).map(|_| cost_of(&run(code), r#"{"n": 3}"#, in_line, RUNS)).min().unwrap()
                    / u64::from(RUNS);
            let (micro, nano) = (best / 1000, best % 1000);
            writeln!(std::io::stderr(), "{what}, {in_line} in line: {micro}.{nano:03} µs").unwrap();
        }
    }
}

#[test]
#[ignore = "measures"]
fn the_cost_of_many_steps_and_branches() {
    let fib = "fn fib(n) { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } } ";
    let each = |parallel: u32, code: &str| {
        let items = "inputs.list".to_owned();
        let repeat = Some(Repeat::Foreach { items, parallel });
        Plan { steps: vec![Step { repeat, ..code_step("each", code) }], ..Plan::default() }
    };
    let many = |count: usize, code: &str| {
        let step = |number| code_step(&format!("s{number}"), code);
        Plan { steps: (0..count).map(step).collect(), ..Plan::default() }
    };
    for (what, plan) in [
        ("100 steps in order", many(100, "1")),
        ("40 steps of fib(10)", many(40, &format!("{fib} fib(10)"))),
        ("100 items in order", each(1, "item")),
        ("100 items side by side", each(8, "item")),
        ("100 items side by side, each with `now`", each(8, "now()")),
        ("100 closures side by side", run("parallel(inputs.list.map(|n| || n))")),
    ] {
        let list = (0..100).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let best = (0..3).map(|_| cost_of(&plan, &format!("{{\"list\": [{list}]}}"), 1, 200)).min();
        let micro = best.unwrap() / 200 / 1000;
        writeln!(std::io::stderr(), "{what}: {micro} µs").unwrap();
    }
}

fn code_step(id: &str, code: &str) -> Step {
    Step::new(id, Action::Run { code: code.to_owned(), line: 1 }, 1)
}

/// Processor time of the evaluating thread for so many runs, in nanoseconds, when the runner hands
/// over `in_line` at once and waits for their ends.
fn cost_of(plan: &Plan, inputs: &str, in_line: usize, runs: u32) -> u64 {
    let (mut socket, theirs) = UnixStream::pair().unwrap();
    let cell = std::thread::Builder::new()
        .stack_size(crate::sandbox::STACK)
        .spawn(move || {
            crate::serve::serve(Link::new(Box::new(theirs)), None);
            processor_time()
        })
        .unwrap();
    // The greeting.
    frame(&mut socket);
    let (program, starts) = frames(plan, inputs, runs);
    socket.write_all(&program).unwrap();
    for starts in starts.chunks(in_line) {
        socket.write_all(&starts.concat()).unwrap();
        for _ in starts {
            skip_to_end(&mut socket);
        }
    }
    socket.shutdown(std::net::Shutdown::Both).unwrap();
    cell.join().unwrap()
}

/// Skips frames up to the end of a run.
fn skip_to_end(socket: &mut UnixStream) {
    while !matches!(frame(socket), FromCell::Ended { .. }) {}
}

fn frame(socket: &mut UnixStream) -> FromCell {
    let mut bytes = vec![0; 4];
    socket.read_exact(&mut bytes).unwrap();
    let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    bytes.resize(4 + length as usize, 0);
    socket.read_exact(&mut bytes[4..]).unwrap();
    read_frame(&bytes).unwrap().unwrap().0
}

/// A program, and runs of it.
fn frames(plan: &Plan, inputs: &str, runs: u32) -> (Vec<u8>, Vec<Vec<u8>>) {
    let program = ToCell::Program {
        program: 1,
        tree: 1,
        file: "flows/test.yaml".to_owned(),
        plan: serde_json::to_string(plan).unwrap(),
        env: std::collections::BTreeMap::new(),
        secrets: Vec::new(),
        connectors: std::collections::BTreeMap::new(),
        operations: 10_000_000,
    };
    let starts = (0..runs).map(|number| {
        let about = About {
            id: RunId::from_parts(1_700_000_000_000, [7; 10]),
            flow: "test".to_owned(),
            workspace: "shop".to_owned(),
            revision: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            attempt: 1,
            trigger: "schedule".to_owned(),
            slot: Some(1_700_000_000_000_000),
            caller: None,
        };
        let start = Start {
            run: number,
            program: 1,
            inputs: encode(&from_json_str(inputs).unwrap()),
            about,
            marker_key: [9; 32],
            seed: 42,
            journal: 0,
            active_us: 0,
            dynamic: None,
        };
        written(&ToCell::Start(Box::new(start)))
    });
    (written(&program), starts.collect())
}

fn written(frame: &ToCell) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(frame, &mut bytes).unwrap();
    bytes
}

/// What this thread has used so far, in nanoseconds, as Linux counts it.
fn processor_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}
