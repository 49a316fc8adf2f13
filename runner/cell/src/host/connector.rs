//! `connector`: named clients of outside systems.

use rhai::{Dynamic, Engine, ImmutableString, Map};
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
const SYSTEM: [&str; 6] = ["cpu", "memory", "disk", "disks", "load", "uptime"];
const PROBE: [&str; 4] = ["tcp", "http", "dns", "certificate"];

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
    for method in SYSTEM.into_iter().filter(|method| *method != "disk") {
        engine.register_fn(method, move |connector: &mut Connector| connector.answer(method, &[]));
    }
    engine.register_fn("disk", |connector: &mut Connector, path: &str| {
        connector.answer("disk", &[path.into()])
    });
    for method in PROBE {
        engine.register_fn(method, move |connector: &mut Connector, target: &str| {
            connector.answer(method, &[target.into()])
        });
        engine.register_fn(
            method,
            move |connector: &mut Connector, target: &str, second: Dynamic| {
                connector.answer(method, &[target.into(), second])
            },
        );
    }
    for method in ["tcp", "certificate"] {
        engine.register_fn(
            method,
            move |connector: &mut Connector, host: &str, port: i64, options: Map| {
                connector.answer(method, &[host.into(), port.into(), options.into()])
            },
        );
    }
    engine.register_fn("send", |connector: &mut Connector, payload: Dynamic| {
        connector.answer("send", &[payload])
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

    fn answer(&self, method: &str, arguments: &[Dynamic]) -> HostResult<Dynamic> {
        self.ask(method, arguments).map(to_dynamic)
    }

    fn ask(&self, method: &str, arguments: &[Dynamic]) -> HostResult<Value> {
        let methods: &[&str] = match self.kind.as_str() {
            "http" => &HTTP,
            "system" => &SYSTEM,
            "probe" => &PROBE,
            _ => &SEND,
        };
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
