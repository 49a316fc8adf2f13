//! Steps: what a flow does, and in which order.

use std::collections::BTreeMap;

use signalbox_core::catalog::{Action, MAX_PARALLEL, Repeat, Step};
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::Diagnostic;

use super::reader::Reader;
use crate::fields::{self, Fields};
use crate::mark::Mark;
use crate::yaml::{Entry, Node, Tree};

/// Most steps of one flow, those in lists of other steps included.
const MAX_STEPS: usize = 1_000;
/// Deepest nesting of lists of steps.
const MAX_NESTING: usize = 8;
/// Most rounds of a `while`: each has at least one entry in the journal.
const MAX_ROUNDS: i64 = 10_000;
/// What a flow can be instead of steps.
const FLOW_ACTIONS: [&str; 3] = ["run", "script", "call"];
/// What a step can do.
const ACTIONS: [&str; 7] = ["run", "script", "call", "flow", "sleep", "steps", "switch"];
const KNOWN: [&str; 20] = [
    "id",
    "when",
    "needs",
    "foreach",
    "parallel",
    "while",
    "max",
    "retry",
    "timeout",
    "continue_on_error",
    "stop_if",
    "run",
    "script",
    "call",
    "flow",
    "sleep",
    "steps",
    "switch",
    "else",
    "inputs",
];
/// Fields that mean something beside one of the others only.
const BESIDE: [(&str, &[&str]); 4] = [
    ("parallel", &["foreach"]),
    ("max", &["while"]),
    ("else", &["switch"]),
    ("inputs", &["script", "flow"]),
];

/// The ids of a flow's steps, and where each was given.
pub(super) type Ids = BTreeMap<String, Mark>;

impl Reader<'_> {
    /// The steps of a flow, or its one action as a step.
    pub(super) fn steps(&mut self, flow: &Fields<'_>) -> Vec<Step> {
        let steps = flow.entry("steps");
        let given: Vec<_> = steps
            .into_iter()
            .chain(FLOW_ACTIONS.iter().filter_map(|name| flow.entry(name)))
            .collect();
        match given.as_slice() {
            [] => {
                let message = "a flow needs one of `steps`, `run`, `script` and `call`";
                self.faults.error(Code::FlowShape, flow.mark, message);
                Vec::new()
            }
            [one] if one.key == "steps" => self.list(&one.node, one.mark, &mut Ids::new()),
            [one] => {
                let action = self.action(one, flow, &mut Ids::new());
                let step = |action| Step::new("main", action, one.mark.line);
                action.map(step).into_iter().collect()
            }
            [first, others @ ..] => {
                self.too_many(first, others, "a flow");
                Vec::new()
            }
        }
    }

    fn too_many(&mut self, first: &Entry, others: &[&Entry], what: &str) {
        for other in others {
            let message = format!("{what} with both `{}` and `{}`", first.key, other.key);
            let place = self.faults.at(other.mark);
            let second = self.faults.at(first.mark);
            let fault = Diagnostic::error(Code::FlowShape, place, message);
            self.faults.push(fault.second(second, format!("`{}` is here", first.key)));
        }
    }

    /// A list of steps.
    pub(super) fn list(&mut self, node: &Node, mark: Mark, ids: &mut Ids) -> Vec<Step> {
        let Tree::List(items) = &node.tree else {
            fields::wrong_type(node, "steps", "a list", self.faults);
            return Vec::new();
        };
        if items.is_empty() {
            self.faults.error(Code::FlowShape, mark, "a list of steps needs at least one");
        }
        if items.len() + ids.len() > MAX_STEPS {
            let count = items.len() + ids.len();
            let message = format!("{count} steps; a flow has {MAX_STEPS} at most");
            self.faults.error(Code::FlowShape, mark, message);
            return Vec::new();
        }
        if self.nesting >= MAX_NESTING {
            let message = format!("lists of steps are nested {MAX_NESTING} deep at most");
            self.faults.error(Code::FlowShape, mark, message);
            return Vec::new();
        }
        self.nesting += 1;
        let read: Vec<_> =
            items.iter().filter_map(|item| Some((self.step(item, ids)?, item))).collect();
        self.nesting -= 1;
        self.check_needs(&read);
        read.into_iter().map(|(step, _)| step).collect()
    }

    fn step(&mut self, node: &Node, ids: &mut Ids) -> Option<Step> {
        let fields = Fields::open(node, "a step", &KNOWN, self.faults)?;
        let id = self.id(&fields, ids);
        let when = fields.get("when").and_then(|node| self.expression(node, "when"));
        let repeat = self.repeat(&fields);
        let names: &[&'static str] = match &repeat {
            None => &[],
            Some(Repeat::Foreach { .. }) => &["item", "index"],
            Some(Repeat::While { .. }) => &["index", "last"],
        };
        let (action, retry) = self.seeing(names, |reader| {
            (reader.one_action(&fields, node.mark, ids), reader.retry(&fields))
        });
        let stop_if = fields.get("stop_if").and_then(|node| self.expression(node, "stop_if"));
        let continue_on_error = fields.truth("continue_on_error", self.faults).unwrap_or(false);
        let needs = self.needs(&fields);
        let timeout = self.timeout(&fields);
        self.check_timeout(&fields, repeat.as_ref(), action.as_ref());
        Some(Step {
            when,
            needs,
            repeat,
            retry,
            timeout,
            continue_on_error,
            stop_if,
            ..Step::new(id?, action?, node.mark.line)
        })
    }

    /// What only waits is not active.
    fn check_timeout(
        &mut self,
        fields: &Fields<'_>,
        repeat: Option<&Repeat>,
        action: Option<&Action>,
    ) {
        let waits = matches!(
            action,
            Some(Action::Sleep { .. } | Action::Flow { .. } | Action::Call { .. })
        );
        if let Some(entry) = fields.entry("timeout").filter(|_| waits && repeat.is_none()) {
            let message = "`timeout` is active time, and a step that waits for another run or for \
                           a moment uses none of it";
            self.faults.warning(Code::InvalidValue, entry.mark, message);
        }
    }

    fn one_action(&mut self, fields: &Fields<'_>, mark: Mark, ids: &mut Ids) -> Option<Action> {
        for (name, beside) in BESIDE {
            let Some(entry) = fields.entry(name) else { continue };
            if beside.iter().all(|other| fields.entry(other).is_none()) {
                let others = beside.join("` or `");
                let message = format!("`{name}` means nothing without `{others}`");
                let call = name == "inputs" && fields.entry("call").is_some();
                let help = call.then(|| "put `inputs` into `call`".to_owned());
                self.faults.error_with_help(Code::FlowShape, entry.mark, message, help);
            }
        }
        let given: Vec<_> = ACTIONS.iter().filter_map(|name| fields.entry(name)).collect();
        match given.as_slice() {
            [] => {
                let message = "a step needs one of `run`, `script`, `call`, `flow`, `sleep`, \
                               `steps` and `switch`";
                self.faults.error(Code::FlowShape, mark, message);
                None
            }
            [one] => self.action(one, fields, ids),
            [first, others @ ..] => {
                self.too_many(first, others, "a step");
                None
            }
        }
    }

    /// `foreach` or `while`.
    fn repeat(&mut self, fields: &Fields<'_>) -> Option<Repeat> {
        match (fields.entry("foreach"), fields.entry("while")) {
            (None, None) => None,
            (Some(first), Some(second)) => {
                self.too_many(first, &[second], "a step");
                None
            }
            (Some(entry), None) => {
                let items = self.expression(&entry.node, "foreach");
                let parallel = fields.int("parallel", 1..=i64::from(MAX_PARALLEL), self.faults);
                let parallel = parallel.and_then(|count| count.try_into().ok()).unwrap_or(1);
                Some(Repeat::Foreach { items: items?, parallel })
            }
            (None, Some(entry)) => {
                let condition = self
                    .seeing(&["index", "last"], |reader| reader.expression(&entry.node, "while"));
                let given = fields.named_at(entry.mark).required("max", self.faults).is_some();
                let max = fields.int("max", 1..=MAX_ROUNDS, self.faults).filter(|_| given)?;
                Some(Repeat::While { condition: condition?, max: max.try_into().ok()? })
            }
        }
    }

    fn id(&mut self, fields: &Fields<'_>, ids: &mut Ids) -> Option<String> {
        let node = fields.required("id", self.faults)?;
        let id = fields::text(node, "id", self.faults)?;
        let fits = (1..=64).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
            && id.starts_with(|c: char| c.is_ascii_lowercase());
        if !fits {
            let message = format!("`{}` is not an id for a step", fields::shown(id));
            let rule = "1 to 64 of a-z, 0-9, `_` and `-`, starting with a letter".to_owned();
            self.faults.error_with_help(Code::InvalidName, node.mark, message, Some(rule));
        }
        if let Some(first) = ids.get(id) {
            let place = self.faults.at(node.mark);
            let second = self.faults.at(*first);
            let fault =
                Diagnostic::error(Code::DuplicateStep, place, format!("a second step `{id}`"));
            self.faults.push(fault.second(second, "first defined here"));
        } else {
            ids.insert(id.to_owned(), node.mark);
        }
        Some(id.to_owned())
    }
}
