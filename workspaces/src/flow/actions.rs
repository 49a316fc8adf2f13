//! What a step does.

use std::time::Duration;

use signalbox_core::broker::Target;
use signalbox_core::catalog::{Action, Case, LiteralCall};
use signalbox_core::check::ScriptKind;
use signalbox_core::codes::Code;
use signalbox_core::ids::{FlowName, FlowRef};
use signalbox_core::value::Value;

use super::reader::Reader;
use super::steps::Ids;
use super::templates::literal_inputs;
use crate::faults::near;
use crate::fields::{self, Fields};
use crate::mark::Mark;
use crate::sources::is_script;
use crate::units;
use crate::yaml::{Entry, Node, Tree};

/// Longest pause: a leap year.
const MAX_SLEEP: Duration = Duration::from_hours(366 * 24);

impl Reader<'_> {
    /// One of a step's actions, with the fields that belong to it.
    pub(super) fn action(
        &mut self,
        entry: &Entry,
        fields: &Fields<'_>,
        ids: &mut Ids,
    ) -> Option<Action> {
        match entry.key.as_str() {
            "run" => self.run(&entry.node),
            "script" => {
                let inputs = if self.nesting == 0 { None } else { fields.get("inputs") };
                self.script(&entry.node, inputs)
            }
            "call" => self.call(entry),
            "flow" => self.flow_step(entry, fields),
            "sleep" => self.sleep(&entry.node),
            "steps" => Some(Action::Steps { steps: self.list(&entry.node, entry.mark, ids) }),
            _ => self.switch(entry, fields, ids),
        }
    }

    fn flow_step(&mut self, entry: &Entry, fields: &Fields<'_>) -> Option<Action> {
        let flow: FlowName = fields::parsed(&entry.node, "flow", self.faults)?;
        let inputs = self.inputs(fields)?;
        self.starts.push(LiteralCall {
            target: flow.to_string(),
            inputs: literal_inputs(&inputs),
            file: self.context.full(self.file),
            line: entry.node.mark.line,
            column: entry.node.mark.column,
            handles: None,
            tells: None,
        });
        Some(Action::Flow { flow: flow.to_string(), inputs })
    }

    /// `inputs` for another flow: a map.
    fn inputs(&mut self, fields: &Fields<'_>) -> Option<Value> {
        let Some(node) = fields.get("inputs") else { return Some(Value::map::<&str, 0>([])) };
        let inputs = self.template(node);
        if inputs.as_map().is_none() {
            fields::wrong_type(node, "inputs", "a map", self.faults);
            return None;
        }
        Some(inputs)
    }

    fn sleep(&mut self, node: &Node) -> Option<Action> {
        let Tree::Text(text) = &node.tree else {
            let expected = "a duration like `30s` or `7d`, or `${...}`";
            fields::wrong_type(node, "sleep", expected, self.faults);
            return None;
        };
        let duration = self.template(node);
        if !text.text.contains("${") {
            let length = units::duration(&text.text);
            if length.is_none_or(|length| length > MAX_SLEEP) {
                let message = format!(
                    "`sleep` must be a duration like `30s` or `7d`, up to 366d, not `{}`",
                    fields::shown(&text.text)
                );
                self.faults.error(Code::InvalidValue, node.mark, message);
            }
        }
        Some(Action::Sleep { duration })
    }

    fn switch(&mut self, entry: &Entry, fields: &Fields<'_>, ids: &mut Ids) -> Option<Action> {
        let Tree::List(items) = &entry.node.tree else {
            fields::wrong_type(&entry.node, "switch", "a list of cases", self.faults);
            return None;
        };
        if items.is_empty() {
            self.faults.error(Code::FlowShape, entry.mark, "a `switch` needs at least one case");
        }
        let cases = items.iter().filter_map(|item| self.case(item, ids)).collect();
        let otherwise = fields.entry("else");
        let otherwise = otherwise.map(|entry| self.list(&entry.node, entry.mark, ids));
        Some(Action::Switch { cases, otherwise: otherwise.unwrap_or_default() })
    }

    fn case(&mut self, node: &Node, ids: &mut Ids) -> Option<Case> {
        let fields = Fields::open(node, "a case", &["when", "steps"], self.faults)?;
        let when = fields.required("when", self.faults);
        let when = when.and_then(|node| self.expression(node, "when"));
        fields.required("steps", self.faults);
        let steps = fields.entry("steps")?;
        let steps = self.list(&steps.node, steps.mark, ids);
        Some(Case { when: when?, steps })
    }

    fn run(&mut self, node: &Node) -> Option<Action> {
        let Tree::Text(text) = &node.tree else {
            fields::wrong_type(node, "run", "Rhai code", self.faults);
            return None;
        };
        let (code, origin) = text.code();
        self.check(ScriptKind::Run, code, origin);
        Some(Action::Run { code: text.text.clone(), line: text.line })
    }

    fn script(&mut self, node: &Node, inputs: Option<&Node>) -> Option<Action> {
        let path = fields::text(node, "script", self.faults)?;
        let inputs = inputs.map(|node| self.template(node));
        if !is_script(path) {
            let message = format!("`{}` does not end in `.rhai`", fields::shown(path));
            self.faults.error(Code::InvalidValue, node.mark, message);
            return None;
        }
        if !self.context.folder.files.contains_key(path) {
            let message = format!("the workspace has no `{}`", fields::shown(path));
            let help = near(path, self.context.scripts());
            self.faults.error_with_help(Code::FileMissing, node.mark, message, help);
            return None;
        }
        self.scripts.insert(path.to_owned());
        Some(Action::Script { path: path.to_owned(), inputs })
    }

    fn call(&mut self, entry: &Entry) -> Option<Action> {
        let known = ["service", "workspace", "flow", "inputs"];
        let fields = Fields::open(&entry.node, "a call", &known, self.faults)?;
        let fields = fields.named_at(entry.mark);
        let inputs = self.inputs(&fields);
        let (target, mark) = self.target(&fields)?;
        let inputs = inputs?;
        let target = target.to_string();
        self.calls.push(LiteralCall {
            target: target.clone(),
            inputs: literal_inputs(&inputs),
            file: self.context.full(self.file),
            line: mark.line,
            column: mark.column,
            handles: None,
            tells: None,
        });
        Some(Action::Call { target, inputs })
    }

    fn target(&mut self, fields: &Fields<'_>) -> Option<(Target, Mark)> {
        let faults = &mut *self.faults;
        match (fields.get("service"), fields.get("workspace"), fields.get("flow")) {
            (Some(node), None, None) => match fields::parsed(node, "service", faults)? {
                target @ Target::Service(..) => Some((target, node.mark)),
                Target::Flow(flow) => {
                    let message = format!("`{flow}` is a flow, not a service");
                    let help = "name it with `workspace` and `flow`".to_owned();
                    faults.error_with_help(Code::InvalidName, node.mark, message, Some(help));
                    None
                }
            },
            (None, Some(_), Some(node)) => {
                let workspace = fields.name("workspace", faults);
                let flow = fields.name("flow", faults);
                let target = Target::Flow(FlowRef { workspace: workspace?, flow: flow? });
                Some((target, node.mark))
            }
            _ => {
                let message = "a call names either `service`, or `workspace` and `flow`";
                faults.error(Code::FlowShape, fields.mark, message);
                None
            }
        }
    }
}
