//! A runner for tests.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;

use signalbox_core::catalog::{Action, Plan, Step};
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Chunk, Entry, Failure, Key, LogLine, Outcome};
use signalbox_core::run::{Reason, RunError, StepRecord};
use signalbox_core::schedule::Dynamic;
use signalbox_core::value::{decode, encode, from_json_str};
use signalbox_core::{RunId, Value};

use crate::link::Link;
use crate::protocol::{
    About, Effect, End, FromCell, Request, Start, ToCell, read_frame, write_frame,
};

/// A plan of one step of code.
pub(super) fn run(code: &str) -> Plan {
    steps(&[("main", code)])
}

/// A plan of steps of code.
pub(super) fn steps(steps: &[(&str, &str)]) -> Plan {
    let step = |(id, code): &(&str, &str)| {
        Step::new(*id, Action::Run { code: (*code).to_owned(), line: 10 }, 9)
    };
    Plan { steps: steps.iter().map(step).collect(), ..Plan::default() }
}

/// What became of a run.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// `None`: it was unwound.
    pub(super) end: Option<End>,
    pub(super) journal: Vec<Entry>,
    pub(super) logs: Vec<LogLine>,
    pub(super) steps: Vec<StepRecord>,
    pub(super) requests: Vec<Request>,
    /// The scope and ordinal of each effect that was asked for, in order.
    pub(super) asked: Vec<Key>,
    /// The last of them, as an entry without its outcome.
    last: Option<Entry>,
    /// Most effects that were under way at once.
    pub(super) most: usize,
    /// How often the run said that it waits.
    pub(super) waits: usize,
}

impl Record {
    pub(super) fn value(&self) -> Value {
        match &self.end {
            Some(End::Result(bytes)) => decode(bytes).unwrap(),
            other => panic!("no result: {other:?}"),
        }
    }

    pub(super) fn json(&self) -> String {
        self.value().to_string()
    }

    pub(super) fn error(&self) -> (Reason, RunError) {
        match &self.end {
            Some(End::Error(reason, error, _)) => (*reason, error.clone()),
            other => panic!("no error: {other:?}"),
        }
    }

    /// The entry of the effect that was asked for last, with an outcome.
    pub(super) fn answered(&self, outcome: &Outcome) -> Entry {
        Entry { outcome: outcome.clone(), ..self.last.clone().unwrap() }
    }

    fn take(&mut self, chunk: Chunk) {
        self.journal.extend(chunk.entries);
        self.logs.extend(chunk.logs);
        self.steps.extend(chunk.steps);
    }
}

/// What the test's runner does about an effect.
pub(super) enum Answer {
    Outcome(Outcome),
    /// Its outcome when the run waits, behind those of later effects.
    Late(Outcome),
    /// No outcome at all.
    Never,
    /// Stop the run.
    Unwind,
}

/// The other end of a cell.
pub(super) struct Runner {
    socket: UnixStream,
    inbound: Vec<u8>,
    cell: Option<JoinHandle<()>>,
    next: u32,
    pub(super) attempt: u32,
    pub(super) active_us: i64,
    pub(super) operations: u64,
    pub(super) sources: BTreeMap<String, String>,
    pub(super) state: BTreeMap<String, Value>,
    pub(super) dynamic: Option<Dynamic>,
    /// Inputs of the runs that were started, by the last digit of their ids.
    started: Vec<Vec<u8>>,
}

impl Runner {
    pub(super) fn new() -> Self {
        Self::with(|_| ())
    }

    /// A runner of a cell whose engine `extend` gave more functions.
    pub(super) fn with(extend: fn(&mut rhai::Engine)) -> Self {
        let (socket, theirs) = UnixStream::pair().unwrap();
        let cell = std::thread::Builder::new()
            .stack_size(crate::sandbox::STACK)
            .spawn(move || {
                let mut engine = crate::script::engine();
                extend(&mut engine);
                crate::serve::serve_with(engine, Link::new(Box::new(theirs)), None);
            })
            .unwrap();
        let mut runner = Self::over(socket);
        runner.cell = Some(cell);
        runner
    }

    /// A runner over a socket that a cell is at the other end of.
    pub(super) fn over(socket: UnixStream) -> Self {
        let mut runner = Self {
            socket,
            inbound: Vec::new(),
            cell: None,
            next: 0,
            attempt: 1,
            active_us: 0,
            operations: 10_000_000,
            sources: BTreeMap::new(),
            state: BTreeMap::new(),
            dynamic: None,
            started: Vec::new(),
        };
        assert_eq!(runner.receive(), FromCell::Ready { isolation: 0, landlock: false });
        runner
    }

    pub(super) fn send(&mut self, frame: &ToCell) {
        let mut bytes = Vec::new();
        write_frame(frame, &mut bytes).unwrap();
        self.socket.write_all(&bytes).unwrap();
    }

    pub(super) fn receive(&mut self) -> FromCell {
        loop {
            if let Some((frame, taken)) = read_frame(&self.inbound).unwrap() {
                self.inbound.drain(..taken);
                return frame;
            }
            let mut bytes = [0; 16_384];
            let count = self.socket.read(&mut bytes).unwrap();
            assert!(count > 0, "the cell is gone");
            self.inbound.extend_from_slice(&bytes[..count]);
        }
    }

    pub(super) fn add(&mut self, path: &str, text: &str) {
        self.sources.insert(path.to_owned(), text.to_owned());
    }

    /// Gives the cell a plan. Answers the program's number.
    pub(super) fn load(&mut self, plan: &Plan) -> u32 {
        self.next += 1;
        let tree = i64::from(self.next);
        for (path, text) in self.sources.clone() {
            self.send(&ToCell::Source { tree, path, text });
        }
        let connectors = [("api", "http"), ("slack", "slack"), ("journal", "log")];
        self.send(&ToCell::Program {
            program: self.next,
            tree,
            file: "flows/test.yaml".to_owned(),
            plan: serde_json::to_string(plan).unwrap(),
            env: [("LOG_LEVEL".to_owned(), "info".to_owned())].into(),
            secrets: vec!["TOKEN".to_owned()],
            connectors: connectors.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into(),
            operations: self.operations,
        });
        self.next
    }

    /// Sends a run. Answers its number.
    pub(super) fn start(&mut self, program: u32, inputs: &str, journal: &[Entry]) -> u32 {
        self.start_with(program, encode(&from_json_str(inputs).unwrap()), journal)
    }

    fn start_with(&mut self, program: u32, inputs: Vec<u8>, journal: &[Entry]) -> u32 {
        self.next += 1;
        let run = self.next;
        if !journal.is_empty() {
            self.send(&ToCell::Journal { run, entries: journal.to_vec() });
        }
        let about = About {
            id: RunId::from_parts(1_700_000_000_000, [7; 10]),
            flow: "test".to_owned(),
            workspace: "shop".to_owned(),
            revision: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            attempt: self.attempt,
            trigger: "schedule".to_owned(),
            slot: Some(1_700_000_000_000_000),
            caller: None,
        };
        self.send(&ToCell::Start(Box::new(Start {
            run,
            program,
            inputs,
            about,
            marker_key: [9; 32],
            seed: 42,
            journal: u32::try_from(journal.len()).unwrap(),
            active_us: self.active_us,
            dynamic: self.dynamic.clone(),
        })));
        run
    }

    /// Evaluates a plan without inputs.
    pub(super) fn evaluate(&mut self, plan: &Plan) -> Record {
        self.replay(plan, &[])
    }

    /// Evaluates a plan with inputs, in canonical bytes.
    pub(super) fn evaluate_with(&mut self, plan: &Plan, inputs: &[u8]) -> Record {
        let program = self.load(plan);
        let run = self.start_with(program, inputs.to_vec(), &[]);
        self.follow(run, &mut |runner, request| Answer::Outcome(runner.perform(request)))
    }

    /// Evaluates a plan with a journal, answering effects from memory.
    pub(super) fn replay(&mut self, plan: &Plan, journal: &[Entry]) -> Record {
        let program = self.load(plan);
        let run = self.start(program, r#"{"n": 3}"#, journal);
        self.follow(run, &mut |runner, request| Answer::Outcome(runner.perform(request)))
    }

    /// Follows a run to its end.
    pub(super) fn follow(
        &mut self,
        run: u32,
        answer: &mut dyn FnMut(&mut Self, &Request) -> Answer,
    ) -> Record {
        let mut record = Record::default();
        let mut late: Vec<(Effect, Outcome)> = Vec::new();
        let mut open: usize = 0;
        let mut given = 0;
        loop {
            match self.receive() {
                FromCell::Began { run: of } => assert_eq!(of, run),
                FromCell::Flush { chunk, .. } => record.take(chunk),
                FromCell::Ended { run: of, chunk, end } => {
                    assert_eq!(of, run);
                    record.take(chunk);
                    record.end = Some(end);
                    return record;
                }
                FromCell::Unwound { run: of } => {
                    assert_eq!(of, run);
                    return record;
                }
                FromCell::Waiting { run: of, seen } => {
                    assert_eq!(of, run);
                    // An outcome crossed this word: it comes again.
                    if seen != given {
                        continue;
                    }
                    record.waits += 1;
                    if let Some((effect, outcome)) = late.pop() {
                        open -= 1;
                        given += 1;
                        self.give(run, effect, outcome, &mut record);
                    }
                }
                FromCell::Effect(mut effect) => {
                    record.take(std::mem::take(&mut effect.chunk));
                    assert!(!record.asked.contains(&effect.key), "{:?} twice", effect.key);
                    record.asked.push(effect.key.clone());
                    record.last = Some(entry(&effect, Outcome::Pending));
                    record.requests.push(effect.request.clone());
                    open += 1;
                    record.most = record.most.max(open);
                    let waits = effect.waits;
                    let hurried = effect.within.as_ref().filter(|_| is_slow(&effect.request));
                    let answered = match hurried {
                        Some(within) => Answer::Late(Outcome::Failed(within.failure())),
                        None => answer(self, &effect.request),
                    };
                    match answered {
                        Answer::Unwind => self.send(&ToCell::Unwind { run }),
                        Answer::Never => {}
                        Answer::Late(outcome) if !waits => late.push((*effect, outcome)),
                        Answer::Outcome(outcome) | Answer::Late(outcome) => {
                            open -= 1;
                            given += 1;
                            self.give(run, *effect, outcome, &mut record);
                        }
                    }
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    fn give(&mut self, run: u32, effect: Effect, outcome: Outcome, record: &mut Record) {
        record.journal.push(entry(&effect, outcome.clone()));
        self.send(&ToCell::Outcome { run, key: effect.key, outcome });
    }

    /// Evaluates a plan, answering effects as late as can be, the last one first.
    pub(super) fn late(&mut self, plan: &Plan, journal: &[Entry]) -> Record {
        let program = self.load(plan);
        let run = self.start(program, r#"{"n": 3}"#, journal);
        self.follow(run, &mut |runner, request| Answer::Late(runner.perform(request)))
    }

    /// Performs an effect in memory.
    pub(super) fn perform(&mut self, request: &Request) -> Outcome {
        let value = match request {
            Request::StateGet { name } => self.state.get(name).cloned().unwrap_or_default(),
            Request::StateList { prefix } => {
                let names = self.state.keys().filter(|name| name.starts_with(prefix));
                Value::List(names.map(|name| Value::from(name.as_str())).collect())
            }
            Request::StateSet { name, value } => {
                self.state.insert(name.clone(), decode(value).unwrap());
                Value::Null
            }
            Request::StateAdd { name, by } => {
                let sum = self.state.get(name).and_then(Value::as_int).unwrap_or(0) + by;
                self.state.insert(name.clone(), Value::Int(sum));
                Value::Int(sum)
            }
            Request::StateSwap { name, expected, value } => {
                let expected = expected.as_deref().map(|bytes| decode(bytes).unwrap());
                let fits = self.state.get(name) == expected.as_ref();
                if fits {
                    self.state.insert(name.clone(), decode(value).unwrap());
                }
                Value::Bool(fits)
            }
            Request::StateDelete { name } => Value::Bool(self.state.remove(name).is_some()),
            Request::Secret { .. } | Request::Sleep { .. } | Request::SleepUntil { .. } => {
                Value::Null
            }
            Request::Hmac { message, algorithm, .. } => {
                Value::Bytes(algorithm.digest(b"the value", message))
            }
            Request::WorkspaceMetrics { .. } | Request::FlowMetrics { .. } => metrics(),
            Request::Http(request) if request.url.contains("refused") => {
                return Outcome::Failed(Failure::permanent(Code::Denied, "not granted"));
            }
            Request::Http(request) => respond(&request.method, &request.url),
            Request::Connector { name, method, .. } if name == "api" => respond(method, "/"),
            Request::Connector { .. } => Value::map([("status", Value::Int(200))]),
            Request::Call { target, .. } if target == "forbidden" => {
                return Outcome::Failed(Failure::permanent(
                    Code::UnknownService,
                    "no such service",
                ));
            }
            Request::Call { inputs, wait: true, .. } | Request::Flow { inputs, wait: true, .. } => {
                decode(inputs).unwrap()
            }
            Request::Call { wait: false, .. } => Value::from("018c"),
            Request::Flow { inputs, wait: false, .. } => {
                self.started.push(inputs.clone());
                let number = u8::try_from(self.started.len()).unwrap();
                Value::from(RunId::from_parts(1, [number; 10]).as_str())
            }
            Request::FlowWait { run } => {
                let digits = &run.as_str()[34..];
                decode(&self.started[usize::from_str_radix(digits, 16).unwrap() - 1]).unwrap()
            }
        };
        Outcome::Done(encode(&value))
    }
}

/// Whether an effect takes longer than any step may.
fn is_slow(request: &Request) -> bool {
    matches!(request, Request::Http(request) if request.url.contains("slow"))
}

fn entry(effect: &Effect, outcome: Outcome) -> Entry {
    Entry {
        key: effect.key.clone(),
        kind: effect.request.kind().to_owned(),
        fingerprint: effect.fingerprint,
        outcome,
        at: Timestamp(0),
    }
}

/// 20 runs, of which one failed.
fn metrics() -> Value {
    Value::map([
        ("runs", Value::Int(20)),
        ("failed", Value::Int(1)),
        ("error_rate", Value::Float(0.05)),
        ("last_success", Value::from("2023-11-14T22:13:20.000000Z")),
        ("alarms", Value::List(Vec::new())),
    ])
}

fn respond(method: &str, url: &str) -> Value {
    let body = Value::map([("method", Value::from(method)), ("url", Value::from(url))]).to_string();
    let headers = Value::map([("content-type", Value::from("application/json"))]);
    Value::map([
        ("status", Value::Int(200)),
        ("headers", headers),
        ("body", Value::Bytes(body.into_bytes())),
    ])
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.socket.shutdown(std::net::Shutdown::Both).unwrap();
        if let Some(cell) = self.cell.take() {
            assert!(cell.join().is_ok() || std::thread::panicking());
        }
    }
}
