//! Steps: what a flow does.

use std::collections::BTreeMap;

use signalbox_core::broker::Target;
use signalbox_core::catalog::{Action, LiteralCall, Step};
use signalbox_core::check::ScriptKind;
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::Diagnostic;
use signalbox_core::ids::FlowRef;
use signalbox_core::value::Value;

use super::reader::Reader;
use super::templates::literal_inputs;
use crate::faults::near;
use crate::fields::{self, Fields};
use crate::mark::Mark;
use crate::sources::is_script;
use crate::yaml::{Entry, Node, Tree};

/// Most steps of one flow.
const MAX_STEPS: usize = 1_000;
const ACTIONS: [&str; 3] = ["run", "script", "call"];

impl Reader<'_> {
    /// The steps of a flow, or its one action as a step.
    pub(super) fn steps(&mut self, flow: &Fields<'_>) -> Vec<Step> {
        let steps = flow.entry("steps");
        let given: Vec<_> =
            steps.into_iter().chain(ACTIONS.iter().filter_map(|name| flow.entry(name))).collect();
        match given.as_slice() {
            [] => {
                let message = "a flow needs one of `steps`, `run`, `script` and `call`";
                self.faults.error(Code::FlowShape, flow.mark, message);
                Vec::new()
            }
            [one] if one.key == "steps" => self.list(flow, one),
            [one] => {
                let action = self.action(one, None);
                let line = one.mark.line;
                let step = |action| Step { id: "main".to_owned(), when: None, action, line };
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

    fn list(&mut self, flow: &Fields<'_>, entry: &Entry) -> Vec<Step> {
        let items = flow.list("steps", self.faults);
        if matches!(&entry.node.tree, Tree::List(items) if items.is_empty()) {
            self.faults.error(Code::FlowShape, entry.mark, "a flow needs at least one step");
        }
        if items.len() > MAX_STEPS {
            let message = format!("{} steps; a flow has {MAX_STEPS} at most", items.len());
            self.faults.error(Code::FlowShape, entry.mark, message);
            return Vec::new();
        }
        let mut ids = BTreeMap::new();
        items.iter().filter_map(|item| self.step(item, &mut ids)).collect()
    }

    fn step(&mut self, node: &Node, ids: &mut BTreeMap<String, Mark>) -> Option<Step> {
        let known = ["id", "when", "run", "script", "call", "inputs"];
        let fields = Fields::open(node, "a step", &known, self.faults)?;
        let id = self.id(&fields, ids);
        let when = fields.get("when").and_then(|node| self.expression(node, "when"));
        let given: Vec<_> = ACTIONS.iter().filter_map(|name| fields.entry(name)).collect();
        let action = match given.as_slice() {
            [] => {
                let message = "a step needs one of `run`, `script` and `call`";
                self.faults.error(Code::FlowShape, node.mark, message);
                None
            }
            [one] => {
                if let Some(inputs) = fields.entry("inputs").filter(|_| one.key != "script") {
                    let message = format!("a step with `{}` has no `inputs` of its own", one.key);
                    let help = (one.key == "call").then(|| "put `inputs` into `call`".to_owned());
                    self.faults.error_with_help(Code::FlowShape, inputs.mark, message, help);
                }
                self.action(one, fields.get("inputs"))
            }
            [first, others @ ..] => {
                self.too_many(first, others, "a step");
                None
            }
        };
        Some(Step { id: id?, when, action: action?, line: node.mark.line })
    }

    fn id(&mut self, fields: &Fields<'_>, ids: &mut BTreeMap<String, Mark>) -> Option<String> {
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

    fn action(&mut self, entry: &Entry, inputs: Option<&Node>) -> Option<Action> {
        match entry.key.as_str() {
            "run" => self.run(&entry.node),
            "script" => self.script(&entry.node, inputs),
            _ => self.call(entry),
        }
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
        let inputs = match fields.get("inputs") {
            None => Value::map::<&str, 0>([]),
            Some(node) => self.template(node),
        };
        let (target, mark) = self.target(&fields)?;
        if let Some(node) = fields.get("inputs").filter(|_| inputs.as_map().is_none()) {
            fields::wrong_type(node, "inputs", "a map", self.faults);
            return None;
        }
        let target = target.to_string();
        self.calls.push(LiteralCall {
            target: target.clone(),
            inputs: literal_inputs(&inputs),
            file: self.context.full(self.file),
            line: mark.line,
            column: mark.column,
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
