//! Promise 5, the network, in a network of its own: a table of spellings, redirects, names that
//! change their mind, and the runner's own addresses. What was reached the listeners say, on this
//! machine and everywhere else; what was tried the kernel says.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene};
use signalbox_testkit::{Apart, Client, HttpStub, Response, apart};

const SPELLINGS: &str = include_str!("../../fixtures/egress_spellings.json");
const NEVER: &str = include_str!("../../fixtures/egress_never.json");
const NAMES: &str = include_str!("../../fixtures/egress_names.json");

/// Ports at which somebody listens, on every address.
const OPEN: [u16; 3] = [80, 443, 8088];
/// What a proxy would be taken from.
const PROXIES: [&str; 6] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// Asks for each of `inputs.urls`, and gives the status or the code of each.
const TRY: &str = "let said = [];
for url in inputs.urls {
    let what = \"\";
    try { what = `${http::get(url, #{ timeout: 5 }).status}` } catch (e) { what = e.sub_string(0, 6) }
    said.push(what);
}
said";

/// Probes each of `inputs.hosts` in every way, and gives what answered.
const PROBE: &str = "let probe = connector(\"probe\");
let found = [];
for host in inputs.hosts {
    try { if probe.tcp(host, 8088, #{ timeout: 5 }).ok { found.push(`tcp ${host}`) } } catch (e) {}
    try { if probe.certificate(host, 8088, #{ timeout: 5 }).ok { found.push(`certificate ${host}`) } } catch (e) {}
    try { if probe.http(`http://${host}:8088/`, #{ timeout: 5 }).ok { found.push(`http ${host}`) } } catch (e) {}
    try { probe.dns(host) } catch (e) {}
}
found";

const WORKSPACE: &str = "secrets: [BASE]
connectors:
  probe: { type: probe }
  api: { type: http, base_url: \"${secrets.BASE}\" }
  chat: { type: slack, webhook_url: \"${secrets.BASE}\" }
";

type Table = BTreeMap<String, Vec<String>>;

fn table(text: &str) -> Table {
    serde_json::from_str(text).unwrap()
}

/// A repository whose workspace has these grants; a proxy in the environment is a trap.
fn road(grants: &[String]) -> Road {
    let list: Vec<_> = grants.iter().map(|grant| format!("\"{grant}\"")).collect();
    let mut road = Scene::new(&[("ops", "platform", &format!("network: [{}]", list.join(", ")))])
        .file("ops/workspace.yaml", WORKSPACE)
        .script("ops/flows/try.rhai", TRY)
        .script("ops/flows/probe.rhai", PROBE)
        .script("ops/flows/api.rhai", "connector(\"api\").get(\"/x\").status")
        .script("ops/flows/chat.rhai", "connector(\"chat\").send(\"hello\").status")
        .road();
    for proxy in PROXIES {
        road.launch = road.launch.env(proxy, "http://127.0.0.1:8088");
    }
    road
}

/// What `ops/try` says of each URL. One connection of the test's own.
fn ask(client: &Client, urls: &[String]) -> Vec<String> {
    let path = "/api/v1/workspaces/ops/flows/try/runs?wait=50";
    let run = client.post(path, &json!({ "inputs": { "urls": urls } })).expect(200);
    assert_eq!(run["state"], "succeeded", "{run:#}");
    serde_json::from_value(run["result"].clone()).unwrap()
}

/// Lets something be done, and fails the test unless that many connections were tried meanwhile
/// and nobody was reached.
#[track_caller]
fn quiet<T>(apart: &Apart, what: &str, tries: u64, work: impl FnOnce() -> T) -> T {
    let before = apart.tried();
    let done = work();
    let tried = apart.tried() - before;
    assert_eq!((apart.here.take(), apart.there.take()), (vec![], vec![]), "reached: {what}");
    assert_eq!(tried, tries, "connections tried: {what}");
    done
}

/// Sends whoever asks for `/STATUS/HOPS/TARGET in hexadecimal` to the target, after so many hops.
fn redirects() -> HttpStub {
    HttpStub::start(|request| {
        let parts: Vec<_> = request.path.trim_start_matches('/').split('/').collect();
        let [status, hops, target] = parts[..] else { return Response::text(404, "no redirect") };
        let Ok(status) = status.parse() else { return Response::text(404, "no redirect") };
        let hops: u32 = hops.parse().unwrap_or_default();
        let bytes = (0..target.len() / 2)
            .map(|at| u8::from_str_radix(&target[2 * at..2 * at + 2], 16).unwrap_or_default());
        let place = if hops > 1 {
            format!("/{status}/{}/{target}", hops - 1)
        } else {
            String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
        };
        Response::status(status).header("location", &place)
    })
}

/// The addresses through which a redirect leads to each URL, by every status and in up to 3 hops.
fn detours(stub: &HttpStub, urls: &[String]) -> Vec<String> {
    let statuses = [301, 302, 303, 307, 308];
    let detour = |(at, url): (usize, &String)| {
        let hex: String = url.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("{}/{}/{}/{hex}", stub.url(), statuses[at % 5], 1 + at % 3)
    };
    urls.iter().enumerate().map(detour).collect()
}

/// Tries every row by redirect: what is tried beside are the connections that the stub got.
#[track_caller]
fn by_redirect(apart: &Apart, client: &Client, stub: &HttpStub, group: &str, urls: &[String]) {
    let (before, got) = (apart.tried(), stub.connections());
    let said = ask(client, &detours(stub, urls));
    let tried = apart.tried() - before;
    for (url, what) in urls.iter().zip(&said) {
        assert_ne!(what, "200", "{group}, by redirect: {url:?}");
    }
    assert_eq!((apart.here.take(), apart.there.take()), (vec![], vec![]), "{group}, by redirect");
    let own = 1 + u64::try_from(stub.connections() - got).unwrap();
    assert_eq!(tried, own, "connections tried: {group}, by redirect");
}

/// The host of a URL as it is written there.
fn host(url: &str) -> &str {
    let rest = url.split_once("//").map_or(url, |(_, rest)| rest);
    let end = rest.find(":80").or_else(|| rest.find('/')).unwrap_or(rest.len());
    &rest[..end]
}

#[test]
fn no_spelling_of_what_is_not_granted_is_connected_to() {
    apart("egress_table::no_spelling_of_what_is_not_granted_is_connected_to", &OPEN, |apart| {
        let stub = redirects();
        let reached =
            ["203.0.113.80", "192.168.1.99", "100.64.0.7", "[fd12::10]", "[2001:db8::80]"];
        let grants =
            ["granted.test", "granted.test:8088", "http://granted.test:8089", "localhost:8088"]
                .map(str::to_owned)
                .into_iter()
                .chain(reached.map(|host| format!("http://{host}:8088")))
                .chain([stub.url()]);
        let road = road(&grants.collect::<Vec<_>>());
        let runner = road.start();
        let spellings = table(SPELLINGS);
        assert!(spellings.values().map(Vec::len).sum::<usize>() >= 300, "the table is whole");
        for (group, urls) in &spellings {
            let said = quiet(apart, group, 1, || ask(runner.client(), urls));
            for (url, what) in urls.iter().zip(&said) {
                assert!(matches!(what.as_str(), "SB0506" | "SB0509"), "{group}: {url:?} is {what}");
            }
            by_redirect(apart, runner.client(), &stub, group, urls);
            let hosts: Vec<_> = urls.iter().map(|url| host(url)).collect();
            let inputs = json!({ "hosts": hosts });
            let run = quiet(apart, group, 1, || runner.run("ops/probe", &inputs));
            assert_eq!(run["result"], json!([]), "{group}, probed: {run:#}");
            by_connector(apart, &runner, group, &urls[0]);
        }
        // The listeners do see, and what is granted literally is reached.
        let before = apart.tried();
        let urls = reached.map(|host| format!("http://{host}:8088/"));
        assert_eq!(ask(runner.client(), &urls), ["200"; 5]);
        let seen: Vec<_> = apart.there.take().iter().map(SocketAddr::ip).collect();
        let meant = reached.map(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().unwrap());
        assert_eq!(seen, meant);
        assert_eq!((apart.tried() - before, apart.here.take()), (1 + 5, vec![]));
    });
}

/// Connectors whose address is a secret, which no look at the repository can know.
#[track_caller]
fn by_connector(apart: &Apart, runner: &Runner<'_>, group: &str, url: &str) {
    let body = json!({ "value": url }).to_string();
    let path = "/api/v1/workspaces/ops/secrets/BASE";
    let put = runner.client().request("PUT", path, Some(body.as_bytes())).unwrap();
    assert!(put.status < 300, "{put:?}");
    for flow in ["ops/api", "ops/chat"] {
        let run = quiet(apart, group, 1, || runner.run(flow, &json!({})));
        assert_eq!(run["state"], "failed", "{group}, by {flow}: {url:?}: {run:#}");
    }
}

#[test]
fn a_name_is_connected_to_where_it_was_checked() {
    apart("egress_table::a_name_is_connected_to_where_it_was_checked", &OPEN, |apart| {
        let rows: Vec<Value> = serde_json::from_str(NAMES).unwrap();
        let name = |row: &Value| row["name"].as_str().unwrap().to_owned();
        let grants: Vec<_> = rows.iter().map(|row| format!("{}:8088", name(row))).collect();
        let road = road(&grants);
        let runner = road.start();
        for row in &rows {
            let (name, answers) = (name(row), serde_json::from_value(row["answers"].clone()));
            apart.names.set(&name, answers.unwrap());
            let meant: Vec<Option<IpAddr>> =
                serde_json::from_value(row["reached"].clone()).unwrap();
            for (time, meant) in meant.iter().enumerate() {
                let before = apart.tried();
                let said = ask(runner.client(), &[format!("http://{name}:8088/")]);
                let tried = apart.tried() - before;
                let here = apart.here.take();
                let there: Vec<_> = apart.there.take().iter().map(SocketAddr::ip).collect();
                assert_eq!((here, &there), (vec![], &Vec::from_iter(*meant)), "{name}, {time}");
                assert_eq!(tried, 1 + u64::from(meant.is_some()), "{name}, {time}");
                assert_eq!(
                    said,
                    [if meant.is_some() { "200" } else { "SB0509" }],
                    "{name}, {time}"
                );
                // Once for the check and the connection together.
                assert_eq!(apart.names.asked(&name), time + 1, "{name}");
            }
        }
        // The same for a bare connection.
        apart.names.set("rebound.test", vec![vec!["203.0.113.7".into()], vec!["127.0.0.1".into()]]);
        let inputs = json!({ "hosts": ["rebound.test", "loop.test", "metadata.test", "own.test"] });
        let run = runner.run("ops/probe", &inputs);
        assert_eq!(run["result"], json!(["tcp rebound.test"]), "{run:#}");
        let there: Vec<_> = apart.there.take().iter().map(SocketAddr::ip).collect();
        assert_eq!((there, apart.here.take()), (vec![[203, 0, 113, 7].into()], vec![]));
    });
}

#[test]
fn the_runner_and_what_is_no_host_are_never_reached() {
    apart("egress_table::the_runner_and_what_is_no_host_are_never_reached", &OPEN, |apart| {
        let never = table(NEVER);
        let (special, own) = (&never["no single host"], &never["the runner"]);
        let stub = redirects();
        let grants = special
            .iter()
            .flat_map(|host| [format!("{host}:8088"), host.clone()])
            .chain(own.iter().map(|host| format!("{host}:8742")))
            .chain([stub.url()]);
        let mut road = road(&grants.collect::<Vec<_>>());
        let data = road.launch.data().display().to_string();
        let token = road.cli(&["token", "new", "--data", &data]).ends(0).stdout;
        for (name, address) in [("own.test", "10.99.0.1"), ("own6.test", "fd99::1")] {
            apart.names.set(name, vec![vec![address.to_owned()]]);
        }
        apart.names.set("both.test", vec![vec!["127.0.0.1".into(), "2001:db8:9::9".into()]]);
        for listen in ["[::]:8742", "0.0.0.0:8742"] {
            road.launch = road.launch.listen(listen);
            let runner = road.start();
            let client = Client::new("http://127.0.0.1:8742");
            let client = client.header("authorization", &format!("Bearer {}", token.trim()));
            let url = |host: &String, port: u16| format!("http://{host}:{port}/healthz");
            let special =
                special.iter().flat_map(|host| [url(host, 8088), url(host, 80)]).collect();
            let own: Vec<_> = own.iter().map(|host| url(host, 8742)).collect();
            let rows =
                [("no host", &special), ("own", &own), ("spelled", &never["the runner, spelled"])];
            for (group, urls) in rows {
                let group = format!("{group}, listening on {listen}");
                let said = quiet(apart, &group, 1, || ask(&client, urls));
                for (url, what) in urls.iter().zip(&said) {
                    assert!(
                        matches!(what.as_str(), "SB0506" | "SB0509"),
                        "{group}: {url} is {what}"
                    );
                }
                by_redirect(apart, &client, &stub, &group, urls);
            }
            drop(runner);
        }
    });
}
