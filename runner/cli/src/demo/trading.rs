//! The trading API, as much of it as the example's flows use: an account that holds what it bought.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, State};
use axum::routing::{delete, get, patch};
use axum::{Json, Router};
use serde_json::{Value, json};

/// Most positions of the account; what is bought beyond is forgotten.
const MOST: usize = 100;

type Shared = Arc<Mutex<Vec<Value>>>;

/// The routes of the account.
pub(super) fn router() -> Router {
    Router::new()
        .route("/v2/account", get(account))
        .route("/v2/positions", get(positions))
        .route("/v2/positions/{symbol}", delete(close))
        .route("/v2/orders", get(|| async { Json(json!([])) }).post(order))
        .route(
            "/v2/orders/{id}",
            patch(|Path(id): Path<String>| async move { Json(json!({ "id": id })) }),
        )
        .with_state(Shared::default())
}

fn locked(positions: &Shared) -> MutexGuard<'_, Vec<Value>> {
    positions.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn account() -> Json<Value> {
    Json(json!({ "equity": "100250.50", "buying_power": "50000", "currency": "USD" }))
}

async fn positions(State(positions): State<Shared>) -> Json<Value> {
    Json(Value::Array(locked(&positions).clone()))
}

/// An order is filled at once.
async fn order(State(positions): State<Shared>, Json(order): Json<Value>) -> Json<Value> {
    buy(&mut locked(&positions), &order);
    Json(json!({ "id": order["client_order_id"], "status": "filled" }))
}

fn buy(positions: &mut Vec<Value>, order: &Value) {
    if positions.len() < MOST {
        positions.push(json!({
            "symbol": order["symbol"], "qty": order["qty"],
            "current_price": "100", "unrealized_plpc": "0.01",
        }));
    }
}

async fn close(State(positions): State<Shared>, Path(symbol): Path<String>) -> Json<Value> {
    locked(&positions).retain(|position| position["symbol"] != symbol.as_str());
    Json(json!({ "symbol": symbol, "side": "sell" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_bought_is_held_until_it_is_closed() {
        let shared = Shared::default();
        let bought =
            order(State(Arc::clone(&shared)), Json(json!({ "symbol": "ACME", "qty": "3" })));
        assert_eq!(bought.await.0["status"], "filled");
        let held = positions(State(Arc::clone(&shared))).await.0;
        assert_eq!((&held[0]["symbol"], &held[0]["qty"]), (&json!("ACME"), &json!("3")));
        let closed = close(State(Arc::clone(&shared)), Path("ACME".to_owned())).await.0;
        assert_eq!(closed["symbol"], "ACME");
        assert_eq!(positions(State(shared)).await.0, json!([]));
    }
}
