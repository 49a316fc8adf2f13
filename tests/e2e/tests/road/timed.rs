//! How long a step may take.

use serde_json::json;
use signalbox_e2e::{Gate, Scene};

#[test]
fn a_request_is_cut_off_when_the_time_of_its_step_is_up() {
    let gate = Gate::closed();
    let ask = gate.ask();
    let flow = format!(
        "steps:\n  \
         - {{ id: ask, timeout: 200ms, retry: {{ attempts: 2, initial: 10ms }}, \
              continue_on_error: true, run: '{ask}' }}\n  \
         - {{ id: nap, timeout: 1m, sleep: 50ms }}\n  \
         - {{ id: last, run: steps.ask.error.code }}\n"
    );
    let stubborn =
        format!("steps: [{{ id: ask, timeout: 200ms, run: 'try {{ {ask} }} catch {{ }} 7' }}]\n");
    let road = Scene::new(&[("ops", "platform", &gate.grant())])
        .file("ops/flows/asks.yaml", flow)
        .file("ops/flows/stubborn.yaml", stubborn)
        .road();
    let runner = road.start();
    assert_eq!(runner.result("ops/asks"), "SB0512");
    assert_eq!(gate.requests().len(), 2);
    let run = runner.run("ops/stubborn", &json!({}));
    assert_eq!((&run["state"], &run["reason"]), (&json!("failed"), &json!("timed_out")));
    assert_eq!((&run["error"]["code"], &run["error"]["line"]), (&json!("SB0512"), &json!(1)));
}

#[test]
fn a_loop_is_over_time_and_what_waits_is_not() {
    let road = Scene::platform()
        .file(
            "ops/flows/spins.yaml",
            "steps:\n  \
             - { id: spin, timeout: 20ms, continue_on_error: true, run: 'loop { }' }\n  \
             - { id: nap, timeout: 2s, run: 'sleep(3); steps.spin.error.code' }\n",
        )
        .road();
    assert_eq!(road.start().result("ops/spins"), "SB0512");
}
