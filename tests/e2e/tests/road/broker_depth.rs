//! Promise 7: chains of calls have an end.

use serde_json::json;
use signalbox_e2e::{Road, Scene};

/// `ops/f0` calls `shop/f1`, which calls `ops/f2`, and so on; all of it declared and accepted.
fn chain(length: usize) -> Road {
    let (platform, domain): (Vec<_>, Vec<_>) = (0..length).partition(|number| number % 2 == 0);
    let exports: String = platform
        .iter()
        .skip(1)
        .map(|number| format!("  go.f{number}: {{ flow: f{number}, callers: [domains] }}\n"))
        .collect();
    let names = |numbers: &[usize], prefix: &str| {
        numbers.iter().map(|number| format!("{prefix}{number}")).collect::<Vec<_>>().join(", ")
    };
    let mut scene = Scene::pair("", "")
        .file(
            "ops/workspace.yaml",
            format!("exports:\n{exports}may_start: {{ shop: [{}] }}\n", names(&domain, "f")),
        )
        .file(
            "shop/workspace.yaml",
            format!(
                "accepts: [{}]\nuses: [{}]\n",
                names(&domain, "f"),
                names(&platform[1..], "go.f")
            ),
        );
    for number in 0..length {
        let (workspace, next) = if number % 2 == 0 {
            ("ops", format!("shop/f{}", number + 1))
        } else {
            ("shop", format!("go.f{}", number + 1))
        };
        let body = if number + 1 == length {
            "`the end`".to_owned()
        } else {
            format!("broker::request(\"{next}\", #{{}})")
        };
        scene = scene.script(&format!("{workspace}/flows/f{number}.rhai"), &body);
    }
    scene.road()
}

#[test]
fn a_chain_of_calls_within_the_bound_gives_its_result() {
    let road = chain(6);
    let runner = road.start();
    let run = runner.run("ops/f0", &json!({}));
    assert_eq!(run["result"], "the end", "{run:#}");
    assert_eq!(runner.list("/calls").len(), 5);
}

#[test]
fn a_chain_of_calls_beyond_the_bound_is_refused_on_record() {
    let road = chain(12);
    let runner = road.start();
    assert_eq!(runner.get("/workspaces/ops")["state"], "live");
    let run = runner.run("ops/f0", &json!({}));
    assert_eq!(run["state"], "failed", "{run:#}");
    let refused = runner.list("/calls?decision=refused");
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["rule"], "depth");
    // Eight flows in the chain, the first caller included.
    assert_eq!(runner.list("/calls?decision=allowed").len(), 7);
    assert_eq!(runner.list("/runs").len(), 8);
}
