//! `needs`: which steps of a list wait for which.

use signalbox_core::catalog::Step;
use signalbox_core::codes::Code;

use super::reader::Reader;
use crate::faults::near;
use crate::fields::{self, Fields};
use crate::yaml::{Node, Tree};

impl Reader<'_> {
    /// The ids that a step says it needs.
    pub(super) fn needs(&mut self, fields: &Fields<'_>) -> Option<Vec<String>> {
        // `needs: []` is not the same as no `needs`.
        fields.get("needs")?;
        let items = fields.list("needs", self.faults);
        let ids = items.iter().filter_map(|item| fields::text(item, "needs", self.faults));
        Some(ids.map(str::to_owned).collect())
    }

    /// Checks the needs of the steps of one list.
    pub(super) fn check_needs(&mut self, steps: &[(Step, &Node)]) {
        let mut sound = true;
        for (step, node) in steps {
            for (at, need) in step.needs.iter().flatten().enumerate() {
                let mark = need_at(node, at).map_or(node.mark, |need| need.mark);
                let known = steps.iter().any(|(other, _)| other.id == *need);
                if *need == step.id {
                    let message = format!("step `{need}` needs itself");
                    self.faults.error(Code::FlowShape, mark, message);
                } else if !known {
                    let others = steps.iter().map(|(other, _)| other.id.as_str());
                    let help = near(need, others.filter(|other| *other != step.id));
                    let message =
                        format!("the list of steps has no `{}` to need", fields::shown(need));
                    self.faults.error_with_help(Code::UnknownReference, mark, message, help);
                }
                sound &= known && *need != step.id;
            }
        }
        if sound {
            self.check_circles(steps);
            self.check_stops(steps);
        }
    }

    fn check_circles(&mut self, steps: &[(Step, &Node)]) {
        let mut told = vec![false; steps.len()];
        for start in 0..steps.len() {
            let Some(circle) = circle(steps, start).filter(|_| !told[start]) else { continue };
            let shown: Vec<_> = circle.iter().map(|at| steps[*at].0.id.as_str()).collect();
            let id = &steps[start].0.id;
            let message = format!("steps need each other: {} → {id}", shown.join(" → "));
            let (_, node) = steps[start];
            let mark = need_at(node, 0).map_or(node.mark, |need| need.mark);
            self.faults.error(Code::FlowShape, mark, message);
            for at in circle {
                told[at] = true;
            }
        }
    }

    /// What is under way beside a step would end in the middle, or not, depending on who is faster.
    fn check_stops(&mut self, steps: &[(Step, &Node)]) {
        let in_order = |at: usize| {
            let before = at.checked_sub(1);
            needs_of(steps, at) == before.into_iter().collect::<Vec<_>>()
        };
        if (0..steps.len()).all(in_order) {
            return;
        }
        for (_, node) in steps.iter().filter(|(step, _)| step.stop_if.is_some()) {
            let mark = field(node, "stop_if").map_or(node.mark, |node| node.mark);
            let message = "`stop_if` in a list whose steps run side by side by their `needs`";
            let help = "put the steps that it concerns into a step with `steps`".to_owned();
            self.faults.error_with_help(Code::FlowShape, mark, message, Some(help));
        }
    }
}

/// What a step needs, by index: the one before it when it does not say.
fn needs_of(steps: &[(Step, &Node)], at: usize) -> Vec<usize> {
    match &steps[at].0.needs {
        None => at.checked_sub(1).into_iter().collect(),
        Some(needs) => {
            let find = |need: &String| steps.iter().position(|(step, _)| step.id == *need);
            needs.iter().filter_map(find).collect()
        }
    }
}

/// The shortest way from a step back to itself, without its end.
fn circle(steps: &[(Step, &Node)], start: usize) -> Option<Vec<usize>> {
    let mut from = vec![None; steps.len()];
    let mut open = std::collections::VecDeque::from([start]);
    while let Some(at) = open.pop_front() {
        for next in needs_of(steps, at) {
            if next == start {
                let mut path = vec![at];
                let mut back = at;
                while let Some(before) = from[back] {
                    path.push(before);
                    back = before;
                }
                path.reverse();
                return Some(path);
            }
            if from[next].is_none() {
                from[next] = Some(at);
                open.push_back(next);
            }
        }
    }
    None
}

fn field<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    let Tree::Map(entries) = &node.tree else { return None };
    entries.iter().find(|entry| entry.key == name).map(|entry| &entry.node)
}

fn need_at(node: &Node, at: usize) -> Option<&Node> {
    match &field(node, "needs")?.tree {
        Tree::List(items) => items.get(at),
        _ => None,
    }
}
