//! What a run costs its cell. Measures, and holds nothing: run it with `--run-ignored only`.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use signalbox_core::RunId;
use signalbox_core::value::{encode, from_json_str};

use super::run;
use crate::link::Link;
use crate::protocol::{About, Start, ToCell, write_frame};

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
            let best = (0..3).map(|_| cost_of(code, in_line)).min().unwrap() / u64::from(RUNS);
            let (micro, nano) = (best / 1000, best % 1000);
            writeln!(std::io::stderr(), "{what}, {in_line} in line: {micro}.{nano:03} µs").unwrap();
        }
    }
}

/// Processor time of the evaluating thread for [`RUNS`] runs, in nanoseconds, when the runner hands
/// over so many at once and waits for their ends.
fn cost_of(code: &str, in_line: usize) -> u64 {
    let (mut socket, theirs) = UnixStream::pair().unwrap();
    let cell = std::thread::Builder::new()
        .stack_size(crate::sandbox::STACK)
        .spawn(move || {
            crate::serve::serve(Link::new(Box::new(theirs)), 1);
            processor_time()
        })
        .unwrap();
    // The greeting.
    skip_frame(&mut socket);
    let (program, starts) = frames(code);
    socket.write_all(&program).unwrap();
    for starts in starts.chunks(in_line) {
        socket.write_all(&starts.concat()).unwrap();
        for _ in starts {
            skip_frame(&mut socket);
        }
    }
    socket.shutdown(std::net::Shutdown::Both).unwrap();
    cell.join().unwrap()
}

fn skip_frame(socket: &mut UnixStream) {
    let mut length = [0; 4];
    socket.read_exact(&mut length).unwrap();
    let mut body = vec![0; u32::from_le_bytes(length) as usize];
    socket.read_exact(&mut body).unwrap();
}

/// A program, and [`RUNS`] runs of it.
fn frames(code: &str) -> (Vec<u8>, Vec<Vec<u8>>) {
    let program = ToCell::Program {
        program: 1,
        tree: 1,
        file: "flows/test.yaml".to_owned(),
        plan: serde_json::to_string(&run(code)).unwrap(),
        env: std::collections::BTreeMap::new(),
        secrets: Vec::new(),
        connectors: std::collections::BTreeMap::new(),
        operations: 10_000_000,
    };
    let starts = (0..RUNS).map(|number| {
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
            inputs: encode(&from_json_str(r#"{"n": 3}"#).unwrap()),
            about,
            marker_key: [9; 32],
            seed: 42,
            journal: 0,
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
