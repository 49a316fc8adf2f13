//! A stand-in for the trading API and its market data (Alpaca's, version 2).

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use signalbox_testkit::{HttpStub, Request, Response};

/// What the account has. Prices and amounts are texts, as there.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) positions: Vec<Value>,
    pub(crate) orders: Vec<Value>,
    pub(crate) placed: Vec<Value>,
    pub(crate) replaced: Vec<(String, Value)>,
    pub(crate) closed: Vec<String>,
    /// Whether orders are refused.
    pub(crate) refuses: bool,
}

/// The stand-in.
pub(crate) struct Exchange {
    stub: HttpStub,
    pub(crate) account: Arc<Mutex<Account>>,
}

impl Exchange {
    pub(crate) fn start() -> Self {
        let account = Arc::new(Mutex::new(Account::default()));
        let shared = Arc::clone(&account);
        let stub = HttpStub::start(move |request| answer(&mut shared.lock().unwrap(), request));
        Self { stub, account }
    }

    pub(crate) fn url(&self) -> String {
        self.stub.url()
    }
}

fn answer(account: &mut Account, request: &Request) -> Response {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["v2", "clock"]) => return Response::json(200, &json!({ "is_open": true })),
        ("GET", ["v2", "stocks", "bars"]) => return bars(query),
        _ => {}
    }
    let keys = (request.header("apca-api-key-id"), request.header("apca-api-secret-key"));
    if keys != (Some("key-of-the-account"), Some("secret-of-the-account")) {
        return Response::json(403, &json!({ "message": "forbidden." }));
    }
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["v2", "account"]) => {
            Response::json(200, &json!({ "equity": "100250.5", "buying_power": "1500" }))
        }
        ("GET", ["v2", "positions"]) => Response::json(200, &json!(account.positions)),
        ("DELETE", ["v2", "positions", symbol]) => {
            account.closed.push((*symbol).to_owned());
            Response::json(200, &json!({ "symbol": symbol, "side": "sell" }))
        }
        ("GET", ["v2", "orders"]) => Response::json(200, &json!(account.orders)),
        ("POST", ["v2", "orders"]) if account.refuses => {
            Response::json(403, &json!({ "message": "trading is suspended for this account" }))
        }
        ("POST", ["v2", "orders"]) => {
            account.placed.push(request.json());
            Response::json(200, &json!({ "id": format!("o{}", account.placed.len()) }))
        }
        ("PATCH", ["v2", "orders", id]) => {
            account.replaced.push(((*id).to_owned(), request.json()));
            Response::json(200, &json!({ "id": id }))
        }
        _ => Response::json(404, &json!({ "message": "endpoint not found." })),
    }
}

/// Quiet days, and a jump of an eighth on triple volume for ACME.
fn bars(query: &str) -> Response {
    let symbols = query.split('&').find_map(|pair| pair.strip_prefix("symbols=")).unwrap_or("");
    let bar = |close: f64, volume: i64| json!({ "o": 40.0, "h": 41.0, "l": 39.0, "c": close, "v": volume });
    let series = |symbol: &str| {
        let mut bars: Vec<Value> = (0..10).map(|_| bar(40.0, 1000)).collect();
        bars.push(if symbol == "ACME" { bar(45.0, 3000) } else { bar(40.1, 1000) });
        Value::Array(bars)
    };
    let symbols = symbols.split("%2C").map(|symbol| (symbol.to_owned(), series(symbol)));
    Response::json(
        200,
        &json!({ "bars": Value::Object(symbols.collect()), "next_page_token": null }),
    )
}
