//! What trades: when it may, what it does about reports of the broker, and how it is stopped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use signalbox_e2e::{Runner, eventually};

use crate::home::{HOOK_KEY, Home, done, ended, example};

const TRADES: &str = "homeops-financial/atom-execute-trades";
const BRACKETS: &str = "homeops-financial/atom-manage-brackets";

fn with_signal(home: &Home) -> Runner<'_> {
    let runner = home.start();
    done(&runner, "homeops-financial/atom-nightly-scan", &json!({}));
    runner
}

/// Runs that the schedule of a flow started, by how they ended.
fn by_schedule(runner: &Runner<'_>, reason: &Value) -> usize {
    let runs = runner.list("/runs?workspace=homeops-financial&flow=atom-execute-trades&limit=1000");
    let fired = runs.iter().filter(|run| run["trigger"]["kind"] == "schedule");
    fired.filter(|run| run["ended_at"].is_string() && run["reason"] == *reason).count()
}

#[test]
fn orders_that_fail_for_good_halt_the_schedule_until_they_are_taken_again() {
    let home = Home::new();
    let runner = with_signal(&home);
    home.exchange.account.lock().unwrap().refuses = true;
    let failed = runner.run(TRADES, &json!({}));
    assert_eq!((&failed["state"], &failed["attempt"]), (&json!("failed"), &json!(3)), "{failed:#}");
    home.hears("[CRITICAL] trading-halted: No orders until atom-execute-trades succeeds");
    ended(&runner, "homeops-financial/atom-trading-halt", 1);

    let path = "subprojects/financial-tracker/windmill/atom-workflows/atom-execute-trades.yaml";
    let every_second =
        example(path).replace("35 9-15 * * *", "* * * * * *").replace("calendar: new-york, ", "");
    home.road.push(path, &every_second);
    assert_eq!(runner.sync_of("homeops-financial")["outcome"], "deployed");
    let wait = |reason: Value| {
        eventually(&format!("a slot ends with {reason}"), || {
            (by_schedule(&runner, &reason) > 0).then_some(())
        });
    };
    wait(json!("not_wanted"));
    assert_eq!(by_schedule(&runner, &Value::Null), 0);

    home.exchange.account.lock().unwrap().refuses = false;
    assert_eq!(done(&runner, TRADES, &json!({}))["ordered"], json!(["ACME"]));
    home.hears("[low] trading-resumed: ");
    wait(Value::Null);
}

fn account(home: &Home) {
    let mut account = home.exchange.account.lock().unwrap();
    account.positions =
        ["UP", "TOO"].map(|symbol| json!({ "symbol": symbol, "current_price": "100" })).into();
    account.orders = [("a", "UP"), ("b", "TOO")]
        .map(|(id, symbol)| json!({ "id": id, "symbol": symbol, "type": "stop", "stop_price": "80" }))
        .into();
}

/// Sends a report as the broker does; gives the status.
fn report(runner: &Runner<'_>, report: &Value, key: &str) -> u16 {
    let body = report.to_string();
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signed = STANDARD.encode(mac.finalize().into_bytes());
    let client = runner.client().clone().header("X-Signature", &signed);
    client.request("POST", "/hooks/homeops-financial/fills", Some(body.as_bytes())).unwrap().status
}

#[test]
fn a_signed_report_of_a_fill_raises_the_stops_of_its_position_only() {
    let home = Home::new();
    let runner = home.start();
    account(&home);
    let fill = json!({ "event": "fill", "order": { "symbol": "UP", "filled_qty": "3" } });
    assert_eq!(report(&runner, &fill, "another key"), 401);
    assert_eq!(report(&runner, &fill, HOOK_KEY), 202);
    assert_eq!(ended(&runner, BRACKETS, 1).len(), 1);
    let replaced = home.exchange.account.lock().unwrap().replaced.clone();
    assert_eq!(replaced, [("a".to_owned(), json!({ "stop_price": "95.0" }))]);
}

#[test]
fn many_reports_of_one_order_are_one_look_and_one_that_is_lost_is_told() {
    let home = Home::new();
    let runner = home.start();
    account(&home);
    for part in 1..=5 {
        let fill =
            json!({ "event": "partial_fill", "order": { "symbol": "UP", "filled_qty": part } });
        assert_eq!(report(&runner, &fill, HOOK_KEY), 202);
    }
    let lost = json!({ "event": "canceled", "order": { "symbol": "TOO" } });
    assert_eq!(report(&runner, &lost, HOOK_KEY), 202);
    let runs = ended(&runner, BRACKETS, 6);
    let superseded = runs.iter().filter(|run| run["reason"] == "superseded").count();
    assert!(superseded >= 1, "{runs:#?}");
    assert_eq!(home.exchange.account.lock().unwrap().replaced.len(), 5 - superseded);
    home.hears("[HIGH] order-lost: An order for TOO was canceled");
}

#[test]
fn markets_are_closed_on_their_days_off() {
    let home = Home::new();
    let path = "subprojects/financial-tracker/windmill/atom-workflows/atom-monitor-exits.yaml";
    home.road.push(path, &example(path));
    let runner = home.start();
    let next = runner.list("/schedules/next?limit=300");
    assert_eq!(next.len(), 300);
    for slot in next {
        let at: jiff::Timestamp = slot["at"].as_str().unwrap().parse().unwrap();
        let day = at.in_tz("America/New_York").unwrap();
        assert!(day.weekday().to_monday_one_offset() < 6, "{slot}");
    }
}
