//! The outside world of the example, on this machine: a market data and trading API, Slack's
//! webhook, a media library and Docker. Small, deterministic, and real servers: what reaches them went through the
//! runner's egress like anything else.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{docker, trading};

/// Most messages that are kept; older ones are forgotten.
const MAX_MESSAGES: usize = 1_000;
/// How many bars a series has, the last one included.
const BARS: u32 = 20;
/// From open to close on a day on which nothing happens.
const CALM: f64 = 1.001;
/// Titles of the library. Some are there from the start, the others come one by one.
const TITLES: [&str; 8] = [
    "Metropolis",
    "The General",
    "Nosferatu",
    "Sherlock Jr.",
    "City Lights",
    "Safety Last!",
    "The Kid",
    "Sunrise",
];
/// How many titles the library has from the start.
const FIRST_TITLES: usize = 3;

/// The running stand-ins. They stop when this is dropped.
#[derive(Debug)]
pub(super) struct StandIns {
    /// The market data and trading API.
    pub(super) market: SocketAddr,
    /// Slack's webhooks.
    pub(super) slack: SocketAddr,
    /// The media library.
    pub(super) library: SocketAddr,
    /// Docker's Engine API.
    pub(super) docker: SocketAddr,
    /// What reached them.
    pub(super) seen: Arc<Seen>,
    _servers: JoinSet<()>,
}

/// What reached the stand-ins.
#[derive(Debug, Default)]
pub(super) struct Seen {
    bars: AtomicUsize,
    listings: AtomicUsize,
    messages: Mutex<Vec<Message>>,
    changed: Notify,
}

/// A message that was posted to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    /// The channel that the message names.
    #[serde(default)]
    pub(super) channel: String,
    /// Its text.
    #[serde(default)]
    pub(super) text: String,
}

impl Seen {
    /// How often bars were read.
    pub(super) fn bar_requests(&self) -> usize {
        self.bars.load(Ordering::SeqCst)
    }

    /// Takes off the first message that carries a text, and those before it.
    pub(super) fn take_message_with(&self, text: &str) -> Option<Message> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let at = messages.iter().position(|message| message.text.contains(text))?;
        messages.drain(..=at).next_back()
    }

    /// The messages that came, taken off.
    pub(super) fn take_messages(&self) -> Vec<Message> {
        std::mem::take(&mut self.messages.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Resolves when something came since the last time this resolved. One waiter at a time.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Notes that bars are read. Answers how often they were before.
    pub(super) fn read_bars(&self) -> usize {
        let before = self.bars.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_one();
        before
    }

    /// Keeps a message that was posted.
    pub(super) fn keep(&self, message: Message) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if messages.len() == MAX_MESSAGES {
            messages.remove(0);
        }
        messages.push(message);
        self.changed.notify_one();
    }
}

impl StandIns {
    /// Starts them on free ports of the loopback.
    ///
    /// # Errors
    /// When no port can be had.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let seen = Arc::new(Seen::default());
        let mut servers = JoinSet::new();
        let market = Router::new()
            .route("/v2/clock", get(clock))
            .route("/v2/stocks/bars", get(bars))
            .with_state(Arc::clone(&seen))
            .merge(trading::router());
        let slack =
            Router::new().route("/services/{*hook}", post(webhook)).with_state(Arc::clone(&seen));
        let library =
            Router::new().route("/library/items", get(items)).with_state(Arc::clone(&seen));
        Ok(Self {
            market: serve(&mut servers, market).await?,
            slack: serve(&mut servers, slack).await?,
            library: serve(&mut servers, library).await?,
            docker: serve(&mut servers, docker::router()).await?,
            seen,
            _servers: servers,
        })
    }
}

async fn serve(servers: &mut JoinSet<()>, router: Router) -> anyhow::Result<SocketAddr> {
    let listener =
        TcpListener::bind(("127.0.0.1", 0)).await.context("failed to start a stand-in")?;
    let address = listener.local_addr().context("failed to start a stand-in")?;
    servers.spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::warn!(%address, %error, "a stand-in stopped");
        }
    });
    Ok(address)
}

/// The exchange of the demo never closes.
async fn clock() -> Json<Value> {
    Json(json!({ "is_open": true, "next_close": "2099-12-31T16:00:00-05:00" }))
}

#[derive(Debug, Deserialize)]
struct BarsQuery {
    #[serde(default)]
    symbols: String,
}

async fn bars(State(seen): State<Arc<Seen>>, Query(query): Query<BarsQuery>) -> Json<Value> {
    let round = seen.read_bars();
    Json(json!({ "bars": all_series(&query.symbols, round), "next_page_token": null }))
}

/// The bars of some comma-separated symbols. In every round another one of them jumps, and the
/// one after it does so a little less.
fn all_series(symbols: &str, round: usize) -> Value {
    let symbols: Vec<&str> = symbols.split(',').filter(|symbol| !symbol.is_empty()).collect();
    let strongest = round.checked_rem(symbols.len());
    let second = (round + 1).checked_rem(symbols.len());
    let series = symbols.iter().enumerate().map(|(at, symbol)| {
        let jump = match Some(at) {
            at if at == strongest => 1.125,
            at if at == second => 1.09,
            _ => CALM,
        };
        ((*symbol).to_owned(), Value::Array(series(symbol, jump)))
    });
    Value::Object(series.collect())
}

/// Daily bars, oldest first: a gentle wave around a price that belongs to the symbol, and in the
/// last one a jump on triple volume, unless the symbol is calm.
fn series(symbol: &str, jump: f64) -> Vec<Value> {
    let base =
        40.0 + f64::from(symbol.bytes().fold(0_u32, |sum, byte| sum + u32::from(byte)) % 200);
    let bar = |day: u32| {
        let last = day == BARS;
        let open = cents(base * (1.0 + 0.004 * f64::from(day).sin()));
        let close = cents(open * if last { jump } else { CALM });
        let volume = 1_000_000 + 10_000 * (day % 7);
        json!({
            "t": format!("2026-01-{day:02}T05:00:00Z"),
            "o": open,
            "h": cents(close * 1.002),
            "l": cents(open * 0.998),
            "c": close,
            "v": if last && jump > CALM { 3 * volume } else { volume },
        })
    };
    (1..=BARS).map(bar).collect()
}

fn cents(price: f64) -> f64 {
    (price * 100.0).round() / 100.0
}

async fn webhook(State(seen): State<Arc<Seen>>, Json(message): Json<Message>) -> &'static str {
    seen.keep(message);
    "ok"
}

/// Every second time somebody looks, there is one title more, until all are there.
async fn items(State(seen): State<Arc<Seen>>) -> Json<Value> {
    let listing = seen.listings.fetch_add(1, Ordering::SeqCst);
    let known = TITLES.iter().take(FIRST_TITLES + listing / 2).enumerate();
    let items: Vec<Value> =
        known.map(|(at, title)| json!({ "id": format!("m{at:03}"), "title": title })).collect();
    Json(json!({ "items": items }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jump(series: &Value) -> f64 {
        let bars = series.as_array().unwrap();
        let last = bars.last().unwrap();
        last["c"].as_f64().unwrap() / last["o"].as_f64().unwrap()
    }

    #[test]
    fn every_round_has_one_strongest_and_one_second_symbol_and_rounds_differ() {
        let above = |least: f64, round| -> Vec<String> {
            let all = all_series("ACME,GLOBEX,WAYNE", round);
            let all = all.as_object().unwrap();
            let strong = all.iter().filter(|(_, series)| jump(series) > least);
            strong.map(|(symbol, _)| symbol.clone()).collect()
        };
        assert_eq!(above(1.1, 0), ["ACME"]);
        assert_eq!(above(1.1, 1), ["GLOBEX"]);
        assert_eq!(above(1.05, 1), ["GLOBEX", "WAYNE"]);
        assert_eq!(above(1.05, 5), ["ACME", "WAYNE"]);
        assert_eq!(all_series("ACME,GLOBEX", 4), all_series("ACME,GLOBEX", 4));
    }

    #[test]
    fn no_symbols_give_no_bars() {
        assert_eq!(all_series("", 3), json!({}));
        assert_eq!(all_series(",,", 0), json!({}));
    }

    #[test]
    fn kept_messages_are_bounded() {
        let seen = Seen::default();
        for n in 0..=MAX_MESSAGES {
            seen.keep(Message { channel: "#ops".into(), text: n.to_string() });
        }
        let messages = seen.take_messages();
        assert_eq!(messages.len(), MAX_MESSAGES);
        assert_eq!(messages[0].text, "1");
        seen.keep(Message { channel: String::new(), text: "an alert".into() });
        assert_eq!(seen.take_message_with("else"), None);
        assert_eq!(seen.take_message_with("alert").map(|m| m.text).as_deref(), Some("an alert"));
        assert!(seen.take_messages().is_empty());
    }
}
