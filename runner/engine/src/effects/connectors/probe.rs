//! `type: probe`: whether something answers. What does not is an answer too, `ok` being false; only
//! what may not be asked is an error.

use std::time::{Duration, Instant};

use reqwest::Url;
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::journal::Failure;

use super::{certificate, no_method};
use crate::border::refuse_markers;
use crate::effects::perform::Context;

/// When the script says nothing else.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time that a script may ask for, in seconds.
const LONGEST: f64 = 60.0;
/// Schemes of grants that let a bare connection through.
const ANY: [&str; 2] = ["http", "https"];

/// What came of a probe that may be made: fields for the answer, or why there are none.
pub(super) type Found = Result<Vec<(&'static str, Value)>, String>;

/// `tcp(host, port)`, `http(url)`, `dns(name)` and `certificate(host, port?)`, each with options
/// behind: `timeout` in seconds. Answers `#{ ok, ms, ... }`, with `error` when it is not ok.
pub(super) async fn perform(
    context: &Context,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Failure> {
    refuse_markers(&Value::List(arguments.to_vec()), "a probe")?;
    let (arguments, timeout) = timeout(arguments)?;
    let began = Instant::now();
    let found = match (method, arguments) {
        ("tcp", [Value::String(host), Value::Int(port)]) => {
            within(timeout, tcp(context, place("http", host, *port)?)).await
        }
        ("http", [Value::String(url)]) => within(timeout, http(context, url)).await,
        ("dns", [Value::String(name)]) => within(timeout, dns(context, name)).await,
        ("certificate", [Value::String(host)]) => {
            within(timeout, certificate::look(context, place("https", host, 443)?)).await
        }
        ("certificate", [Value::String(host), Value::Int(port)]) => {
            within(timeout, certificate::look(context, place("https", host, *port)?)).await
        }
        ("tcp" | "http" | "dns" | "certificate", _) => Err(bad(
            "a probe takes `tcp(host, port)`, `http(url)`, `dns(name)` or `certificate(host, port)`",
        )),
        _ => Err(no_method("probe", method, "tcp, http, dns and certificate")),
    }?;
    let ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    let mut answer = vec![("ok", Value::Bool(found.is_ok())), ("ms", Value::Int(ms))];
    match found {
        // A field says more than the default for all.
        Ok(fields) => {
            answer.retain(|(name, _)| !fields.iter().any(|(field, _)| field == name));
            answer.extend(fields);
        }
        Err(error) => answer.push(("error", Value::String(error))),
    }
    Ok(Value::Map(answer.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
}

fn bad(message: impl Into<String>) -> Failure {
    Failure::permanent(Code::BadValue, message)
}

async fn within(
    timeout: Duration,
    probe: impl Future<Output = Result<Found, Failure>>,
) -> Result<Found, Failure> {
    let late = format!("no answer within {} ms", timeout.as_millis());
    tokio::time::timeout(timeout, probe).await.unwrap_or(Ok(Err(late)))
}

/// The arguments without their options, and the time-out that these name.
fn timeout(arguments: &[Value]) -> Result<(&[Value], Duration), Failure> {
    let Some((Value::Map(options), rest)) = arguments.split_last() else {
        return Ok((arguments, TIMEOUT));
    };
    if let Some(unknown) = options.keys().find(|name| *name != "timeout") {
        return Err(bad(format!("`{unknown}` is no option of a probe; there is `timeout`")));
    }
    let seconds = match options.get("timeout") {
        None => return Ok((rest, TIMEOUT)),
        Some(Value::Int(seconds)) => i32::try_from(*seconds).map_or(-1.0, f64::from),
        Some(Value::Float(seconds)) => *seconds,
        Some(_) => -1.0,
    };
    if (0.001..=LONGEST).contains(&seconds) {
        return Ok((rest, Duration::from_secs_f64(seconds)));
    }
    Err(bad(format!("a probe's `timeout` is a number of seconds from 0.001 to {LONGEST}")))
}

/// A host and port as the URL that the egress checks: so they are read as a request's would be.
fn place(scheme: &str, host: &str, port: i64) -> Result<Url, Failure> {
    let port = u16::try_from(port).ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| bad("a port is a number from 1 to 65535"))?;
    let bracketed = if host.parse::<std::net::Ipv6Addr>().is_ok() {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let url: Option<Url> = format!("{scheme}://{bracketed}:{port}/").parse().ok();
    url.filter(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none())
        .ok_or_else(|| bad(format!("`{host}` is no host")))
}

async fn tcp(context: &Context, url: Url) -> Result<Found, Failure> {
    let connected = context.shared.egress.connect(&url, &ANY, &context.grants()).await?;
    Ok(connected.map(|_| Vec::new()).map_err(|error| error.to_string()))
}

/// A GET whose body nobody reads; a redirect is an answer and is not followed.
async fn http(context: &Context, url: &str) -> Result<Found, Failure> {
    let url: Url = url.parse().map_err(|error| bad(format!("`{url}` is no URL: {error}")))?;
    let client = context.client(&url)?;
    Ok(match client.get(url).send().await {
        Ok(response) => {
            let status = response.status();
            let ok = status.is_success() || status.is_redirection();
            let status = Value::Int(i64::from(status.as_u16()));
            Ok(vec![("ok", Value::Bool(ok)), ("status", status)])
        }
        Err(error) => Err(chain(&error.without_url())),
    })
}

async fn dns(context: &Context, name: &str) -> Result<Found, Failure> {
    let resolved = context.shared.egress.resolve(name, &context.grants()).await?;
    Ok(match resolved {
        Ok(addresses) if addresses.is_empty() => Err("the name has no address".to_owned()),
        Ok(mut addresses) => {
            addresses.sort_unstable();
            addresses.dedup();
            let addresses = addresses.into_iter().map(|ip| Value::String(ip.to_string()));
            Ok(vec![("addresses", Value::List(addresses.collect()))])
        }
        Err(error) => Err(error.to_string()),
    })
}

/// An error with all its sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    message
}
