//! `connector`: named clients of outside systems.

use rhai::{Dynamic, Engine, ImmutableString};
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::diagnostic::did_you_mean;
use signalbox_core::value::encode;

use super::{argument, response};
use crate::context;
use crate::effect::ask;
use crate::fault::HostResult;
use crate::protocol::Request;
use crate::value::{Response, to_dynamic};

/// The handle of a connector.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    name: ImmutableString,
    kind: ImmutableString,
}

const HTTP: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const SEND: [&str; 1] = ["send"];

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Connector>("connector");
    engine.register_fn("connector", connector);
    engine.register_fn("to_string", |connector: &mut Connector| {
        format!("connector {}", connector.name)
    });
    for method in HTTP {
        engine.register_fn(method, move |connector: &mut Connector, path: &str| {
            connector.http(method, &[path.into()])
        });
        engine.register_fn(
            method,
            move |connector: &mut Connector, path: &str, second: Dynamic| {
                connector.http(method, &[path.into(), second])
            },
        );
        engine.register_fn(
            method,
            move |connector: &mut Connector, path: &str, second: Dynamic, headers: Dynamic| {
                connector.http(method, &[path.into(), second, headers])
            },
        );
    }
    engine.register_fn("send", |connector: &mut Connector, payload: Dynamic| {
        connector.ask("send", &[payload]).map(to_dynamic)
    });
}

fn connector(name: ImmutableString) -> HostResult<Connector> {
    let found = context::with_run(|run| {
        let connectors = &run.setting.connectors;
        let near = || did_you_mean(&name, connectors.keys().map(String::as_str)).map(str::to_owned);
        connectors.get(name.as_str()).cloned().ok_or_else(near)
    })?;
    match found {
        Ok(kind) => Ok(Connector { name, kind: kind.into() }),
        Err(near) => {
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            super::fail(
                Code::UndeclaredName,
                format!("the workspace has no connector `{name}`{near}"),
            )
        }
    }
}

impl Connector {
    fn http(&self, method: &str, arguments: &[Dynamic]) -> HostResult<Response> {
        response::of_outcome(&self.ask(method, arguments)?)
    }

    fn ask(&self, method: &str, arguments: &[Dynamic]) -> HostResult<Value> {
        let methods: &[&str] = if self.kind == "http" { &HTTP } else { &SEND };
        if !methods.contains(&method) {
            let (name, kind, methods) = (&self.name, &self.kind, methods.join("`, `"));
            let message = format!(
                "connector `{name}` is of type {kind}: it has no `{method}`, but `{methods}`"
            );
            return super::fail(Code::EffectFailed, message);
        }
        let arguments = arguments.iter().map(argument).collect::<HostResult<_>>()?;
        ask(Request::Connector {
            name: self.name.to_string(),
            method: method.to_owned(),
            arguments: encode(&Value::List(arguments)),
        })
    }
}
