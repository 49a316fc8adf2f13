//! Reading one flow file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use signalbox_core::catalog::{Flow, LiteralCall, Plan};
use signalbox_core::check::{CheckScript, ScriptCode, ScriptKind};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::handler::{Event, Handlers};
use signalbox_core::schedule::Calendar;
use signalbox_core::source::Folder;

use super::{Parsed, inputs, turns};
use crate::alarms::{self, ParsedAbsence};
use crate::faults::Faults;
use crate::fields::{self, Fields};
use crate::handlers::{self, OfFlow};
use crate::sources::is_script;
use crate::units;
use crate::yaml::{self, Node, Tree};

const KNOWN: [&str; 18] = [
    "summary",
    "inputs",
    "output",
    "schedules",
    "timeout",
    "deadline",
    "retry",
    "on_failure",
    "on_recovery",
    "on_success",
    "absence",
    "concurrency",
    "debounce",
    "priority",
    "steps",
    "run",
    "script",
    "call",
];
/// Longest `deadline`: the longest sleep of a run, too.
const MAX_DEADLINE: Duration = Duration::from_hours(366 * 24);

/// What every flow of a workspace is read with.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// The workspace's folder.
    pub(crate) folder: &'a Folder,
    /// Longest active time of a run of the workspace.
    pub(crate) run_time: Duration,
    /// The workspace's calendars; `None` for one that cannot be read.
    pub(crate) calendars: &'a BTreeMap<String, Option<Calendar>>,
}

impl Context<'_> {
    /// A path from the repository's root.
    pub(crate) fn full(&self, file: &str) -> String {
        format!("{}/{file}", self.folder.path)
    }

    /// Every Rhai file, for suggestions.
    pub(super) fn scripts(&self) -> impl Iterator<Item = &str> {
        self.folder.files.keys().map(String::as_str).filter(|path| is_script(path))
    }
}

/// Reads a flow file. `None` when nothing can be made of it.
pub(crate) fn parse(
    file: &str,
    content: &[u8],
    context: &Context<'_>,
) -> (Option<Parsed>, Vec<Diagnostic>) {
    let mut faults = Faults::of(context.full(file));
    let parsed = yaml::parse(content, &mut faults).and_then(|node| {
        let mut reader = Reader {
            file,
            context,
            faults: &mut faults,
            code: Vec::new(),
            scripts: BTreeSet::new(),
            calls: Vec::new(),
            starts: Vec::new(),
            sees: Vec::new(),
            nesting: 0,
            handlers: OfFlow::default(),
            absence: None,
        };
        let flow = reader.flow(&node)?;
        let Reader { code, scripts, calls, starts, handlers, absence, .. } = reader;
        let flow = Flow { calls, starts, ..flow };
        Some(Parsed { flow, code, scripts, handlers, absence })
    });
    (parsed, faults.into_list())
}

/// Reads one file, and gathers what is to be checked elsewhere.
pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
    pub(super) context: &'a Context<'a>,
    pub(super) faults: &'a mut Faults,
    pub(super) code: Vec<CheckScript>,
    pub(super) scripts: BTreeSet<String>,
    pub(super) calls: Vec<LiteralCall>,
    pub(super) starts: Vec<LiteralCall>,
    /// What code sees at this place beside `inputs` and `steps`.
    sees: Vec<&'static str>,
    /// How many lists of steps are around this place.
    pub(super) nesting: usize,
    pub(super) handlers: OfFlow,
    absence: Option<ParsedAbsence>,
}

impl Reader<'_> {
    fn flow(&mut self, node: &Node) -> Option<Flow> {
        let fields = Fields::open(node, "a flow", &KNOWN, self.faults)?;
        let summary = fields.text("summary", self.faults);
        let schema = inputs::read(&fields, self.faults);
        let schedules = self.schedules(&fields, &schema);
        let timeout = self.timeout(&fields);
        let deadline = self.deadline(&fields, timeout);
        let retry = self.retry(&fields);
        let retry_if = retry.as_ref().and_then(|retry| retry.retry_if.clone());
        self.handlers.own = handlers::read(&fields, &Event::OF_RUNS, self.faults);
        self.absence = alarms::absence(&fields, self.faults);
        let turns = turns::read(&fields, &schema, self.faults);
        let steps = self.steps(&fields);
        let output = fields.get("output").map(|node| self.template(node));
        Some(Flow {
            file: self.file.to_owned(),
            summary,
            inputs: schema,
            schedules,
            timeout,
            turns,
            deadline,
            retry,
            plan: Plan { steps, output, retry_if, ..Plan::default() },
            handlers: Handlers::default(),
            absence: None,
            calls: Vec::new(),
            starts: Vec::new(),
        })
    }

    /// `timeout` of a flow or a step: active time.
    pub(super) fn timeout(&mut self, fields: &Fields<'_>) -> Option<Duration> {
        let week = Duration::from_hours(7 * 24);
        let timeout = fields.duration("timeout", Duration::from_millis(1)..=week, self.faults)?;
        let most = self.context.run_time;
        if timeout > most
            && let Some(node) = fields.get("timeout")
        {
            let most = units::show_duration(&most);
            let message = format!("longer than the {most} that the workspace's runs may take");
            self.faults.warning(Code::InvalidValue, node.mark, message);
        }
        Some(timeout)
    }

    fn deadline(&mut self, fields: &Fields<'_>, timeout: Option<Duration>) -> Option<Duration> {
        let range = Duration::from_millis(1)..=MAX_DEADLINE;
        let deadline = fields.duration("deadline", range, self.faults)?;
        if timeout.is_some_and(|timeout| timeout > deadline)
            && let Some(node) = fields.get("deadline")
        {
            let message = "shorter than `timeout`, which can never be reached then";
            self.faults.warning(Code::InvalidValue, node.mark, message);
        }
        Some(deadline)
    }

    /// Reads something whose code sees more names than `inputs` and `steps`.
    pub(super) fn seeing<T>(
        &mut self,
        names: &[&'static str],
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let before = self.sees.len();
        self.sees.extend(names);
        let result = read(self);
        self.sees.truncate(before);
        result
    }

    /// Reads a Rhai expression that is the value of `name`, and has it checked.
    pub(super) fn expression(&mut self, node: &Node, name: &str) -> Option<String> {
        let text = match &node.tree {
            Tree::Text(text) => text,
            // `when: true` is an expression, too.
            Tree::Bool(truth) => return Some(truth.to_string()),
            _ => {
                fields::wrong_type(node, name, "a Rhai expression", self.faults);
                return None;
            }
        };
        if text.text.trim().is_empty() {
            self.faults.error(Code::InvalidValue, node.mark, format!("`{name}` is empty"));
            return None;
        }
        let (code, origin) = text.code();
        self.check(ScriptKind::Expression, code, origin);
        Some(text.text.clone())
    }

    /// Adds code of this file to what is to be checked.
    pub(super) fn check(&mut self, kind: ScriptKind, code: String, origin: (u32, u32)) {
        self.code.push(CheckScript {
            name: format!("{}#{}", self.file, self.code.len()),
            file: self.context.full(self.file),
            origin,
            kind,
            sees: self.sees.iter().map(|name| (*name).to_owned()).collect(),
            code: ScriptCode::Inline(code),
        });
    }
}
