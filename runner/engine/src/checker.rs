//! Checks scripts in a sandboxed child with a deadline: compiling hostile code can kill a process.

use std::time::Duration;

use signalbox_cell::protocol::{FromCell, ToCell};
use signalbox_core::check::{CheckRequest, Facts};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::{Diagnostic, Place};

use crate::doors::{Cell, Cells};
use crate::options::Error;
use crate::process::Wire;

/// Longest time of one check, whatever its size. The largest workspace takes a fraction of it.
const DEADLINE: Duration = Duration::from_secs(20);
/// Memory of the child that checks.
const MEMORY: u64 = 512 << 20;

/// Checks the scripts of one workspace. What kills the child, or keeps it from answering in time,
/// is a fault of the script it was at.
pub(crate) async fn check(
    cells: &dyn Cells,
    request: CheckRequest,
    texts: Vec<(String, String)>,
) -> Result<Vec<Facts>, Error> {
    if request.scripts.is_empty() {
        return Ok(Vec::new());
    }
    let host = |source| Error::Host { what: "start a cell that checks scripts".to_owned(), source };
    let Cell { mut process, reader, writer } = cells.start(MEMORY).await.map_err(host)?;
    let mut facts = Vec::new();
    let asked = ask(Wire::new(reader, writer), &request, texts, &mut facts);
    let complete = matches!(tokio::time::timeout(DEADLINE, asked).await, Ok(true));
    let ended = process.reap().await;
    if !complete {
        facts.extend(lost(&request, facts.len(), &ended.to_string()));
    }
    Ok(facts)
}

/// Asks, and collects what is answered. Answers whether everything was.
async fn ask(
    mut wire: Wire,
    request: &CheckRequest,
    texts: Vec<(String, String)>,
    facts: &mut Vec<Facts>,
) -> bool {
    for (path, text) in texts {
        if wire.push(&ToCell::Source { tree: 0, path, text }).is_err() {
            return false;
        }
    }
    if wire.push(&ToCell::Check(request.clone())).is_err() {
        return false;
    }
    loop {
        loop {
            match wire.next_frame() {
                Ok(Some(FromCell::Facts(found))) if facts.len() < request.scripts.len() => {
                    facts.push(*found);
                }
                Ok(Some(FromCell::Ready { .. })) => {}
                Ok(Some(FromCell::Checked)) => return facts.len() == request.scripts.len(),
                Ok(None) => break,
                Ok(Some(_)) | Err(_) => return false,
            }
        }
        if !matches!(wire.exchange().await, Ok(true)) {
            return false;
        }
    }
}

/// What is said of the script at which the check was lost.
fn lost(request: &CheckRequest, at: usize, ended: &str) -> Option<Facts> {
    let script = request.scripts.get(at).or(request.scripts.last())?;
    let (line, column) = script.origin;
    let place = Place::at(script.file.clone(), line, column, 1);
    let message =
        format!("this could not be checked: the process that checks it was lost ({ended})");
    let diagnostic = Diagnostic::error(Code::CheckLost, place, message)
        .help("make it smaller: something in it takes too much time, memory or stack to compile");
    Some(Facts {
        name: script.name.clone(),
        diagnostics: vec![diagnostic],
        imports: Vec::new(),
        calls: Vec::new(),
    })
}
