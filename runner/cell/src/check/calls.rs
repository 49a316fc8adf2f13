//! Calls of other flows that can be seen without running anything.

use std::collections::BTreeMap;

use rhai::{Expr, FnCallExpr, Position};
use signalbox_core::Value;
use signalbox_core::check::FoundCall;
use signalbox_core::value::encode;

use super::checker::Checker;
use super::syntax::at;
use crate::value::to_value;

impl Checker<'_> {
    /// Collects a call through the broker, or a start of a flow of the workspace itself, whose
    /// target is a literal.
    pub(super) fn collect_call(&mut self, call: &FnCallExpr, position: Position, full: &str) {
        let own = match full {
            "broker::request" | "broker::start" => false,
            "flow::run" | "flow::start" => true,
            _ => return,
        };
        let Some(Expr::StringConstant(target, _)) = call.args.first() else { return };
        let inputs = match call.args.get(1) {
            Some(inputs) => keys_of(inputs),
            None => Some(BTreeMap::new()),
        };
        let place = self.place(at(position), 1);
        self.facts.calls.push(FoundCall {
            target: target.to_string(),
            own,
            inputs,
            line: place.line,
            column: place.column,
        });
    }
}

/// The keys of a literal map, with the values of those that are literal too.
fn keys_of(inputs: &Expr) -> Option<BTreeMap<String, Option<Vec<u8>>>> {
    match inputs {
        Expr::Map(map, _) => {
            let pairs = map.0.iter();
            Some(pairs.map(|(key, value)| (key.name.to_string(), literal(value))).collect())
        }
        constant => match to_value(&constant.get_literal_value(None)?).ok()? {
            Value::Map(map) => {
                Some(map.into_iter().map(|(key, value)| (key, Some(encode(&value)))).collect())
            }
            _ => None,
        },
    }
}

fn literal(value: &Expr) -> Option<Vec<u8>> {
    to_value(&value.get_literal_value(None)?).ok().map(|value| encode(&value))
}
