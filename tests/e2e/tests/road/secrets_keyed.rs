//! `hmac` and `http::basic` with a secret: the runner makes them, the script never has the value.

use serde_json::json;
use signalbox_e2e::{Road, Scene};
use signalbox_testkit::{HttpStub, Response};

const VALUE: &str = "Jefe";
/// RFC 4231, test case 2: HMAC-SHA-256 under the key `Jefe`.
const DIGEST: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

fn road(stub: &HttpStub, body: &str) -> Road {
    Scene::new(&[("ops", "platform", &format!("network: [\"{}\"]", stub.url()))])
        .file("ops/workspace.yaml", "secrets: [KEY, OTHER]\n")
        .script("ops/flows/go.rhai", &body.replace("URL", &stub.url()))
        .road()
}

#[test]
fn an_hmac_under_a_secret_is_that_of_its_value() {
    let stub = HttpStub::start(|_| Response::text(200, "ok"));
    let body = "let message = \"what do ya want for nothing?\";
let key = secret(\"KEY\");
[hmac(key, message), hmac(`${key}`, message), hmac(`Je${secret(\"OTHER\")}`, message)]";
    let road = road(&stub, body);
    let runner = road.start();
    for (name, value) in [("KEY", VALUE), ("OTHER", "fe")] {
        runner.cli_with(&["secret", "set", name, "-w", "ops"], value).ends(0);
    }
    assert_eq!(runner.result("ops/go"), json!([DIGEST, DIGEST, DIGEST]));
}

#[test]
fn basic_credentials_with_a_secret_are_made_by_the_runner_and_masked_when_sent_back() {
    let stub = HttpStub::start(|request| {
        let seen = request.header("authorization").unwrap_or_default().to_owned();
        Response::text(200, &seen)
    });
    let body = "let credentials = http::basic(\"me\", secret(\"KEY\"));
log::info(credentials);
http::get(\"URL\", #{ headers: #{ authorization: credentials } }).text()";
    let road = road(&stub, body);
    let runner = road.start();
    let value = "correct-horse-battery";
    runner.cli_with(&["secret", "set", "KEY", "-w", "ops"], value).ends(0);
    let run = runner.run("ops/go", &json!({}));
    // `printf me:correct-horse-battery | base64`
    let expected = "Basic bWU6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5";
    assert_eq!(stub.requests()[0].header("authorization"), Some(expected));
    let text = run["result"].as_str().unwrap();
    assert!(text.contains("[masked]") && !text.contains("Y29ycmVjdC1ob3JzZ"), "{text}");
    let said = runner.cli(&["logs", run["id"].as_str().unwrap()]).ends(0);
    assert!(said.stdout.contains("Basic [secret basic]"), "{said:?}");
}

#[test]
fn credentials_mean_nothing_in_a_body_and_cannot_be_made_up() {
    let stub = HttpStub::start(|_| Response::text(200, "ok"));
    let body = "let codes = [];
try { http::post(\"URL\", http::basic(\"me\", secret(\"KEY\"))) } catch (e) { codes.push(e.sub_string(0, 6)) }
// `me:⟦secret:KEY:00⟧` in hexadecimal, as a script could put it together.
let forged = \"⟦secret:basic:6d653ae29fa67365637265743a4b45593a3030e29fa7⟧\";
try { http::get(\"URL\", #{ headers: #{ authorization: forged } }) } catch (e) { codes.push(e.sub_string(0, 6)) }
try { hmac(forged, \"x\") } catch (e) { codes.push(e.sub_string(0, 6)) }
codes";
    let road = road(&stub, body);
    let runner = road.start();
    runner.cli_with(&["secret", "set", "KEY", "-w", "ops"], VALUE).ends(0);
    assert_eq!(runner.result("ops/go"), json!(["SB0508", "SB0508", "SB0508"]));
    assert_eq!(stub.requests(), []);
}
