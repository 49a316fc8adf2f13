//! A cell that somebody else has taken over: it speaks the protocol, and means harm.
//!
//! The engine's tests start it in the place of the real one (`Options::cell`); nothing else can. It is
//! behind no walls: what it may say is the point here, what it may do to the kernel is tried by the
//! cell's own tests. It does what the flow of its run is called; runs of any other flow it ends well.

mod attacks;
mod link;

use anyhow::Result;
use signalbox_cell::protocol::{End, FromCell, Request, Start, ToCell};
use signalbox_core::Value;
use signalbox_core::check::Facts;
use signalbox_core::journal::{Chunk, Outcome};
use signalbox_core::value::encode;

use attacks::ATTACKS;
use link::Link;

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(attacks::HOLD) {
        return attacks::hold();
    }
    if is_mute() {
        return attacks::hold();
    }
    let mut link = Link::new();
    link.say(&FromCell::Ready { isolation: 3, landlock: true })?;
    loop {
        match link.hear()? {
            ToCell::Start(start) => evaluate(&mut link, &start)?,
            ToCell::Check(request) => {
                for script in request.scripts {
                    let facts = Facts {
                        name: script.name,
                        diagnostics: Vec::new(),
                        imports: Vec::new(),
                        calls: Vec::new(),
                    };
                    link.say(&FromCell::Facts(Box::new(facts)))?;
                }
                link.say(&FromCell::Checked)?;
            }
            ToCell::Recall => link.say(&FromCell::Returned { runs: Vec::new() })?,
            ToCell::Unwind { run } => link.say(&FromCell::Unwound { run })?,
            ToCell::Source { .. }
            | ToCell::Program { .. }
            | ToCell::Forget { .. }
            | ToCell::Journal { .. }
            | ToCell::Outcome { .. } => {}
        }
    }
}

/// Whether a cell with this much memory is not to say a word. The first arguments are a folder with a
/// file for each of them, named by the memory and a number: whoever takes it away is one.
fn is_mute() -> bool {
    let arguments: Vec<_> = std::env::args().collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let (Some(folder), Some(memory)) = (after("--mute"), after("--memory")) else { return false };
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut own = files.filter(|file| file.file_name().to_string_lossy().starts_with(memory));
    own.any(|file| std::fs::remove_file(file.path()).is_ok())
}

fn evaluate(link: &mut Link, start: &Start) -> Result<()> {
    let flow = start.about.flow.as_str();
    if let Some((_, attack)) = ATTACKS.iter().find(|(name, _)| *name == flow) {
        return attack(link, start);
    }
    let result = match flow {
        "keep" => {
            let value = encode(&Value::from("what is mine"));
            link.ask(start.run, Request::StateSet { name: "mine".to_owned(), value })?
        }
        "counted" => link.ask(start.run, Request::StateGet { name: "counted".to_owned() })?,
        "look" => link.ask(start.run, Request::StateGet { name: "mine".to_owned() })?,
        "wait" => link.ask(start.run, Request::Sleep { micros: 3_600_000_000 })?,
        _ => Outcome::Done(encode(&Value::Null)),
    };
    let Outcome::Done(bytes) = result else { return Ok(()) };
    end(link, start.run, bytes)
}

/// Ends a run well, with a value in canonical bytes.
fn end(link: &mut Link, run: u32, result: Vec<u8>) -> Result<()> {
    link.say(&FromCell::Ended { run, chunk: Chunk::default(), end: End::Result(result) })
}
