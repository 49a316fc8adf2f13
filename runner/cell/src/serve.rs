//! The cell's life: takes frames in order and evaluates one run at a time.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use rhai::Engine;
use signalbox_core::codes::Code;
use signalbox_core::journal::{Chunk, Entry, Failure};
use signalbox_core::run::{Reason, RunError};
use signalbox_core::value::decode;

use crate::context;
use crate::ending::end_of;
use crate::fault::Described;
use crate::link::Link;
use crate::plan::{Broken, Program, evaluate, is_wanted};
use crate::protocol::{End, FromCell, Start, ToCell};
use crate::run::{Run, Setting};
use crate::sandbox::Reached;
use crate::script::{engine, library};

/// Evaluates whatever the runner sends, until it is gone. The first frame says how far the process
/// is walled in, if it is.
pub(crate) fn serve(link: Link, reached: Option<Reached>) {
    serve_with(engine(), link, reached);
}

/// The same with an engine that knows more functions.
pub(crate) fn serve_with(engine: Engine, link: Link, reached: Option<Reached>) {
    context::install(link);
    let mut cell = Cell { engine, programs: HashMap::new(), journals: HashMap::new() };
    send(&FromCell::Ready {
        isolation: reached.map_or(0, |reached| reached.level.number()),
        landlock: reached.is_some_and(|reached| reached.landlock),
    });
    while let Some(frame) = context::with(|state| state.link.next_frame()).flatten() {
        cell.obey(frame);
    }
}

fn send(frame: &FromCell) {
    context::with(|state| {
        state.link.push(frame);
        state.link.flush_if_due();
    });
}

struct Cell {
    engine: Engine,
    programs: HashMap<u32, Loaded>,
    /// Journals of runs that are still to be started.
    journals: HashMap<u32, Vec<Entry>>,
}

/// A program, compiled when it is first used.
struct Loaded {
    tree: i64,
    file: String,
    plan: String,
    setting: Rc<Setting>,
    operations: u64,
    program: Option<Rc<Program>>,
}

impl Cell {
    fn obey(&mut self, frame: ToCell) {
        match frame {
            ToCell::Source { tree, path, text } => library::add(tree, path, text),
            ToCell::Program { program, tree, file, plan, env, secrets, connectors, operations } => {
                let setting = Rc::new(Setting { env, secrets, connectors });
                let loaded = Loaded { tree, file, plan, setting, operations, program: None };
                self.programs.insert(program, loaded);
            }
            ToCell::Forget { tree } => {
                library::forget(tree);
                self.programs.retain(|_, loaded| loaded.tree != tree);
            }
            ToCell::Journal { run, entries } => {
                self.journals.entry(run).or_default().extend(entries);
            }
            ToCell::Start(start) => self.start(*start),
            ToCell::Check(request) => {
                crate::check::check(&self.engine, &request, &mut |frame| send(&frame));
                library::forget(0);
            }
            // The link obeys these itself.
            ToCell::Outcome { .. } | ToCell::Unwind { .. } | ToCell::Recall => {}
        }
    }

    fn start(&mut self, start: Start) {
        let number = start.run;
        let journal = self.journals.remove(&number).unwrap_or_default();
        // Numbers only grow: what is left was given back.
        self.journals.retain(|run, _| *run > number);
        let (chunk, end) = if let Some(loaded) = self.programs.get_mut(&start.program) {
            evaluate_run(&self.engine, loaded, start, journal)
        } else {
            let message = "the cell was not given the program";
            let error = RunError::plain(Code::Internal, message);
            let failure = Failure::permanent(Code::Internal, message);
            (Chunk::default(), Some(End::Error(Reason::ScriptError, error, failure)))
        };
        send(&match end {
            Some(end) => FromCell::Ended { run: number, chunk, end },
            None => FromCell::Unwound { run: number },
        });
    }
}

/// Evaluates a run: what is left to record, and its end unless it was unwound.
fn evaluate_run(
    engine: &Engine,
    loaded: &mut Loaded,
    start: Start,
    journal: Vec<Entry>,
) -> (Chunk, Option<End>) {
    let inputs = decode(&start.inputs);
    let (dynamic, slot) = (start.dynamic.clone(), start.about.slot);
    let mut wanted = true;
    library::set_current(loaded.tree);
    context::begin(Run::new(start, Rc::clone(&loaded.setting), journal), loaded.operations);
    let result = match (loaded.program(engine), inputs) {
        (Ok(program), Ok(inputs)) => {
            let result = catch_unwind(AssertUnwindSafe(|| {
                if let Some(dynamic) = &dynamic {
                    wanted = is_wanted(engine, dynamic, &loaded.file, slot, inputs.clone())?;
                }
                if wanted { evaluate(engine, &program, inputs) } else { Ok(Vec::new()) }
            }));
            result
                .unwrap_or_else(|_| Err(Broken::Error(plain("a function of the runner panicked"))))
        }
        (Err(described), _) => Err(Broken::Error(described)),
        (_, Err(error)) => {
            Err(Broken::Error(plain(&format!("inputs that cannot be read: {error}"))))
        }
    };
    let Some(mut run) = context::finish() else { return (Chunk::default(), None) };
    let end = match end_of(result, &run) {
        Some(End::Result(_)) if !wanted => Some(End::NotWanted),
        end => end,
    };
    (run.take_chunk(), end)
}

fn plain(text: &str) -> Described {
    Described { text: text.to_owned(), place: None, limit: false }
}

impl Loaded {
    fn program(&mut self, engine: &Engine) -> Result<Rc<Program>, Described> {
        if let Some(program) = &self.program {
            return Ok(Rc::clone(program));
        }
        let program = Rc::new(Program::compile(engine, self.tree, &self.file, &self.plan)?);
        self.program = Some(Rc::clone(&program));
        Ok(program)
    }
}
