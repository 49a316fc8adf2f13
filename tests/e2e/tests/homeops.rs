//! The reference repository: every flow of it does what it says, against stand-ins that speak the
//! protocols of Docker, the trading API and Slack.

#![expect(clippy::unwrap_used, reason = "what the tests share may fail as it may")]

#[path = "homeops/alerts.rs"]
mod alerts;
#[path = "homeops/docker.rs"]
mod docker;
#[path = "homeops/domains.rs"]
mod domains;
#[path = "homeops/exchange.rs"]
mod exchange;
#[path = "homeops/home.rs"]
mod home;
#[path = "homeops/platform.rs"]
mod platform;
#[path = "homeops/trading.rs"]
mod trading;

/// What runs the flows.
const TESTS: [&str; 4] = [
    include_str!("homeops/alerts.rs"),
    include_str!("homeops/domains.rs"),
    include_str!("homeops/platform.rs"),
    include_str!("homeops/trading.rs"),
];

#[test]
fn every_flow_of_the_example_is_run_by_a_test_and_told_in_its_readme() {
    let readme = home::example("README.md");
    for flow in home::flows() {
        let (workspace, name) = flow.split_once('/').unwrap();
        // The domains' names are put together from a constant.
        let quoted = [format!("\"{flow}\""), format!("/{name}\"")];
        let run = TESTS.iter().any(|test| quoted.iter().any(|name| test.contains(name)));
        assert!(run, "no test runs {flow}");
        let line = readme.lines().any(|line| line.starts_with(&format!("| `{name}` |")));
        assert!(line, "the README has no line for `{name}` of {workspace}");
    }
}
