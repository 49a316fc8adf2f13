//! What can be written next on a command line, for shells that ask: options from the command line's
//! own description, and names and ids from the runner, which is asked while somebody types. One that
//! does not answer at once gives nothing.

use std::ffi::OsStr;
use std::time::Duration;

use clap::{Arg, Command, Parser as _};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{CompleteEnv, EnvCompleter, Shells};
use serde_json::Value;

use crate::client::{Client, Connect, block_on};
use crate::fields::text;

/// The variable by which a shell asks.
const VARIABLE: &str = "SIGNALBOX_COMPLETE";
/// The program as shells know it.
const PROGRAM: &str = "signalbox";
/// How long the runner may take: nobody waits for a completion.
const PATIENCE: Duration = Duration::from_millis(300);
/// Most names that are offered.
const NAMES: usize = 1_000;
/// Most runs and deployments that are offered, the newest ones.
const NEWEST: usize = 50;

/// What a shell is told so that it asks.
///
/// # Errors
/// When there is no such shell.
pub(crate) fn registration(shell: &str) -> std::io::Result<String> {
    let shells = Shells::builtins();
    let shell: &dyn EnvCompleter =
        shells.completer(shell).ok_or_else(|| std::io::Error::other("no such shell"))?;
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// Answers a shell that asks; `false` when none does.
///
/// # Errors
/// When the shell is not known, or its question cannot be read.
pub(crate) fn answer(program: impl Fn() -> Command) -> Result<bool, clap::Error> {
    CompleteEnv::with_factory(|| with_names(program(), &[]))
        .var(VARIABLE)
        .bin(PROGRAM)
        .completer(PROGRAM)
        .try_complete(std::env::args_os(), std::env::current_dir().ok().as_deref())
}

/// The command line with what knows the names in the places of its arguments.
fn with_names(command: Command, path: &[&str]) -> Command {
    let command = command.mut_args(|argument| match names(&argument, path) {
        Some(names) => argument.add(ArgValueCompleter::new(move |word: &OsStr| {
            word.to_str().map(|word| names(&Line::of_process(), word)).unwrap_or_default()
        })),
        None => argument,
    });
    command.mut_subcommands(|inner| {
        let name = inner.get_name().to_owned();
        with_names(inner, &[path, &[&name]].concat())
    })
}

type Names = fn(&Line, &str) -> Vec<CompletionCandidate>;

/// What an argument's value is, by the name that its help gives it.
fn names(argument: &Arg, path: &[&str]) -> Option<Names> {
    let value = argument.get_value_names()?.first()?;
    match value.as_str() {
        "WS" | "WORKSPACE" => Some(workspaces),
        "WORKSPACE/FLOW" | "FLOW" => Some(flows),
        "RUN" if path == ["cancel"] => Some(runs_under_way),
        "RUN" if path == ["dismiss"] => Some(dead_runs),
        "RUN" => Some(runs),
        "SCHEDULE" => Some(schedules),
        "DEPLOYMENT" => Some(deployments),
        "NAME" if path.first() == Some(&"secret") => Some(secrets),
        _ => None,
    }
}

fn workspaces(line: &Line, word: &str) -> Vec<CompletionCandidate> {
    let all = line.ask("/workspaces", &[], NAMES);
    offered(&all, word, |one| (text(one, "/name").to_owned(), text(one, "/description")))
}

/// Like a path: first the workspace, then what is in it.
fn flows(line: &Line, word: &str) -> Vec<CompletionCandidate> {
    let Some((workspace, _)) = word.split_once('/') else {
        let all = line.ask("/workspaces", &[], NAMES);
        return offered(&all, word, |one| {
            (format!("{}/", text(one, "/name")), text(one, "/description"))
        });
    };
    let all = line.ask(&format!("/workspaces/{workspace}/flows"), &[], NAMES);
    offered(&all, word, |one| {
        (format!("{workspace}/{}", text(one, "/name")), text(one, "/summary"))
    })
}

fn runs(line: &Line, word: &str) -> Vec<CompletionCandidate> {
    listed_runs(line, word, &[], |_| true)
}

fn dead_runs(line: &Line, word: &str) -> Vec<CompletionCandidate> {
    listed_runs(line, word, &[("dead", Some("true".to_owned()))], |_| true)
}

fn runs_under_way(line: &Line, word: &str) -> Vec<CompletionCandidate> {
    let under_way = |run: &Value| text(run, "/ended_at").is_empty();
    listed_runs(line, word, &[], under_way)
}

fn listed_runs(
    line: &Line,
    word: &str,
    filter: &[(&str, Option<String>)],
    wanted: impl Fn(&Value) -> bool,
) -> Vec<CompletionCandidate> {
    let mut all = line.ask("/runs", filter, NEWEST);
    all.retain(wanted);
    let described = all.iter().map(|run| {
        let [workspace, flow, state] = ["/workspace", "/flow", "/state"].map(|at| text(run, at));
        (text(run, "/id"), format!("{workspace}/{flow} {state}"))
    });
    let wanted = described.filter(|(id, _)| id.starts_with(word));
    wanted.map(|(id, help)| CompletionCandidate::new(id).help(Some(help.into()))).collect()
}

/// Those of the flow that stands on the line.
fn schedules(line: &Line, word: &str) -> Vec<CompletionCandidate> {
    let mut all = line.ask("/schedules", &[], NAMES);
    all.retain(|one| line.has(&format!("{}/{}", text(one, "/workspace"), text(one, "/flow"))));
    offered(&all, word, |one| (text(one, "/id").to_owned(), text(one, "/description")))
}

fn deployments(line: &Line, word: &str) -> Vec<CompletionCandidate> {
    let Some(workspace) = line.workspace() else { return Vec::new() };
    let all = line.ask(&format!("/workspaces/{workspace}/deployments"), &[], NEWEST);
    offered(&all, word, |one| (text(one, "/deployment").to_owned(), text(one, "/outcome")))
}

fn secrets(line: &Line, word: &str) -> Vec<CompletionCandidate> {
    let Some(workspace) = line.workspace() else { return Vec::new() };
    let all = line.ask(&format!("/workspaces/{workspace}/secrets"), &[], NAMES);
    offered(&all, word, |one| (text(one, "/name").to_owned(), ""))
}

/// Those that begin with what is written, each with a line about it.
fn offered<'a>(
    all: &'a [Value],
    word: &str,
    of: impl Fn(&'a Value) -> (String, &'a str),
) -> Vec<CompletionCandidate> {
    let wanted = all.iter().map(of).filter(|(name, _)| !name.is_empty() && name.starts_with(word));
    let candidate = |(name, about): (String, &str)| {
        let help = (!about.is_empty()).then(|| about.to_owned().into());
        CompletionCandidate::new(name).help(help)
    };
    wanted.map(candidate).collect()
}

/// The command line that is being written.
#[derive(Debug)]
struct Line(Vec<String>);

/// Which runner is meant, by the line or by the environment.
#[derive(Debug, clap::Parser)]
struct Server {
    #[command(flatten)]
    connect: Connect,
}

impl Line {
    /// A shell gives it behind `--`.
    fn of_process() -> Self {
        let words = std::env::args_os().skip_while(|word| word != "--").skip(1);
        Self(words.map(|word| word.to_string_lossy().into_owned()).collect())
    }

    fn has(&self, wanted: &str) -> bool {
        self.0.iter().any(|word| word == wanted)
    }

    /// The value of an option, behind it or behind `=`.
    fn option(&self, names: &[&str]) -> Option<&str> {
        let mut words = self.0.iter();
        while let Some(word) = words.next() {
            match word.split_once('=') {
                Some((name, value)) if names.contains(&name) => return Some(value),
                _ if names.contains(&word.as_str()) => return words.next().map(String::as_str),
                _ => {}
            }
        }
        None
    }

    fn workspace(&self) -> Option<String> {
        let given = self.option(&["--workspace", "-w"]).map(str::to_owned);
        given.or_else(|| std::env::var("SIGNALBOX_WORKSPACE").ok())
    }

    fn connect(&self) -> Option<Connect> {
        let mut words = vec![PROGRAM.to_owned()];
        for name in ["--server", "--token-file"] {
            words.extend(self.option(&[name]).map(|value| format!("{name}={value}")));
        }
        Some(Server::try_parse_from(words).ok()?.connect)
    }

    /// A list of the runner; empty when it does not answer in time, or not with one.
    fn ask(&self, path: &str, filter: &[(&str, Option<String>)], limit: usize) -> Vec<Value> {
        let Some(client) = self.connect().and_then(|connect| Client::open(&connect).ok()) else {
            return Vec::new();
        };
        let asked = block_on(async {
            let list = client.list(path, filter, limit);
            Ok(tokio::time::timeout(PATIENCE, list).await)
        });
        match asked {
            Ok(Ok(Ok(list))) => list,
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line(text.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn options_are_found_in_every_spelling() {
        for text in ["signalbox runs -w media", "signalbox runs --workspace media -n 3"] {
            assert_eq!(line(text).workspace().as_deref(), Some("media"), "{text}");
        }
        let joined = line("signalbox status --server=http://127.0.0.1:9");
        assert_eq!(joined.option(&["--server"]), Some("http://127.0.0.1:9"));
        assert_eq!(joined.connect().unwrap().server, "http://127.0.0.1:9");
        assert_eq!(line("signalbox status --server").option(&["--server"]), None);
    }

    #[test]
    fn a_runner_that_is_not_there_gives_nothing() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let line = line(&format!("signalbox run --server http://127.0.0.1:{port}"));
        assert!(workspaces(&line, "").is_empty());
        assert!(Line(vec!["--server=::".to_owned()]).ask("/workspaces", &[], 1).is_empty());
    }

    #[test]
    fn every_shell_is_told_how_to_ask() {
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            let script = registration(shell).unwrap();
            assert!(script.contains(VARIABLE) && script.contains(PROGRAM), "{shell}: {script}");
        }
        assert!(registration("tcsh").is_err());
    }
}
