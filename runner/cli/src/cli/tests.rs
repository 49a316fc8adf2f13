//! What newcomers read, and what scripts rely on.

use clap::{Command, CommandFactory as _, Parser as _};

use super::args::Cli;

/// Every command with the words that lead to it, the root first.
fn commands() -> Vec<(String, Command)> {
    fn walk(path: &str, command: &Command, all: &mut Vec<(String, Command)>) {
        all.push((path.to_owned(), command.clone()));
        for child in command.get_subcommands() {
            if child.get_name() != "help" {
                walk(&format!("{path} {}", child.get_name()), child, all);
            }
        }
    }
    let mut root = Cli::command();
    root.build();
    let mut all = Vec::new();
    walk("signalbox", &root, &mut all);
    all
}

#[test]
fn the_help_of_every_command() {
    let mut text = String::new();
    for (path, command) in commands() {
        let help = command.color(clap::ColorChoice::Never).term_width(100).render_long_help();
        text = format!("{text}$ {path} --help\n{help}\n");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn every_command_says_what_it_does_and_every_option_too() {
    for (path, command) in commands() {
        assert!(command.get_about().is_some(), "{path} has no help");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{path}: {} has no help", argument.get_id());
        }
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

/// What prints no data, or is itself a server.
const WITHOUT_JSON: [&str; 3] = ["demo", "serve", "completion"];

#[test]
fn every_command_that_prints_data_can_print_json() {
    fn leaves(command: &Command, path: &str, found: &mut Vec<String>) {
        if command.has_subcommands() {
            for inner in command.get_subcommands() {
                leaves(inner, &format!("{path} {}", inner.get_name()), found);
            }
        } else if command.get_arguments().all(|argument| argument.get_id() != "json") {
            found.push(path.trim().to_owned());
        }
    }
    let mut found = Vec::new();
    leaves(&Cli::command(), "", &mut found);
    found.retain(|path| !WITHOUT_JSON.contains(&path.as_str()));
    assert_eq!(found, Vec::<String>::new());
}

/// Names of values that are no name of something live.
const NOT_LIVE: [&str; 28] = [
    "ADDR",
    "BRANCH",
    "CODE",
    "COMMAND",
    "DECISION",
    "DIR",
    "EXPR",
    "FILE",
    "FORMAT",
    "JSON",
    "KEY",
    "LEVEL",
    "MOMENT",
    "N",
    "NAME",
    "NAME=VALUE",
    "PATH",
    "PATH_OR_URL",
    "REV",
    "SECONDS",
    "SHELL",
    "STATE",
    "STEP",
    "SUBDIR",
    "TIME",
    "URL",
    "WHEN",
    "ZONE",
];

#[test]
fn every_value_is_completed_from_what_is_live_or_is_known_to_be_something_else() {
    let live = ["WS", "WORKSPACE", "WORKSPACE/FLOW", "FLOW", "RUN", "SCHEDULE", "DEPLOYMENT"];
    for (path, command) in commands() {
        for argument in command.get_arguments().filter(|one| one.get_action().takes_values()) {
            let name = argument.get_value_names().map(|names| names[0].to_string());
            let name = name.unwrap_or_default();
            let known = live.contains(&&*name) || NOT_LIVE.contains(&&*name);
            assert!(known, "{path}: is {name} the name of something live? then complete it");
        }
    }
}

fn exit_code(line: &str) -> i32 {
    match Cli::try_parse_from(line.split_whitespace()) {
        Ok(_) => 0,
        Err(error) => error.exit_code(),
    }
}

#[test]
fn the_lines_of_the_contract_are_taken() {
    for line in [
        "signalbox validate",
        "signalbox validate repo --rev main --json",
        "signalbox serve --repo . --branch main --root sub --manifest m.yaml --data d",
        "signalbox serve --repo file:///srv/a --listen 127.0.0.1:0 --poll 500ms --log-format json",
        "signalbox sync",
        "signalbox sync media tracker --wait --json",
        "signalbox sync --wait=30",
        "signalbox rollback -w media --to d12",
        "signalbox unpin -w media",
        "signalbox run media/monitoring/scan --input n=3 --input text=a --wait --json",
        "signalbox run media/scan --inputs {} --wait=5 --idempotency-key k",
        "signalbox runs -w media -f scan --state failed -n 5 --json",
        "signalbox show 019a3b1c-0000-7000-8000-000000000001 --json",
        "signalbox logs 019a3b1c-0000-7000-8000-000000000001 -f",
        "signalbox cancel 019a3b1c-0000-7000-8000-000000000001",
        "signalbox rerun 019a3b1c-0000-7000-8000-000000000001 --newest",
        "signalbox demo --once",
        "signalbox status --json",
        "signalbox workspace list",
        "signalbox flow list -w media",
        "signalbox flow show media/monitoring/scan",
        "signalbox schedule next -n 3",
        "signalbox schedule explain 0_7_*_*_1-5 --timezone Europe/Berlin",
        "signalbox webhook list -w media --json",
        "signalbox calls -w media --decision refused --json",
        "signalbox deployments -w media",
        "signalbox secret set KEY -w media",
        "signalbox health media --json",
        "signalbox queue -w media -n 5 --json",
        "signalbox secret list -w media",
        "signalbox secret delete KEY -w media",
        "signalbox token new --data d",
        "signalbox backup --data d --to f",
        "signalbox doctor --json --data d",
        "signalbox explain SB0103",
        "signalbox explain sb0103",
        "signalbox completion bash",
        "signalbox --color never status --server http://127.0.0.1:1 --token-file t",
        "signalbox --help",
        "signalbox --version",
    ] {
        assert_eq!(exit_code(line), 0, "{line}");
    }
}

#[test]
fn what_cannot_be_meant_is_a_usage_error() {
    for line in [
        "signalbox frobnicate",
        "signalbox serve",
        "signalbox serve --repo . --listen nowhere",
        "signalbox serve --repo . --poll 1ms",
        "signalbox serve --repo . --store postgres://a",
        "signalbox sync --wait 30s",
        "signalbox sync Not_A_Workspace",
        "signalbox run scan",
        "signalbox run media/../../etc",
        "signalbox run media/scan --input alone",
        "signalbox runs --state broken",
        "signalbox runs --since yesterday",
        "signalbox show not-a-run",
        "signalbox show ../workspaces",
        "signalbox rerun --from step",
        "signalbox rollback -w media --to latest",
        "signalbox secret set lower-case -w media",
        "signalbox secret set KEY value -w media",
        "signalbox schedule next -n 0",
        "signalbox backup --data d",
        "signalbox explain SB9999",
        "signalbox status --color sometimes",
    ] {
        assert_eq!(exit_code(line), 2, "{line}");
    }
}
