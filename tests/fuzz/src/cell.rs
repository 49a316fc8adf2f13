//! A cell in a thread of this process, spoken to as the runner does.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use signalbox_cell::protocol::{About, End, FromCell, Start, ToCell, read_frame, write_frame};
use signalbox_core::RunId;
use signalbox_core::check::{CheckRequest, Facts};
use signalbox_core::clock::{ManualClock, Timestamp};
use signalbox_core::codes::Code;
use signalbox_core::journal::{Failure, Outcome};
use signalbox_core::value::encode;

/// Most Rhai operations of a run.
const OPERATIONS: u64 = 2_000;
/// The run's own tree; 0 is that of checks.
const TREE: i64 = 1;

/// The other end of a cell.
pub(crate) struct Cell {
    socket: UnixStream,
    inbound: Vec<u8>,
    /// The run that was started last.
    run: u32,
}

thread_local! {
    static CELL: RefCell<Option<Cell>> = const { RefCell::new(None) };
}

/// Does something with the cell. It is the same one each time, as scripts see nothing of each
/// other; one that panics here is not used again.
pub(crate) fn with<T>(use_it: impl FnOnce(&mut Cell) -> T) -> T {
    let mut cell = CELL.take().unwrap_or_else(Cell::start);
    let answer = use_it(&mut cell);
    CELL.set(Some(cell));
    answer
}

impl Cell {
    fn start() -> Self {
        let (socket, theirs) = UnixStream::pair().expect("a pair of sockets");
        let clock = Arc::new(ManualClock::at(Timestamp(1_800_000_000_000_000)));
        std::thread::Builder::new()
            .stack_size(signalbox_cell::STACK)
            .spawn(move || signalbox_cell::run_in_this_thread(theirs, clock))
            .expect("a thread");
        let mut cell = Self { socket, inbound: Vec::new(), run: 0 };
        let ready = FromCell::Ready { isolation: 0, landlock: false };
        assert_eq!(cell.receive(), ready, "the first frame");
        cell
    }

    fn send(&mut self, frame: &ToCell) {
        let mut bytes = Vec::new();
        write_frame(frame, &mut bytes).expect("a frame within its bound");
        self.socket.write_all(&bytes).expect("a cell that listens");
    }

    fn receive(&mut self) -> FromCell {
        loop {
            let read = read_frame(&self.inbound).expect("a cell that can be understood");
            if let Some((frame, taken)) = read {
                self.inbound.drain(..taken);
                return frame;
            }
            let mut bytes = [0; 16_384];
            let count = match self.socket.read(&mut bytes) {
                Ok(count) => count,
                // libFuzzer has an alarm of its own.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => unreachable!("the cell cannot be read: {error}"),
            };
            assert!(count > 0, "the cell is gone");
            self.inbound.extend_from_slice(&bytes[..count]);
        }
    }

    /// Gives it the sources of a tree.
    pub(crate) fn sources(&mut self, tree: i64, sources: &BTreeMap<String, String>) {
        for (path, text) in sources {
            self.send(&ToCell::Source { tree, path: path.clone(), text: text.clone() });
        }
    }

    /// Checks scripts. The sources came as tree 0.
    pub(crate) fn check(&mut self, request: CheckRequest) -> Vec<Facts> {
        self.send(&ToCell::Check(request));
        let mut facts = Vec::new();
        loop {
            match self.receive() {
                FromCell::Facts(found) => facts.push(*found),
                FromCell::Checked => return facts,
                other => unreachable!("a check says {other:?}"),
            }
        }
    }

    /// Evaluates a plan over the sources of the run's tree, of which nothing is left behind. Every
    /// effect is refused.
    pub(crate) fn evaluate(&mut self, plan: &str) -> End {
        self.run += 1;
        let run = self.run;
        let (program, start) = a_run(plan, run, OPERATIONS);
        self.send(&program);
        self.send(&start);
        let mut asked: u32 = 0;
        let end = loop {
            match self.receive() {
                FromCell::Began { .. } | FromCell::Flush { .. } | FromCell::Waiting { .. } => {}
                FromCell::Effect(effect) => {
                    assert_eq!(effect.run, run, "an effect of another run");
                    asked += 1;
                    assert!(u64::from(asked) <= OPERATIONS, "more effects than operations");
                    let outcome = Outcome::Failed(Failure::permanent(Code::Denied, "refused"));
                    self.send(&ToCell::Outcome { run, key: effect.key, outcome });
                }
                FromCell::Ended { run: of, end, .. } => {
                    assert_eq!(of, run, "the end of another run");
                    break end;
                }
                other => unreachable!("a run says {other:?}"),
            }
        };
        self.send(&ToCell::Forget { tree: TREE });
        end
    }

    /// Drops a tree.
    pub(crate) fn forget(&mut self, tree: i64) {
        self.send(&ToCell::Forget { tree });
    }
}

/// A program and a run of it.
pub(crate) fn a_run(plan: &str, run: u32, operations: u64) -> (ToCell, ToCell) {
    let program = ToCell::Program {
        program: run,
        tree: TREE,
        file: "flows/f.yaml".to_owned(),
        plan: plan.to_owned(),
        env: BTreeMap::from([("LEVEL".to_owned(), "info".to_owned())]),
        secrets: vec!["TOKEN".to_owned()],
        connectors: BTreeMap::from([("slack".to_owned(), "log".to_owned())]),
        operations,
    };
    let about = About {
        id: RunId::from_parts(1_700_000_000_000, [7; 10]),
        flow: "f".to_owned(),
        workspace: "shop".to_owned(),
        revision: "0".repeat(40),
        attempt: 1,
        trigger: "api".to_owned(),
        slot: None,
        caller: None,
    };
    let start = ToCell::Start(Box::new(Start {
        run,
        program: run,
        inputs: encode(&signalbox_core::Value::Map(BTreeMap::new())),
        about,
        marker_key: [9; 32],
        seed: 42,
        journal: 0,
        active_us: 0,
        dynamic: None,
    }));
    (program, start)
}

/// Has a plan compiled and evaluated.
pub(crate) fn compiles(plan: &str) {
    let end = with(|cell| cell.evaluate(plan));
    if let End::Error(_, error, _) = &end {
        assert_ne!(error.code, Code::Internal, "a plan that was validated: {}", error.message);
    }
}

/// What a check says of a script in which there is nothing to find.
pub(crate) fn no_facts(name: &str) -> Facts {
    let (diagnostics, imports, calls) = Default::default();
    Facts { name: name.to_owned(), diagnostics, imports, calls }
}
