//! The domains' flows, and the services that they use.

use serde_json::json;

use crate::home::{Home, done, ended};

const FINANCIAL: &str = "homeops-financial";

#[test]
fn the_market_is_scanned_and_what_is_strong_is_bought_with_a_bracket() {
    let home = Home::new();
    let runner = home.start();
    let hours = done(&runner, "homeops-platform/monitoring/market-hours", &json!({}));
    assert_eq!(hours["scan"], json!({ "signals": 1, "alerts": 1 }), "{hours:#}");
    let history = done(&runner, &format!("{FINANCIAL}/atom-signal-history"), &json!({}));
    assert_eq!(history["signals/ACME"]["price"], 45.0, "{history:#}");
    let entry = done(&runner, &format!("{FINANCIAL}/atom-monitor-entry"), &json!({}));
    assert_eq!((&entry["known"], &entry["drift"]), (&json!(true), &json!(0.0)));

    let trades = format!("{FINANCIAL}/atom-execute-trades");
    assert_eq!(done(&runner, &trades, &json!({}))["ordered"], json!(["ACME"]));
    let placed = home.exchange.account.lock().unwrap().placed.clone();
    let order = &placed[0];
    assert_eq!((&order["qty"], &order["order_class"]), (&json!("22"), &json!("bracket")));
    assert_eq!(order["take_profit"]["limit_price"], "49.5");
    assert_eq!(order["stop_loss"]["stop_price"], "42.75");
    assert_eq!(home.said().last().unwrap(), "[low] orders-placed: Bought ACME");

    home.exchange.account.lock().unwrap().positions = vec![json!({ "symbol": "ACME" })];
    assert_eq!(done(&runner, &trades, &json!({}))["ordered"], json!([]));
    assert_eq!(home.exchange.account.lock().unwrap().placed.len(), 1);
}

#[test]
fn positions_are_closed_when_they_won_or_lost_enough_and_the_equity_is_reported() {
    let home = Home::new();
    let runner = home.start();
    home.exchange.account.lock().unwrap().positions =
        [("UP", "0.2"), ("FLAT", "0.01"), ("DOWN", "-0.1")]
            .map(|(symbol, change)| json!({ "symbol": symbol, "unrealized_plpc": change }))
            .into();
    let exits = done(&runner, &format!("{FINANCIAL}/atom-monitor-exits"), &json!({}));
    assert_eq!(exits, json!({ "closed": ["UP", "DOWN"], "equity": 100_250.5 }));
    let mut closed = home.exchange.account.lock().unwrap().closed.clone();
    closed.sort();
    assert_eq!(closed, ["DOWN", "UP"]);
    assert_eq!(home.said(), ["[HIGH] positions-closed: Closed UP, DOWN"]);
    let kept = ended(&runner, "homeops-platform/monitoring/record-metric", 1);
    assert_eq!(kept.len(), 1, "{kept:#?}");
}

#[test]
fn stops_follow_a_price_that_rises_and_never_go_down() {
    let home = Home::new();
    let runner = home.start();
    {
        let mut account = home.exchange.account.lock().unwrap();
        account.positions = [("UP", "100"), ("DOWN", "40")]
            .map(|(symbol, price)| json!({ "symbol": symbol, "current_price": price }))
            .into();
        account.orders = [("a", "UP", "stop", "80"), ("b", "DOWN", "stop", "47.5"), ("c", "UP", "limit", "")]
            .map(|(id, symbol, kind, stop)| {
                json!({ "id": id, "symbol": symbol, "type": kind, "stop_price": stop })
            })
            .into();
    }
    let seen = done(&runner, &format!("{FINANCIAL}/atom-manage-brackets"), &json!({}));
    assert_eq!(seen["raised"], json!([{ "symbol": "UP", "from": 80.0, "to": "95.0" }]), "{seen:#}");
    let replaced = home.exchange.account.lock().unwrap().replaced.clone();
    assert_eq!(replaced, [("a".to_owned(), json!({ "stop_price": "95.0" }))]);
}

#[test]
fn a_domain_has_its_ledger_dumped_by_the_platform() {
    let home = Home::new();
    let runner = home.start();
    let seen = done(&runner, &format!("{FINANCIAL}/ledger-backup"), &json!({}));
    assert!(seen["file"].as_str().unwrap().starts_with("/backups/ledger-"), "{seen:#}");
    assert_eq!(ended(&runner, "homeops-platform/maintenance/system-backup", 1).len(), 1);
    assert_eq!(home.docker.state.lock().unwrap().backups.len(), 1);
}

#[test]
fn a_domain_deploys_its_own_services_only() {
    let home = Home::new();
    let runner = home.start();
    let update = "homeops-media/update-player";
    let seen = done(&runner, update, &json!({ "release": "2.1" }));
    assert_eq!(seen["to"], "registry.local/media/player:2.1");
    home.road.push(
        "subprojects/media-stack/windmill/flows/grab.yaml",
        "timeout: 1m\ncall:\n  service: deploy.request@1\n  inputs: { service: homeops-db, image: \"a:1\" }\n",
    );
    assert_eq!(runner.sync_of("homeops-media")["outcome"], "deployed");
    assert!(
        runner.error("homeops-media/grab")["message"].as_str().unwrap().contains("may not deploy")
    );
}

#[test]
fn the_library_is_known_and_nothing_crosses_between_domains() {
    let home = Home::new();
    let runner = home.start();
    let scan = done(&runner, "homeops-media/library-scan", &json!({}));
    assert_eq!(scan, json!({ "items": 1, "new": 0 }));
    let digest = done(&runner, "homeops-media/library-digest", &json!({}));
    assert_eq!(digest["titles"], json!(["Metropolis"]));
    let refused = runner.error("homeops-media/experiments/forbidden-call");
    assert_eq!(refused["code"], "SB0302", "{refused:#}");
}
