//! Connectors: named, configured clients. One type, one file.

mod certificate;
mod http;
mod probe;
mod slack;
mod system;

use signalbox_core::catalog::{Connector, ConnectorKind};
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;
use signalbox_core::{Value, value};

use super::perform::Context;

/// Calls a method of a connector of the run's workspace, as it was at the run's revision.
pub(super) async fn perform(
    context: &Context,
    name: &str,
    method: &str,
    arguments: &[u8],
) -> Result<Value, Failure> {
    let connector: &Connector = context.pinned.spec.connectors.get(name).ok_or_else(|| {
        let message = format!("`{}` has no connector `{name}`", context.workspace());
        Failure::permanent(Code::UndeclaredName, message)
    })?;
    let arguments = value::decode(arguments)
        .map_err(|error| Failure::permanent(Code::BadValue, error.to_string()))?;
    let Value::List(arguments) = arguments else {
        return Err(signalbox_cell::protocol::malformed_value());
    };
    match connector.kind {
        ConnectorKind::Http => http::perform(context, connector, method, &arguments).await,
        ConnectorKind::Slack => slack::perform(context, connector, method, &arguments).await,
        ConnectorKind::System => system::perform(context, method, &arguments).await,
        ConnectorKind::Probe => probe::perform(context, method, &arguments).await,
        // The driver writes its lines: they are the run's own.
        ConnectorKind::Log => Err(no_method(name, method, "send")),
    }
}

/// The failure for a method that a connector does not have.
fn no_method(connector: &str, method: &str, known: &str) -> Failure {
    let message = format!("connector `{connector}` has no method `{method}`; it has {known}");
    Failure::permanent(Code::UnknownMethod, message)
}
