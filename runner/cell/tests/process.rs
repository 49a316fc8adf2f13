//! A real process: sandboxed, spoken to over its standard input. This binary is the cell's program
//! when its first argument is `__cell`.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test without a harness, which clippy does not know for one"
)]

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitCode, Stdio};

use signalbox_cell::Options;
use signalbox_cell::protocol::{About, End, FromCell, Start, ToCell, read_frame, write_frame};
use signalbox_core::catalog::{Action, Plan, Step};
use signalbox_core::isolation::Level;
use signalbox_core::value::{decode, encode};
use signalbox_core::{RunId, Value};

const OPTIONS: Options = Options { memory: 64 << 20, least: Level::L3 };

#[expect(clippy::disallowed_methods, reason = "the test's own command line")]
fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("__cell") => return signalbox_cell::run(&OPTIONS),
        // What the test runner asks of every test binary.
        Some("--list") => {
            if !arguments.iter().any(|argument| argument == "--ignored") {
                println!("process: test");
            }
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    a_cell_evaluates_in_a_process_without_anything();
    closures_have_the_same_names_in_two_processes();
    a_run_that_takes_too_much_memory_only_kills_its_cell();
    ExitCode::SUCCESS
}

struct Cell {
    child: Child,
    socket: UnixStream,
    inbound: Vec<u8>,
}

impl Cell {
    #[expect(clippy::disallowed_methods, reason = "the test's own child")]
    fn spawn() -> Self {
        let (socket, theirs) = UnixStream::pair().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .arg("__cell")
            .env("LEAKED", "1")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut cell = Self { child, socket, inbound: Vec::new() };
        assert!(matches!(cell.receive(), Some(FromCell::Ready { isolation: 3, .. })));
        cell
    }

    fn send(&mut self, frame: &ToCell) {
        let mut bytes = Vec::new();
        write_frame(frame, &mut bytes).unwrap();
        self.socket.write_all(&bytes).unwrap();
    }

    fn receive(&mut self) -> Option<FromCell> {
        loop {
            if let Some((frame, taken)) = read_frame(&self.inbound).unwrap() {
                self.inbound.drain(..taken);
                return Some(frame);
            }
            let mut bytes = [0; 4096];
            match self.socket.read(&mut bytes).unwrap_or(0) {
                0 => return None,
                count => self.inbound.extend_from_slice(&bytes[..count]),
            }
        }
    }

    /// The end of a run of some code; `None` when the cell died of it.
    fn evaluate(&mut self, code: &str) -> Option<End> {
        let step = Step::new("main", Action::Run { code: code.to_owned(), line: 1 }, 1);
        let plan = Plan { steps: vec![step], ..Plan::default() };
        self.send(&ToCell::Program {
            program: 1,
            tree: 1,
            file: "flows/test.yaml".to_owned(),
            plan: serde_json::to_string(&plan).unwrap(),
            env: [].into(),
            secrets: Vec::new(),
            connectors: [].into(),
            operations: 100_000_000,
        });
        self.send(&ToCell::Start(Box::new(Start {
            run: 1,
            program: 1,
            inputs: encode(&Value::Null),
            about: About {
                id: RunId::from_parts(1, [1; 10]),
                flow: "test".to_owned(),
                workspace: "shop".to_owned(),
                revision: String::new(),
                attempt: 1,
                trigger: "api".to_owned(),
                slot: None,
                caller: None,
            },
            marker_key: [0; 32],
            seed: 1,
            journal: 0,
            active_us: 0,
            dynamic: None,
        })));
        loop {
            match self.receive()? {
                FromCell::Ended { end, .. } => return Some(end),
                FromCell::Began { .. } | FromCell::Flush { .. } => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// Closes the socket: the cell must end by itself.
    fn leave(mut self) -> std::process::ExitStatus {
        drop(self.socket);
        self.child.wait().unwrap()
    }
}

fn result(end: Option<End>) -> Value {
    match end {
        Some(End::Result(bytes)) => decode(&bytes).unwrap(),
        other => panic!("no result: {other:?}"),
    }
}

fn a_cell_evaluates_in_a_process_without_anything() {
    let mut cell = Cell::spawn();
    assert_eq!(result(cell.evaluate("40 + 2")), Value::Int(42));
    let status = std::fs::read_to_string(format!("/proc/{}/status", cell.child.id())).unwrap();
    assert!(status.contains("NoNewPrivs:\t1"));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", cell.child.id())).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().next().unwrap().to_owned()
    };
    for name in ["Max core file size", "Max file size", "Max processes"] {
        assert_eq!(limit(name), "0", "{name}");
    }
    assert_eq!(limit("Max open files"), "16");
    let open: Vec<_> = std::fs::read_dir(format!("/proc/{}/fd", cell.child.id()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(open.len(), 2, "{open:?}");
    assert!(cell.leave().success(), "the end of the socket is an orderly end");
}

fn closures_have_the_same_names_in_two_processes() {
    let code = "let k = 3; let f = |x| x + k; let g = || 2; `${f} ${g}`";
    let names = [0; 2].map(|_| {
        let mut cell = Cell::spawn();
        let names = result(cell.evaluate(code));
        assert!(cell.leave().success());
        names
    });
    assert_eq!(names[0], names[1]);
}

fn a_run_that_takes_too_much_memory_only_kills_its_cell() {
    let mut cell = Cell::spawn();
    let code = "let s = \"\"; s.pad(4000000, 'x'); let a = []; for i in 0..1000 { a.push(s + i); } a.len()";
    let end = cell.evaluate(code);
    assert!(!matches!(end, Some(End::Result(_))), "four gigabytes in a cell of 64 MiB");
    cell.leave();
}
