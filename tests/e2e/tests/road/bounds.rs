//! The bounds of DESIGN §6.7: just below is taken, just above is refused with an error that names
//! the bound.

use serde_json::{Value, json};
use signalbox_e2e::{Road, Runner, Scene, column};
use signalbox_testkit::{HttpStub, Response};

const MIB: usize = 1 << 20;
/// What an encoded value has beside its text, and a little more.
const ROOM: usize = 32;

/// A flow, how much of it is taken, how much is not, and what its error says.
struct Case {
    flow: &'static str,
    body: &'static str,
    taken: usize,
    refused: usize,
    code: &'static str,
    says: &'static [&'static str],
}

const CASES: [Case; 9] = [
    Case {
        flow: "result",
        body: "text::repeat(\"x\", inputs.n)",
        taken: MIB - ROOM,
        refused: MIB + 1,
        code: "SB0503",
        says: &["1048576"],
    },
    Case {
        flow: "state",
        body: "state::set(\"n\", text::repeat(\"x\", inputs.n)); 0",
        taken: MIB - ROOM,
        refused: MIB + 1,
        code: "SB0503",
        says: &["1048576"],
    },
    Case {
        flow: "depth",
        body: "let a = 1; for i in 0..inputs.n { a = [a]; } a",
        taken: 63,
        refused: 65,
        code: "SB0511",
        says: &["64"],
    },
    Case {
        flow: "effects",
        body: "for i in 0..inputs.n { now(); }",
        taken: 9_990,
        refused: 10_001,
        code: "SB0503",
        says: &["10000", "continue_as"],
    },
    Case {
        flow: "journal",
        body: "state::set(\"big\", text::repeat(\"x\", 1000000)); for i in 0..inputs.n { state::get(\"big\"); }",
        taken: 60,
        refused: 70,
        code: "SB0503",
        says: &["64 MiB", "continue_as"],
    },
    Case {
        flow: "calls",
        body: "down(inputs.n)",
        taken: 60,
        refused: 70,
        code: "SB0503",
        says: &["64"],
    },
    Case {
        flow: "text",
        body: "let s = text::repeat(\"x\", 4194304 - 8); for i in 0..inputs.n { s += \"y\"; } s.len()",
        taken: 8,
        refused: 9,
        code: "SB0503",
        says: &["4 MiB"],
    },
    Case {
        flow: "array",
        body: "let a = []; a.pad(999999, 0); for i in 1..inputs.n { a += [0]; } a.len()",
        taken: 2,
        refused: 3,
        code: "SB0503",
        says: &["1,000,000"],
    },
    Case {
        flow: "map",
        body: "let m = #{}; for i in 0..inputs.n { m[`k${i}`] = i; } m += #{}; m.len()",
        taken: 100_000,
        refused: 100_001,
        code: "SB0503",
        says: &["100,000"],
    },
];

fn road() -> Road {
    let scene = Scene::platform();
    let scene = CASES.iter().fold(scene, |scene, case| {
        let helper = "fn down(n) { if n > 1 { down(n - 1) } else { 1 } }\n";
        let script = format!("{helper}fn main(inputs) {{\n{}\n}}\n", case.body);
        scene.file(&format!("ops/flows/{}.rhai", case.flow), script)
    });
    scene.road()
}

fn run(runner: &Runner<'_>, flow: &str, n: usize) -> Value {
    runner.run(&format!("ops/{flow}"), &json!({ "n": n }))
}

#[track_caller]
fn refused(run: &Value, code: &str, says: &[&str]) {
    let message = run["error"]["message"].as_str().unwrap_or_default();
    assert_eq!(
        (&run["state"], &run["error"]["code"]),
        (&json!("failed"), &json!(code)),
        "{message}"
    );
    for text in says {
        assert!(message.contains(text), "`{text}` is not in: {message}");
    }
}

#[test]
fn each_bound_of_a_run_takes_what_is_below_and_names_itself_above() {
    let road = road();
    let runner = road.start();
    for case in &CASES {
        let below = run(&runner, case.flow, case.taken);
        assert_eq!(below["state"], "succeeded", "{}: {}", case.flow, below["error"]);
        refused(&run(&runner, case.flow, case.refused), case.code, case.says);
    }
}

#[test]
fn inputs_are_taken_up_to_their_bound() {
    let road = Scene::platform().script("ops/flows/take.rhai", "inputs.text.len()").road();
    let runner = road.start();
    let start = |length: usize| {
        let body = json!({ "inputs": { "text": "x".repeat(length) } });
        runner.post("/workspaces/ops/flows/take/runs?wait=50", &body)
    };
    assert_eq!(start(MIB - ROOM).expect(200)["result"], MIB - ROOM);
    let above = start(MIB + 1);
    assert_eq!((above.status, &above.json()["code"]), (413, &json!("SB0606")), "{}", above.text);
    assert!(above.json()["detail"].as_str().unwrap().contains("1 MiB"), "{}", above.text);
}

#[test]
fn an_answer_is_taken_up_to_its_bound() {
    let stub = HttpStub::start(|request| {
        let length = request.path.trim_start_matches('/').parse().unwrap();
        Response::text(200, &"x".repeat(length))
    });
    let ask = format!("http::get(`{}/${{inputs.n}}`).text().len()", stub.url());
    let grant = format!("network: [\"{}\"]", stub.url());
    let road = Scene::new(&[("ops", "platform", &grant)]).script("ops/flows/ask.rhai", &ask).road();
    let runner = road.start();
    let below = 4 * MIB - 4096;
    assert_eq!(run(&runner, "ask", below)["result"], below);
    refused(&run(&runner, "ask", 4 * MIB + 1), "SB0503", &["4 MiB"]);
}

#[test]
fn a_request_is_taken_up_to_its_bound() {
    let stub = HttpStub::start(|request| Response::text(200, &request.body.len().to_string()));
    let ask = format!("http::post(\"{}/\", text::repeat(\"x\", inputs.n)).text()", stub.url());
    let grant = format!("network: [\"{}\"]", stub.url());
    let road = Scene::new(&[("ops", "platform", &grant)]).script("ops/flows/ask.rhai", &ask).road();
    let runner = road.start();
    let below = 4 * MIB - 4096;
    assert_eq!(run(&runner, "ask", below)["result"], below.to_string());
    refused(&run(&runner, "ask", 4 * MIB), "SB0503", &["4 MiB"]);
}

/// No frame has more than 8 MiB: what a run records and what it is given goes in parts. A frame of
/// that size, and of a byte more, is what `signalbox-taken` sends.
#[test]
fn what_is_larger_than_a_frame_goes_in_parts_either_way() {
    let stub = HttpStub::start(|_| Response::text(200, &"x".repeat(4 * MIB - 4096)));
    let steps = "let s = text::repeat(\"x\", 1048000);\nfor i in 0..12 { step(`s${i}`, || s); }\n";
    let answers = format!("for i in 0..3 {{ http::get(\"{}/\").text(); }}\n", stub.url());
    // Asleep it is let go; when it goes on, all that it did before is given to a cell again.
    let script = format!("{steps}{answers}sleep(\"200ms\");\nnow(); inputs.n");
    let limits = "limits: { memory: 512MiB }";
    let grants = format!("network: [\"{}\"], {limits}", stub.url());
    // The largest flow: a byte of the file is three of the plan that a cell is given.
    let text = "\\a".repeat((MIB - 64) / 2);
    let flow = format!("run: '1'\noutput: {{ text: \"{text}\" }}\n");
    let road = Scene::new(&[("ops", "platform", &grants)])
        .script("ops/flows/parts.rhai", &script)
        .file("ops/flows/large.yaml", flow)
        .road();
    let runner = road.start();
    let parts = run(&runner, "parts", 7);
    assert_eq!(parts["result"], 7, "{}", parts["error"]);
    let id = parts["id"].as_str().unwrap();
    let kinds = column(&runner.list(&format!("/runs/{id}/journal")), "kind");
    assert_eq!(kinds.iter().filter(|kind| *kind == "step").count(), 12);
    assert_eq!(kinds.iter().filter(|kind| *kind == "http").count(), 3);
    let large = run(&runner, "large", 0);
    assert_eq!(large["result"]["text"].as_str().unwrap().len(), (MIB - 64) / 2);
}

#[test]
fn operations_and_memory_are_as_granted() {
    let limits = "limits: { operations: 100000, memory: 64MiB }";
    let road = Scene::new(&[("ops", "platform", limits)])
        .script("ops/flows/count.rhai", "for i in 0..inputs.n { } 0")
        .script(
            "ops/flows/grow.rhai",
            // Keys of a map are what Rhai counts nowhere.
            "let s = text::repeat(\"x\", 1000000); let m = #{}; for i in 0..inputs.n { m[`${i}` + s] = i; } m.len()",
        )
        .road();
    let runner = road.start();
    assert_eq!(run(&runner, "count", 1_000)["state"], "succeeded");
    refused(&run(&runner, "count", 1_000_000), "SB0503", &["100000", "limits.operations"]);
    assert_eq!(run(&runner, "grow", 4)["state"], "succeeded");
    // What a text costs in operations is not to come first.
    let more = "limits: { memory: 64MiB }";
    road.push("signalbox.yaml", &signalbox_e2e::root(&[("ops", "platform", more)]));
    runner.sync();
    refused(&run(&runner, "grow", 500), "SB0503", &["64 MiB", "limits.memory"]);
}

/// What `validate` says of the repository's files: nothing, or the code of the first fault.
fn fault(road: &Road) -> Option<String> {
    let (code, document) = road.validate();
    let first = document["diagnostics"][0].clone();
    assert_eq!(code == 0, first.is_null(), "{document:#}");
    first["code"].as_str().map(str::to_owned)
}

#[test]
fn a_file_is_taken_up_to_its_bound() {
    let road = Scene::platform().road();
    let line = format!("{}\n", "x".repeat(99));
    let filled = |head: &str, comment: &str, length: usize| {
        let mut text = head.to_owned();
        while text.len() + 200 < length {
            text += comment;
            text += &line;
        }
        let left = length - text.len() - comment.len();
        format!("{text}{comment}{}", "x".repeat(left))
    };
    for (path, head, comment, bound, code) in [
        ("ops/flows/large.rhai", "fn main(inputs) { 1 }\n", "// ", 256 << 10, "SB0207"),
        ("ops/flows/large.yaml", "run: '1'\n", "# ", MIB, "SB0403"),
        ("ops/workspace.yaml", "description: x\n", "# ", MIB, "SB0403"),
    ] {
        road.repo.write(path, filled(head, comment, bound));
        assert_eq!(fault(&road), None, "{path}");
        road.repo.write(path, filled(head, comment, bound + 1));
        assert_eq!(fault(&road).as_deref(), Some(code), "{path}");
        road.repo.remove(path);
    }
}

#[test]
fn a_folder_is_taken_up_to_its_bound() {
    let road = Scene::platform().road();
    for n in 0..31 {
        road.repo.write(&format!("ops/data/{n}.txt"), "x".repeat(MIB));
    }
    assert_eq!(fault(&road), None);
    road.repo.write("ops/data/31.txt", "x".repeat(MIB));
    assert_eq!(fault(&road).as_deref(), Some("SB0403"));
    road.repo.remove("ops/data");
}
