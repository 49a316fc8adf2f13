//! Promise 5 and 8, the wire: a script decides what it asks, never how the request is framed or for
//! which host it is.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use serde_json::json;
use signalbox_e2e::{PATIENCE, Scene, column};
use signalbox_testkit::{HttpStub, Response};

fn stub() -> HttpStub {
    HttpStub::start(|request| Response::text(200, &request.path))
}

/// Posts a body with headers of the script's choice; the runner may refuse that.
fn post(stub: &HttpStub, headers: &str) -> Scene {
    let body = "hello\\r\\n\\r\\nGET /smuggled HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n";
    let script = format!(
        "http::post(\"{}/meant\", \"{body}\", #{{ headers: {headers} }}).text()",
        stub.url()
    );
    let grants = format!("network: [\"{}\"]", stub.url());
    Scene::pair(&grants, &grants)
        .script("ops/flows/post.rhai", &script)
        .script("shop/flows/get.rhai", &format!("http::get(\"{}/own\").text()", stub.url()))
}

#[test]
fn no_header_makes_one_request_into_two() {
    for headers in [
        "#{ \"content-length\": \"5\" }",
        "#{ \"Content-Length\": 0 }",
        "#{ \"transfer-encoding\": \"chunked\" }",
        "#{ \"transfer-encoding\": \"identity\", \"content-length\": \"5\" }",
        "#{ \"x\": \"a\\r\\ncontent-length: 5\" }",
        "#{ \"connection\": \"keep-alive, content-length\" }",
    ] {
        let stub = stub();
        let road = post(&stub, headers).road();
        let runner = road.start();
        for _ in 0..3 {
            runner.run("ops/post", &json!({}));
            // Another workspace's answer is the answer to its own request.
            assert_eq!(runner.result("shop/get"), "/own", "{headers}");
        }
        let smuggled = stub.requests().iter().any(|request| request.path == "/smuggled");
        assert!(!smuggled, "{headers} smuggled a request");
    }
}

#[test]
fn a_granted_place_is_not_asked_for_another_host() {
    let stub = stub();
    let road = post(&stub, "#{ host: \"not-granted.example\" }").road();
    let runner = road.start();
    runner.run("ops/post", &json!({}));
    let hosts: Vec<_> = stub
        .requests()
        .iter()
        .map(|request| request.header("host").unwrap_or_default().to_owned())
        .collect();
    assert!(hosts.iter().all(|host| !host.contains("not-granted")), "{hosts:?}");
    assert_eq!(column(&runner.list("/runs"), "flow"), ["post"]);
}

/// A server that answers as soon as it has read a head, whatever body the head promises; gives its
/// address and the heads.
fn hasty() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, heads) = channel();
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            thread::spawn(move || answer_heads(&connection, &sender));
        }
    });
    (url, heads)
}

/// Answers each head on a connection until it closes.
fn answer_heads(mut connection: &TcpStream, heads: &Sender<String>) {
    let mut head = String::new();
    for line in BufReader::new(connection).lines().map_while(Result::ok) {
        if !line.is_empty() {
            head.push_str(&line.to_lowercase());
            head.push('\n');
        } else if !head.is_empty() {
            drop(heads.send(std::mem::take(&mut head)));
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            drop(connection.write_all(answer.as_bytes()));
        }
    }
}

#[test]
fn a_request_does_not_promise_a_body_that_is_the_next_request() {
    for header in ["\"content-length\": \"40\"", "\"transfer-encoding\": \"chunked\""] {
        let (url, heads) = hasty();
        let grants = format!("network: [\"{url}\"]");
        let road = Scene::pair(&grants, &grants)
            .script(
                "ops/flows/get.rhai",
                &format!("http::get(\"{url}/\", #{{ headers: #{{ {header} }} }}).status"),
            )
            .script("shop/flows/get.rhai", &format!("http::get(\"{url}/own\").status"))
            .road();
        let runner = road.start();
        runner.run("ops/get", &json!({}));
        assert_eq!(runner.result("shop/get"), 200);
        loop {
            let head = heads.recv_timeout(PATIENCE).unwrap();
            let framed = head.contains("content-length: 40") || head.contains("transfer-encoding");
            assert!(!framed, "a request without a body promises one:\n{head}");
            if head.starts_with("get /own ") {
                break;
            }
        }
    }
}
