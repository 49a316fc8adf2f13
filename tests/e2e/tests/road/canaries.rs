//! Promise 6, all of it: twenty secrets are used in every legal place and tried in every other one,
//! are sent back in every encoding, and are then looked for everywhere.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use signalbox_e2e::{Die, Gate, Road, Runner, Scene};
use signalbox_testkit::{HttpStub, Response};

use crate::canaries_places::{Place, everywhere, of_processes, stream, watched};
use crate::canaries_search::{Canary, Search, canaries, encodings, random};

/// Puts each secret into a header, and keeps what comes back in every way that there is.
const HEADER: &str = "let out = [];
for name in inputs.names {
    let said = \"\";
    try {
        let answer = http::get(\"ECHO/\", #{ headers: #{ \"x-key\": `${secret(name)}` } });
        said = `${answer.headers} ${answer.text()}`;
    } catch (e) { said = `${e}` }
    try {
        said += http::get(\"ECHO/\", #{ headers: #{ authorization: http::basic(\"me\", secret(name)) } }).text();
    } catch (e) { said += `${e}` }
    try { said += `${hmac(secret(name), \"message\")}` } catch (e) { said += `${e}` }
    log::info(said);
    state::set(name, said);
    out.push(said);
}
out";

/// Asks for what the server knows of earlier requests.
const LATER: &str = "let text = http::get(\"LATER/\", #{ timeout: 30 }).text();
log::info(text);
state::set(\"later\", text);
text";

/// Tries each secret where it must not go; nothing of it is lost on what is kept.
const ILLEGAL: &str = "let out = [];
for name in inputs.names {
    let s = `${secret(name)}`;
    let odd = #{};
    odd[s] = \"x\";
    let tries = [
        || state::set(\"k\", s), || state::set(s, 1), || http::post(\"ECHO/\", s), || http::post(\"ECHO/\", #{ k: s }),
        || http::get(`ECHO/${s}`), || http::get(\"ECHO/\", #{ query: #{ k: s } }), || http::get(\"ECHO/\", #{ headers: odd }),
        || connector(\"api\").get(`/${s}`), || connector(\"api\").post(\"/\", s), || connector(\"chat\").send(s),
        || connector(\"probe\").tcp(s, 80), || connector(\"probe\").http(`http://${s}/`), || flow::run(\"plain\", #{ text: s }),
        || flow::start(\"plain\", #{ text: s }), || broker::request(\"shop/take\", #{ text: s }), || step(s, || 1), || step(\"x\", || s),
        || { throw s }, || log::warn(`a ${s} b`), || base64::encode(s), || json::encode(#{ k: s }), || hash::sha256(s), || secret(s),
    ];
    for one in tries {
        let said = \"\";
        try { said = `${one.call()}` } catch (e) { said = `${e}` }
        try { out.push(said); log::info(said) } catch (e) {}
    }
}
out.len()";

const WORKSPACE: &str = "secrets: [NAMES]
on_failure: note
may_start: { shop: [take] }
connectors:
  probe: { type: probe }
  api: { type: http, base_url: \"ECHO/v1\", headers: { X-Key: \"${secrets.C0}\", X-Other: \"a ${secrets.C8} b\" } }
  chat: { type: slack, webhook_url: \"${secrets.C19}\", channel: \"${secrets.C6}\" }
  hook: { type: http, base_url: \"${secrets.C19}\" }
  tenant: { type: http, base_url: \"http://${secrets.C0}.example.invalid\" }
  broken: { type: http, base_url: \"http://127.0.0.1:1/${secrets.C11}\" }
  words: { type: http, base_url: \"${secrets.C5}\" }
webhooks:
  keyed: { flow: plain, auth: { api_key: \"${secrets.C0}\", header: X-Api-Key } }
  signed: { flow: plain, auth: { hmac_sha256: \"${secrets.C16}\", header: X-Signature } }
  basic: { flow: plain, auth: { basic: { user: nas, password: \"${secrets.C1}\" } } }
";

/// Sends back what came in a header or the path, in every encoding.
fn echo() -> HttpStub {
    HttpStub::start(|request| {
        let header = |name| request.header(name).unwrap_or_default().to_owned();
        let seen =
            [header("x-key"), header("x-other"), header("authorization"), request.path.clone()];
        let credentials = seen[2].strip_prefix("Basic ").unwrap_or_default();
        let plain = STANDARD.decode(credentials).unwrap_or_default();
        let plain = String::from_utf8(plain).unwrap_or_default();
        let texts = seen.iter().chain([&plain]).filter(|text| text.len() > 4);
        let body: Vec<u8> = texts.flat_map(|text| told(text)).collect();
        let back = header("x-key");
        Response::status(200)
            .header("x-back", &back)
            .header("x-coded", &STANDARD.encode(back))
            .body(body)
    })
}

/// A text in every encoding: each whole, and in base64 with other things around it.
fn told(text: &str) -> Vec<u8> {
    let mut all: Vec<_> = encodings(text);
    all.retain(|(encoding, _)| *encoding != "base64");
    for around in ["", "a", "ab"] {
        let whole = format!("{around}{text}{around}");
        all.push(("base64", STANDARD.encode(&whole).into_bytes()));
        all.push(("base64", URL_SAFE_NO_PAD.encode(&whole).into_bytes()));
    }
    let each = all.into_iter().map(|(_, bytes)| [bytes, b" ".to_vec()].concat());
    each.flatten().collect()
}

/// A server that knows all values and tells them in every encoding, in chunks of 7 bytes.
fn later(values: &[Canary]) -> String {
    let body: Vec<u8> = values.iter().flat_map(|canary| told(&canary.value)).collect();
    let mut answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(7) {
        answer.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(&connection).lines().map_while(Result::ok);
            if lines.any(|line| line.is_empty()) {
                drop(connection.write_all(&answer));
            }
        }
    });
    url
}

/// The repository. A workspace and a flow have the name that must be found.
fn scene(echo: &str, later: &str, gate: &Gate, plant: &str, names: &str) -> Scene {
    let fill =
        |text: &str| text.replace("ECHO", echo).replace("LATER", later).replace("NAMES", names);
    let wait = format!(
        "let plain = inputs.text;\nlet key = secret(\"C16\");\nlet all = [];\n\
         for name in inputs.names {{ all.push(`${{secret(name)}}`) }}\n\
         http::get(\"{}/\", #{{ timeout: 120, headers: #{{ authorization: `${{key}}` }} }});\nplain",
        gate.url()
    );
    let grants = format!("network: [\"{echo}\", \"{later}\", \"{}\", \"127.0.0.1:1\"]", gate.url());
    let keep = "log::info(inputs.text);\nstate::set(\"planted\", inputs.text);\ninputs.text";
    Scene::new(&[("ops", "platform", &grants), ("shop", "domain", ""), (plant, "domain", "")])
        .file("ops/workspace.yaml", fill(WORKSPACE))
        .file("shop/workspace.yaml", "accepts: [take]\n")
        .script("shop/flows/take.rhai", "inputs")
        .script("ops/flows/header.rhai", &fill(HEADER))
        .script("ops/flows/later.rhai", &fill(LATER))
        .script("ops/flows/illegal.rhai", &fill(ILLEGAL))
        .script("ops/flows/wait.rhai", &wait)
        .script("ops/flows/note.rhai", "log::error(`${inputs}`);\ninputs")
        .script(&format!("ops/flows/{plant}.rhai"), keep)
        .script("ops/flows/plain.rhai", "inputs")
        .script("ops/flows/result.rhai", "#{ k: secret(inputs.name) }")
        .script("ops/flows/text.rhai", "`a ${secret(inputs.name)} b`")
        .script("ops/flows/thrown.rhai", "throw `a ${secret(inputs.name)} b`")
        .script("ops/flows/wrong.rhai", "http::get(`http://${secret(inputs.name)}/`)")
        .script("ops/flows/use.rhai", "let c = connector(inputs.name);\nif inputs.name == \"chat\" { c.send(\"x\") } else { c.get(\"/x\").text() }")
}

/// Sets all secrets, and does everything with them.
fn workload(runner: &Runner<'_>, all: &[Canary], plant: &str) {
    for canary in all {
        let body = json!({ "value": canary.value }).to_string();
        let path = format!("/api/v1/workspaces/ops/secrets/{}", canary.name);
        let put = runner.client().request("PUT", &path, Some(body.as_bytes())).unwrap();
        assert!(put.status < 300, "{}: {put:?}", canary.name);
    }
    let names: Vec<_> = all.iter().map(|canary| canary.name.clone()).collect();
    let did = |flow: &str, inputs: Value| {
        let run = runner.run(flow, &inputs);
        assert_eq!(run["state"], "succeeded", "{flow}: {run:#}");
        run["result"].clone()
    };
    did("ops/header", json!({ "names": names }));
    did("ops/illegal", json!({ "names": names }));
    did(&format!("ops/{plant}"), json!({ "text": plant }));
    let told = did("ops/later", json!({}));
    let masks = told.as_str().unwrap().matches("[masked]").count();
    // Six of base64 and nine others of each.
    assert_eq!(masks, 15 * all.len(), "{told}");
    for name in &names {
        for flow in ["ops/result", "ops/text", "ops/thrown", "ops/wrong"] {
            assert_eq!(runner.run(flow, &json!({ "name": name }))["state"], "failed", "{flow}");
        }
    }
    for name in ["api", "chat", "hook", "tenant", "broken", "words"] {
        runner.run("ops/use", &json!({ "name": name }));
    }
    deliver(runner, all);
}

/// Deliveries with the right proof, and with one that is almost right.
fn deliver(runner: &Runner<'_>, all: &[Canary]) {
    let value = |at: usize| all[at].value.as_str();
    let basic = |password: &str| format!("Basic {}", STANDARD.encode(format!("nas:{password}")));
    for (hook, header, proof, status) in [
        ("keyed", "x-api-key", value(0).to_owned(), 202),
        ("keyed", "x-api-key", format!("{}x", value(0)), 401),
        ("signed", "x-signature", format!("sha256={}", value(16)), 401),
        ("basic", "authorization", basic(value(1)), 202),
        ("basic", "authorization", basic(&format!("{}x", value(1))), 401),
    ] {
        let client = runner.client().clone().header(header, &proof);
        let answer = client.post(&format!("/hooks/ops/{hook}"), &json!({ "n": 1 }));
        assert_eq!(answer.status, status, "{hook}: {answer:?}");
    }
}

#[track_caller]
fn clean(search: &Search, places: &[Place]) {
    for place in places {
        let found = search.found(&place.bytes);
        assert!(found.is_empty(), "in {} {}: {found:?}", place.kind, place.name);
    }
}

/// What was planted is found in places of each of these kinds: the search can find.
#[track_caller]
fn planted(plants: &Search, places: &[Place], kinds: &[&str]) {
    for kind in kinds {
        let of_kind = places.iter().filter(|place| place.kind == *kind);
        let found = of_kind.filter(|place| !plants.found(&place.bytes).is_empty()).count();
        assert!(found > 0, "what was planted is in none of the {kind}");
    }
}

#[test]
fn no_canary_is_found_anywhere() {
    let mut die = Die::new();
    let plant = format!("plant{}", random(&mut die, 16).to_lowercase());
    let (echo, gate) = (echo(), Gate::closed());
    let all = canaries(&mut die, &echo.url());
    let names: Vec<_> = all.iter().map(|canary| canary.name.clone()).collect();
    let later = later(&all);
    let mut road: Road = scene(&echo.url(), &later, &gate, &plant, &names.join(", ")).road();
    road.launch = road.launch.env("SIGNALBOX_LOG", "trace").env("PLANTED", &plant);
    let home = road.launch.home().parent().unwrap().display().to_string();
    let canaries = Search::of(all.iter().map(|one| (one.name.as_str(), one.core.as_str())));
    let plants = Search::of([("planted", plant.as_str()), ("folder", home.as_str())]);

    let runner = road.start();
    let events: Arc<Mutex<Vec<u8>>> = stream(&runner, "/api/v1/events");
    let seen = watched(runner.pid(), || workload(&runner, &all, &plant));
    clean(&canaries, &seen);
    planted(&plants, &seen, &["arguments"]);
    let of_cell = |place: &&Place| place.bytes.windows(6).any(|word| word == b"__cell");
    assert!(seen.iter().any(|place| of_cell(&place)), "no cell was looked at");
    let id = runner.accept("ops/wait", &json!({ "names": names, "text": plant }));
    assert_eq!(gate.wait_for(1)[0].header("authorization"), Some(all[16].value.as_str()));

    // While a cell holds the handles of all of them.
    let mut places = of_processes(&runner);
    planted(&plants, &places, &["arguments of the runner"]);
    // Nobody but root reads these: whoever else runs this test finds them closed.
    if rustix::process::geteuid().is_root() {
        planted(&plants, &seen, &["environments"]);
        planted(&plants, &places, &["environment of the runner", "memory of a cell"]);
    }
    gate.open();
    assert_eq!(runner.ended(&id)["result"], json!(plant));
    places.extend(everywhere(&road, &runner));
    let said = runner.serve().stderr().into_bytes();
    places.push(Place { kind: "log", name: "stderr".to_owned(), bytes: said });
    places.push(Place {
        kind: "events",
        name: "stream".to_owned(),
        bytes: events.lock().unwrap().clone(),
    });
    clean(&canaries, &places);
    let kinds = ["files", "answers", "pages", "commands", "metrics", "backup", "log", "events"];
    planted(&plants, &places, &kinds);

    // After everything was written into its place.
    assert!(runner.terminate().success());
    let files = crate::canaries_places::files(&road);
    clean(&canaries, &files);
    planted(&plants, &files, &["files"]);
    // The values did go where they were meant to.
    let sent = echo.requests();
    for canary in all.iter().filter(|one| one.value.bytes().all(|byte| (33..127).contains(&byte))) {
        let got = |header: &str| sent.iter().any(|one| one.header(header) == Some(&canary.value));
        assert!(got("x-key"), "{} was never sent", canary.name);
    }
    assert!(sent.iter().any(|one| one.path.starts_with(&format!("/hooks/{}", all[19].core))));
}

/// Asks a stream for all that it says until the runner ends.
pub(crate) fn read_on(mut connection: TcpStream, into: &Mutex<Vec<u8>>) {
    let mut part = [0; 4096];
    while let Ok(length @ 1..) = connection.read(&mut part) {
        into.lock().unwrap().extend_from_slice(&part[..length]);
    }
}
