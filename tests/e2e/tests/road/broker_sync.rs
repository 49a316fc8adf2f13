//! Promise 7 at sync: what a script or step says literally is refused before it is live, with the
//! line that says it.

use signalbox_e2e::{Scene, diagnostics};

/// The platform `ops`, the domains `shop` and `bank`.
fn scene() -> Scene {
    Scene::new(&[("bank", "domain", ""), ("ops", "platform", ""), ("shop", "domain", "")])
        .file(
            "ops/workspace.yaml",
            "exports:
  alerts.send: { flow: alert, version: 2, callers: [shop] }
may_start:
  shop: [scan, hidden]
",
        )
        .file(
            "ops/flows/alert.yaml",
            "inputs: { text: { type: string, required: true, max_length: 10 } }\nrun: inputs.text\n",
        )
        .script("ops/flows/internal.rhai", "1")
        .file("shop/workspace.yaml", "uses: [alerts.send@2]\naccepts: [scan]\n")
        .script("shop/flows/scan.rhai", "1")
        .script("shop/flows/hidden.rhai", "1")
        .script("bank/flows/pay.rhai", "1")
}

/// Pushes a script whose second line has a call; it must be refused with a code at that line.
#[track_caller]
fn refused(file: &str, body: &str, code: &str) {
    let road = scene().road();
    let runner = road.start();
    let workspace = file.split('/').next().unwrap();
    assert_eq!(runner.sync_of(workspace)["outcome"], "unchanged");
    road.push_script(file, body);
    let outcome = runner.sync_of(workspace);
    assert_eq!(outcome["outcome"], "rejected", "{outcome:#}");
    let found = diagnostics(&outcome["diagnostics"]);
    let at_line = found.iter().any(|(known, place, line, column)| {
        known == code && place == file && *line == 2 && *column > 0
    });
    assert!(at_line, "no {code} at {file}:2 in {found:?}");
    // The validator of the command line decides the same.
    let (exit, document) = road.validate();
    let offline = diagnostics(&document["diagnostics"]);
    assert_eq!(exit, 3);
    assert!(found.iter().all(|fault| offline.contains(fault)), "{found:?} is not in {offline:?}");
    assert_eq!(runner.list("/calls").len(), 0);
}

#[test]
fn a_domain_that_calls_a_domain_is_refused() {
    refused("shop/flows/x.rhai", "broker::request(\"bank/pay\", #{});", "SB0302");
}

#[test]
fn a_domain_that_calls_its_own_flow_through_the_broker_is_refused() {
    refused("shop/flows/x.rhai", "broker::start(\"shop/scan\", #{});", "SB0302");
}

#[test]
fn a_domain_that_names_a_flow_of_the_platform_is_refused() {
    refused("shop/flows/x.rhai", "broker::request(\"ops/internal\", #{});", "SB0302");
}

#[test]
fn a_service_that_nobody_exports_is_refused() {
    refused("shop/flows/x.rhai", "broker::request(\"alerts.sned\", #{ text: `a` });", "SB0301");
}

#[test]
fn a_version_that_is_not_there_is_refused() {
    refused("shop/flows/x.rhai", "broker::request(\"alerts.send@1\", #{ text: `a` });", "SB0305");
}

#[test]
fn a_flow_that_its_domain_does_not_accept_is_refused() {
    refused("ops/flows/x.rhai", "broker::request(\"shop/hidden\", #{});", "SB0303");
}

#[test]
fn a_flow_that_the_platform_did_not_declare_to_start_is_refused() {
    refused("ops/flows/x.rhai", "broker::request(\"shop/hello\", #{});", "SB0304");
}

#[test]
fn a_service_that_the_caller_did_not_declare_is_refused() {
    refused("bank/flows/x.rhai", "broker::request(\"alerts.send\", #{ text: \"a\" });", "SB0304");
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let call = "broker::request(\"alerts.send\", #{ text: \"much too long for it\" });";
    refused("shop/flows/x.rhai", call, "SB0306");
    refused("shop/flows/x.rhai", "broker::request(\"alerts.send\", #{ txt: \"a\" });", "SB0306");
}

#[test]
fn an_import_carries_its_calls_with_it() {
    let road = scene()
        .file(
            "shop/libraries/out.rhai",
            "fn outside() {\n    broker::request(\"bank/pay\", #{})\n}\n",
        )
        .file(
            "shop/flows/x.rhai",
            "import \"libraries/out\" as out;\nfn main(inputs) { out::outside() }\n",
        )
        .road();
    let (code, document) = road.validate();
    assert_eq!(code, 3);
    let found = diagnostics(&document["diagnostics"]);
    assert_eq!(found[0].0, "SB0302", "{found:?}");
    assert_eq!((found[0].1.as_str(), found[0].2), ("shop/libraries/out.rhai", 2));
}

#[test]
fn a_cycle_over_both_directions_is_refused() {
    let road = scene()
        .file("ops/flows/alert.yaml", "call: { workspace: shop, flow: scan, inputs: {} }\n")
        .road();
    road.push_script("shop/flows/scan.rhai", "broker::request(\"alerts.send\", #{})");
    let runner = road.start();
    let report = runner.sync();
    let mut found = Vec::new();
    for outcome in report["workspaces"].as_array().unwrap() {
        found.extend(diagnostics(&outcome["diagnostics"]));
    }
    assert!(found.iter().any(|fault| fault.0 == "SB0307"), "{report:#}");
}

#[test]
fn an_export_that_would_break_a_deployed_caller_is_refused_and_names_it() {
    let road = scene()
        .script("shop/flows/tell.rhai", "broker::request(\"alerts.send\", #{ text: `a` })")
        .road();
    let runner = road.start();
    road.push(
        "ops/flows/alert.yaml",
        "inputs:
  text: { type: string, required: true }
  level: { type: integer, required: true }
run: inputs.text
",
    );
    let outcome = runner.sync_of("ops");
    assert_eq!(outcome["outcome"], "rejected", "{outcome:#}");
    let fault = &outcome["diagnostics"][0];
    assert_eq!(fault["code"], "SB0308", "{outcome:#}");
    assert!(fault.to_string().contains("shop"), "{fault:#}");
    assert_eq!(runner.result("shop/tell"), "a");
}
