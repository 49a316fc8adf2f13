//! What it tries, by the name of the flow.

use std::collections::BTreeMap;
use std::io::{IoSlice, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Result;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use signalbox_cell::protocol::{
    Effect, End, FromCell, HttpRequest, MAX_FRAME, Request, Start, write_frame,
};
use signalbox_core::clock::Timestamp;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Chunk, Entry, Failure, Key, Level, LogLine, Outcome};
use signalbox_core::run::{Reason, RunError};
use signalbox_core::value::encode;
use signalbox_core::{Digest, Value};

use crate::end;
use crate::link::Link;

/// The argument of a process that does nothing but hold its standard input.
pub(crate) const HOLD: &str = "__hold";

/// What a frame of an entry has besides the entry's value, and a little more.
const ROOM: usize = 256;

type Attack = fn(&mut Link, &Start) -> Result<()>;

/// Every attack.
pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("other-run", |link, start| {
        effect_of(link, start.run + 1)?;
        silence(link)
    }),
    ("end-of-other", |link, start| {
        end(link, start.run + 7, null())?;
        silence(link)
    }),
    ("end-twice", |link, start| {
        end(link, start.run, null())?;
        end(link, start.run, null())?;
        silence(link)
    }),
    ("effect-after-end", |link, start| {
        end(link, start.run, null())?;
        effect_of(link, start.run)?;
        silence(link)
    }),
    ("effect-twice", |link, start| {
        let effect = link.effect(start.run, Request::Sleep { micros: 1_000_000_000 });
        link.say(&FromCell::Effect(Box::new(effect.clone())))?;
        link.say(&FromCell::Effect(Box::new(effect)))?;
        silence(link)
    }),
    ("end-under-way", |link, start| {
        let effect = link.effect(start.run, Request::Sleep { micros: 1_000_000_000 });
        link.say(&FromCell::Effect(Box::new(effect)))?;
        end(link, start.run, null())?;
        silence(link)
    }),
    ("frame-of-4-gib", |link, _| {
        link.send(&u32::MAX.to_le_bytes())?;
        silence(link)
    }),
    ("frame-over-bound", |link, _| {
        link.send(&u32::try_from(MAX_FRAME + 1)?.to_le_bytes())?;
        silence(link)
    }),
    ("frame-at-bound", |link, start| {
        flush_of(link, start.run, MAX_FRAME)?;
        end(link, start.run, null())
    }),
    ("frame-endless", |link, _| {
        link.send(&u32::try_from(MAX_FRAME)?.to_le_bytes())?;
        link.send(&vec![7; MAX_FRAME - 1])?;
        silence(link)
    }),
    ("frame-truncated", |link, _| {
        link.send(&1_000_u32.to_le_bytes())?;
        link.send(&[1; 500])?;
        anyhow::bail!("half a frame is enough")
    }),
    ("garbage", |link, _| {
        link.send(&16_u32.to_le_bytes())?;
        link.send(&[0xff; 16])?;
        silence(link)
    }),
    ("frames-endless", |link, start| {
        loop {
            link.say(&FromCell::Began { run: start.run })?;
        }
    }),
    ("silence", |link, _| silence(link)),
    ("ready-twice", |link, _| {
        link.say(&FromCell::Ready { isolation: 3, landlock: true })?;
        silence(link)
    }),
    ("checked", |link, _| {
        link.say(&FromCell::Checked)?;
        silence(link)
    }),
    ("returned", |link, start| {
        link.say(&FromCell::Returned { runs: vec![start.run] })?;
        silence(link)
    }),
    ("unwound", |link, start| {
        link.say(&FromCell::Unwound { run: start.run })?;
        silence(link)
    }),
    ("waits-for-nothing", |link, start| {
        link.say(&FromCell::Waiting { run: start.run, seen: 0 })?;
        silence(link)
    }),
    ("entry-of-runner", |link, start| {
        record(link, start.run, entry("http", Outcome::Done(null())))
    }),
    ("entry-pending", |link, start| record(link, start.run, entry("now", Outcome::Pending))),
    ("entries-endless", |link, start| {
        for _ in 0..11 {
            let entries = vec![entry("now", Outcome::Done(null())); 1_000];
            let chunk = Chunk { entries, ..Chunk::default() };
            link.say(&FromCell::Flush { run: start.run, chunk })?;
        }
        silence(link)
    }),
    ("scope-huge", |link, start| {
        let mut effect = link.effect(start.run, Request::Sleep { micros: 1_000_000 });
        effect.key.scope = "x".repeat(4 << 20);
        link.say(&FromCell::Effect(Box::new(effect)))?;
        silence(link)
    }),
    ("log-huge", |link, start| {
        let message = "x".repeat(2 << 20);
        let line = LogLine { at: Timestamp(0), level: Level::Info, step: String::new(), message };
        let chunk = Chunk {
            entries: vec![entry("log", Outcome::Done(null()))],
            logs: vec![line],
            ..Chunk::default()
        };
        link.say(&FromCell::Flush { run: start.run, chunk })?;
        silence(link)
    }),
    ("reason-of-runner", |link, start| {
        let error = RunError::plain(Code::Cancelled, "nobody asked for it");
        let failure = Failure::permanent(Code::Cancelled, "nobody asked for it");
        let end = End::Error(Reason::CancelRequested, error, failure);
        link.say(&FromCell::Ended { run: start.run, chunk: Chunk::default(), end })?;
        silence(link)
    }),
    ("not-wanted", |link, start| {
        let (run, chunk) = (start.run, Chunk::default());
        link.say(&FromCell::Ended { run, chunk, end: End::NotWanted })?;
        silence(link)
    }),
    ("incompatible", |link, start| {
        let end = End::Incompatible("x".repeat(1 << 20));
        link.say(&FromCell::Ended { run: start.run, chunk: Chunk::default(), end })
    }),
    ("no-value", |link, start| end(link, start.run, vec![0xff; 1000])),
    ("effects-at-once", |link, start| {
        for _ in 0..1_000 {
            effect_of(link, start.run)?;
        }
        silence(link)
    }),
    ("effects-endless", |link, start| {
        loop {
            let name = "mine".to_owned();
            if link.ask(start.run, Request::StateGet { name })? == Outcome::Pending {
                return Ok(());
            }
        }
    }),
    ("reads-nothing", reads_nothing),
    ("errors-endless", |_, _| {
        loop {
            Link::shout(&[b'x'; 4096])?;
        }
    }),
    ("descriptors", descriptors),
    ("fork", |_, _| {
        fork()?;
        anyhow::bail!("the other one holds the socket")
    }),
    ("names", names),
    // What comes now begins when the run is evaluated for the second time, with its journal.
    ("replay-asks-again", |link, start| {
        replayed(link, start)?;
        effect_of(link, start.run)?;
        silence(link)
    }),
    ("replay-waits-for-another", |link, start| {
        replayed(link, start)?;
        let request = Request::FlowWait { run: start.about.id.clone() };
        let effect = Effect { key: key(LONG), ..link.effect(start.run, request) };
        link.say(&FromCell::Effect(Box::new(effect)))?;
        silence(link)
    }),
    ("replay-of-another-program", |link, start| {
        replayed(link, start)?;
        let effect = link.effect(start.run, Request::Sleep { micros: HOUR });
        let effect = Effect { key: key(LONG), fingerprint: Digest::of(b"another"), ..effect };
        link.say(&FromCell::Effect(Box::new(effect)))?;
        silence(link)
    }),
    ("replay-does-a-wait", |link, start| {
        replayed(link, start)?;
        let request = Request::StateAdd { name: "counted".to_owned(), by: 1 };
        let effect = Effect { key: key(LONG), ..link.effect(start.run, request) };
        link.say(&FromCell::Effect(Box::new(effect)))?;
        silence(link)
    }),
    ("replay-rewrites", |link, start| {
        replayed(link, start)?;
        record(link, start.run, Entry { key: key(1), ..entry("now", Outcome::Done(null())) })
    }),
    ("replay-rewrites-at-its-end", |link, start| {
        replayed(link, start)?;
        let entries = vec![Entry { key: key(LONG), ..entry("step", Outcome::Done(null())) }];
        let (chunk, end) = (Chunk { entries, ..Chunk::default() }, End::Result(null()));
        link.say(&FromCell::Ended { run: start.run, chunk, end })?;
        silence(link)
    }),
    ("replay-does-not-fit", |link, start| {
        replayed(link, start)?;
        let end = End::Incompatible("not what was recorded".to_owned());
        link.say(&FromCell::Ended { run: start.run, chunk: Chunk::default(), end })
    }),
    ("replay-forgets", |link, start| {
        replayed(link, start)?;
        end(link, start.run, null())
    }),
];

/// The ordinal of the wait that [`replayed`] leaves without an answer.
const LONG: u32 = 2;
/// In microseconds.
const HOUR: i64 = 3_600_000_000;

/// Comes to its end when the run has a journal: something that is done (1), a wait that lasts
/// ([`LONG`]) and one that is over (3).
fn replayed(link: &mut Link, start: &Start) -> Result<()> {
    if start.journal > 0 {
        return Ok(());
    }
    link.ask(start.run, Request::StateAdd { name: "counted".to_owned(), by: 1 })?;
    let long = link.effect(start.run, Request::Sleep { micros: HOUR });
    link.say(&FromCell::Effect(Box::new(Effect { waits: false, ..long })))?;
    link.ask(start.run, Request::Sleep { micros: 100_000 })?;
    anyhow::bail!("it was let go")
}

fn key(ordinal: u32) -> Key {
    Key { scope: String::new(), attempt: 1, ordinal }
}

fn null() -> Vec<u8> {
    encode(&Value::Null)
}

/// Does nothing, for ever.
fn silence(link: &mut Link) -> Result<()> {
    loop {
        link.hear()?;
    }
}

/// Asks for something cheap in the name of a run.
fn effect_of(link: &mut Link, run: u32) -> Result<()> {
    let effect = link.effect(run, Request::StateAdd { name: "counted".to_owned(), by: 1 });
    link.say(&FromCell::Effect(Box::new(effect)))
}

fn entry(kind: &str, outcome: Outcome) -> Entry {
    Entry {
        key: key(0),
        kind: kind.to_owned(),
        fingerprint: Digest::of(b"forged"),
        outcome,
        at: Timestamp(0),
    }
}

/// Has something recorded, in a frame of so many bytes.
fn flush_of(link: &mut Link, run: u32, bytes: usize) -> Result<()> {
    let frame = |length| {
        let entries = vec![entry("now", Outcome::Done(vec![0; length]))];
        FromCell::Flush { run, chunk: Chunk { entries, ..Chunk::default() } }
    };
    // Four bytes are the length.
    let mut written = Vec::new();
    write_frame(&frame(bytes - ROOM), &mut written)?;
    let missing = bytes + 4 - written.len();
    written.clear();
    write_frame(&frame(bytes - ROOM + missing), &mut written)?;
    anyhow::ensure!(written.len() == bytes + 4, "a frame of {} bytes", written.len());
    link.send(&written)
}

/// Claims that something is in the journal.
fn record(link: &mut Link, run: u32, entry: Entry) -> Result<()> {
    let chunk = Chunk { entries: vec![entry], ..Chunk::default() };
    link.say(&FromCell::Flush { run, chunk })?;
    silence(link)
}

/// Has a megabyte sent back again and again, and reads none of it.
fn reads_nothing(link: &mut Link, start: &Start) -> Result<()> {
    let value = encode(&Value::String("x".repeat((1 << 20) - 16)));
    link.ask(start.run, Request::StateSet { name: "large".to_owned(), value })?;
    loop {
        let effect = link.effect(start.run, Request::StateGet { name: "large".to_owned() });
        link.say(&FromCell::Effect(Box::new(effect)))?;
        std::thread::park_timeout(Duration::from_millis(25));
    }
}

/// Ends its run well, and passes descriptors with the word.
fn descriptors(link: &mut Link, start: &Start) -> Result<()> {
    let stdin = std::io::stdin();
    for _ in 0..50 {
        let mut bytes = Vec::new();
        write_frame(&FromCell::Began { run: start.run }, &mut bytes)?;
        let held = [stdin.as_fd(); 16];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(16))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&held));
        sendmsg(&stdin, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::empty())?;
    }
    end(link, start.run, null())
}

/// Starts a process that holds the socket.
fn fork() -> Result<()> {
    let program = std::env::current_exe()?;
    Command::new(program).arg(HOLD).stdin(Stdio::inherit()).stdout(Stdio::null()).spawn()?;
    Ok(())
}

/// Holds the socket until the runner has let go of it.
pub(crate) fn hold() -> Result<()> {
    std::io::stdin().lock().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Names what belongs to others in everything that has a name; its result is all that came of it.
fn names(link: &mut Link, start: &Start) -> Result<()> {
    let text = |text: &str| text.to_owned();
    let inputs = || encode(&Value::Map(BTreeMap::new()));
    let own = signalbox_core::text::hex(&start.marker_key[..16]);
    let victim = start.inputs.clone();
    let victim = signalbox_core::value::decode(&victim)?;
    let victim = match victim.get("run") {
        Some(Value::String(run)) => run.parse()?,
        _ => start.about.id.clone(),
    };
    let http = |value: String| HttpRequest {
        method: text("GET"),
        url: text("http://127.0.0.1:1/"),
        headers: vec![(text("x"), value)],
        body: Vec::new(),
        timeout_ms: None,
    };
    let requests = [
        Request::StateGet { name: text("mine") },
        Request::StateGet { name: text("ops/mine") },
        Request::StateGet { name: text("../ops/mine") },
        Request::StateList { prefix: text("") },
        Request::StateSwap { name: text("mine"), expected: None, value: null() },
        Request::StateDelete { name: text("ops/mine") },
        Request::Call { target: text("ops/look"), inputs: inputs(), wait: true },
        Request::Call { target: text("look"), inputs: inputs(), wait: true },
        Request::Call { target: text("ops.look@1"), inputs: inputs(), wait: false },
        Request::Flow { flow: text("ops/look"), inputs: inputs(), wait: true },
        Request::Flow { flow: text("keep"), inputs: inputs(), wait: true },
        Request::FlowWait { run: victim },
        Request::WorkspaceMetrics { workspace: Some(text("ops")) },
        Request::FlowMetrics { flow: text("ops/look") },
        Request::Secret { name: text("OPS_KEY") },
        Request::Hmac {
            key: format!("⟦secret:OPS_KEY:{own}⟧"),
            message: Vec::new(),
            algorithm: signalbox_cell::keyed::Algorithm::Sha256,
        },
        Request::Connector { name: text("chat"), method: text("send"), arguments: inputs() },
        Request::Http(http(format!("⟦secret:OPS_KEY:{own}⟧"))),
        Request::Http(http(text("plain"))),
    ];
    let mut came = Vec::new();
    for request in requests {
        came.push(match link.ask(start.run, request)? {
            Outcome::Done(bytes) => signalbox_core::value::decode(&bytes)?,
            Outcome::Failed(failure) => Value::String(failure.code.to_string()),
            Outcome::Pending => Value::from("pending"),
        });
    }
    end(link, start.run, encode(&Value::List(came)))
}
