//! The frames of a cell's socket, in both directions.

use std::fmt::Debug;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use signalbox_cell::protocol::{
    Effect, End, FrameError, FromCell, HttpRequest, MAX_FRAME, Request, ToCell, Within, read_frame,
    write_frame,
};
use signalbox_core::check::{CheckRequest, CheckScript, ScriptCode, ScriptKind};
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Chunk, Entry, Failure, Key, Level, LogLine, Outcome};
use signalbox_core::run::{Reason, RunError, State, StepRecord};
use signalbox_core::value::encode;
use signalbox_core::{Digest, Value};

use crate::seeds::Seed;

/// Bytes of a frame's length.
const HEAD: usize = 4;

pub(crate) fn run(bytes: &[u8]) {
    reads::<FromCell>(bytes);
    reads::<ToCell>(bytes);
    // Most bytes make a length that no frame has: the same as the content of one frame.
    let length = u32::try_from(bytes.len()).expect("libFuzzer's inputs are short");
    let framed = [&length.to_le_bytes(), bytes].concat();
    reads::<FromCell>(&framed);
    reads::<ToCell>(&framed);
}

/// Reads frame after frame, as either side does.
fn reads<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    let mut rest = bytes;
    loop {
        match read_frame::<T>(rest) {
            Ok(Some((frame, taken))) => {
                assert!((HEAD..=HEAD + MAX_FRAME).contains(&taken), "a frame over its bound");
                let early = read_frame::<T>(&rest[..taken - 1]);
                assert_eq!(early.ok(), Some(None), "a frame is whole with its last byte");
                again(&frame);
                rest = &rest[taken..];
            }
            Ok(None) => {
                if let Some((head, behind)) = rest.split_first_chunk::<HEAD>() {
                    let length = u32::from_le_bytes(*head) as usize;
                    assert!(length <= MAX_FRAME, "a frame over its bound is waited for");
                    assert!(behind.len() < length, "a frame that is whole is waited for");
                }
                return;
            }
            Err(error) => {
                // Refused by its length alone, before a byte of it has come.
                let by_length = read_frame::<T>(&rest[..HEAD]).err();
                let too_large = matches!(error, FrameError::TooLarge(_));
                assert_eq!(by_length.filter(|_| too_large), Some(error).filter(|_| too_large));
                return;
            }
        }
    }
}

/// A frame that was read is one that can be written and read again.
fn again<T: Serialize + DeserializeOwned + PartialEq + Debug>(frame: &T) {
    let mut bytes = b"before".to_vec();
    let Ok(()) = write_frame(frame, &mut bytes) else {
        assert_eq!(bytes, b"before", "a frame that is refused leaves nothing");
        return;
    };
    bytes.extend_from_slice(b"behind");
    let (read, taken) = read_frame::<T>(&bytes[6..]).expect("its own frame").expect("all of it");
    assert_eq!(&read, frame, "a frame is what was written");
    assert_eq!(&bytes[6 + taken..], b"behind", "nothing of what follows is taken");
}

/// A chunk with one of everything.
pub(crate) fn chunk() -> Chunk {
    let key = |ordinal| Key { scope: "a#0@2/[1]".to_owned(), attempt: 1, ordinal };
    let entry = |ordinal, outcome| Entry {
        key: key(ordinal),
        kind: "http".to_owned(),
        fingerprint: Digest::of(b"x"),
        outcome,
        at: Timestamp(1_700_000_000_000_000),
    };
    let failure = Failure::transient(Code::StepTimedOut, "slow");
    Chunk {
        entries: vec![
            entry(0, Outcome::Pending),
            entry(1, Outcome::Done(encode(&Value::map([("a", Value::Float(0.5))])))),
            entry(2, Outcome::Failed(failure)),
        ],
        logs: vec![LogLine {
            at: Timestamp(0),
            level: Level::Warn,
            step: "a".to_owned(),
            message: "text".to_owned(),
        }],
        steps: vec![StepRecord {
            id: "a".to_owned(),
            state: State::Failed,
            attempt: 2,
            started_at: Timestamp(1),
            duration_us: 7,
            error: Some("no".to_owned()),
        }],
    }
}

pub(crate) fn seeds(_: &Path) -> Vec<Seed> {
    let effects = requests().into_iter().map(|request| {
        let key = Key { scope: "a#0".to_owned(), attempt: 1, ordinal: 3 };
        let within = Within { micros: 5, message: "late".to_owned() };
        let fingerprint = Digest::of(b"y");
        FromCell::Effect(Box::new(Effect {
            run: 7,
            chunk: chunk(),
            key,
            fingerprint,
            waits: true,
            seen: 1,
            within: Some(within),
            request,
        }))
    });
    let error = RunError::plain(Code::Internal, "no");
    let failure = Failure::permanent(Code::Internal, "no");
    let ends = [
        End::Result(encode(&Value::Int(1))),
        End::Error(Reason::ScriptError, error, failure),
        End::ContinueAs(encode(&Value::Null)),
        End::Incompatible("other".to_owned()),
        End::NotWanted,
    ];
    let ends = ends.map(|end| FromCell::Ended { run: 7, chunk: chunk(), end });
    let others = [
        FromCell::Ready { isolation: 3, landlock: true },
        FromCell::Began { run: 7 },
        FromCell::Waiting { run: 7, seen: 2 },
        FromCell::Flush { run: 7, chunk: chunk() },
        FromCell::Unwound { run: 7 },
        FromCell::Returned { runs: vec![1, 2, 300] },
        FromCell::Facts(Box::new(crate::cell::no_facts("a"))),
        FromCell::Checked,
    ];
    let mut seeds: Vec<_> = effects.chain(ends).chain(others).map(|frame| seed(&frame)).collect();
    seeds.extend(to_cell().iter().map(seed));
    seeds
}

fn requests() -> Vec<Request> {
    let http = HttpRequest {
        method: "GET".to_owned(),
        url: "https://example.org/".to_owned(),
        headers: vec![("a".to_owned(), "b".to_owned())],
        body: b"body".to_vec(),
        timeout_ms: Some(5),
    };
    let inputs = encode(&Value::map([("n", Value::Int(3))]));
    vec![
        Request::Call { target: "alerts.send".to_owned(), inputs: inputs.clone(), wait: true },
        Request::Flow { flow: "a/b".to_owned(), inputs, wait: false },
        Request::Sleep { micros: 5 },
        Request::Http(http),
        Request::StateSwap { name: "n".to_owned(), expected: Some(vec![0]), value: vec![0] },
        Request::Secret { name: "TOKEN".to_owned() },
    ]
}

fn to_cell() -> Vec<ToCell> {
    let script = CheckScript {
        name: "a".to_owned(),
        file: "w/a.rhai".to_owned(),
        origin: (1, 1),
        kind: ScriptKind::Script,
        sees: vec!["item".to_owned()],
        code: ScriptCode::Inline("1".to_owned()),
    };
    let (secrets, connectors) = (vec!["TOKEN".to_owned()], Vec::new());
    let chunk = chunk();
    let Entry { key, outcome, .. } = chunk.entries[1].clone();
    let (program, start) = crate::cell::a_run("{}", 1, 1_000);
    vec![
        ToCell::Source { tree: 1, path: "a.rhai".to_owned(), text: "1".to_owned() },
        program,
        start,
        ToCell::Forget { tree: 1 },
        ToCell::Journal { run: 7, entries: chunk.entries },
        ToCell::Outcome { run: 7, key, outcome },
        ToCell::Unwind { run: 7 },
        ToCell::Recall,
        ToCell::Check(CheckRequest { scripts: vec![script], secrets, connectors }),
    ]
}

fn seed<T: Serialize>(frame: &T) -> Seed {
    let mut bytes = Vec::new();
    write_frame(frame, &mut bytes).expect("a frame");
    // Without its length: that of a kept input changes.
    Seed(bytes.split_off(HEAD))
}
