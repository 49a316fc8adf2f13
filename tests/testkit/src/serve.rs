//! The real `signalbox serve`, with a home and a data folder of its own.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use tempfile::TempDir;

use crate::repo::{fail, hermetic};
use crate::{Client, PATIENCE};

/// What the runner says on stderr when it is ready; its address follows.
const READY: &str = "ready at ";

/// How a runner is started: again and again over the same data folder, which goes away with this.
#[derive(Debug)]
pub struct Launch {
    binary: PathBuf,
    repo: OsString,
    folder: TempDir,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    refused: Vec<libc::c_long>,
    listen: OsString,
}

impl Launch {
    /// A launch of a `signalbox` binary for a repository, given by its folder or URL.
    pub fn new(binary: impl Into<PathBuf>, repo: impl Into<OsString>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("home")).expect("a home folder");
        let (binary, repo) = (binary.into(), repo.into());
        Self {
            binary,
            repo,
            folder,
            args: Vec::new(),
            env: Vec::new(),
            refused: Vec::new(),
            listen: "127.0.0.1:0".into(),
        }
    }

    /// Adds an argument to `serve`.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds a variable to the environment, which has none of the test's.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Listens somewhere else than on a free port of the loopback interface.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        self.listen = address.into();
        self
    }

    /// Has the kernel refuse a system call to the runner and its cells, as a container may.
    #[must_use]
    pub fn without(mut self, call: libc::c_long) -> Self {
        self.refused.push(call);
        self
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The home folder, empty until the runner writes into it.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A command of the same binary in the same surroundings, for client commands.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        hermetic(&mut command, &self.home());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.folder.path());
        command
    }

    /// Starts the runner and waits until it is ready. Fails the test, with what the runner has
    /// said, when it ends before that or is not ready at [`PATIENCE`].
    #[track_caller]
    pub fn start(&self) -> Serve {
        let mut serve = self.spawn();
        let state = serve.wait_until("is ready", |state| state.url.is_some() || state.closed);
        let url = state.url.clone();
        let said = state.stderr.join("\n");
        drop(state);
        serve.url = url.unwrap_or_else(|| fail(&format!("the runner ended before ready:\n{said}")));
        serve
    }

    /// Starts the runner when it is to fail, and gives its end and what it said on stderr.
    #[track_caller]
    pub fn start_failing(&self) -> (ExitStatus, String) {
        let mut serve = self.spawn();
        let status = serve.wait();
        drop(serve.wait_until("closes stderr", |state| state.closed));
        (status, serve.stderr())
    }

    fn spawn(&self) -> Serve {
        let mut command = self.command();
        command.arg("serve").arg("--repo").arg(&self.repo);
        command.arg("--data").arg(self.data()).arg("--listen").arg(&self.listen);
        command.args(&self.args);
        if !self.refused.is_empty() {
            refuse(&mut command, &self.refused);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|e| fail(&format!("start {}: {e}", self.binary.display())));
        let pid = Pid::from_child(&child);
        let stderr = child.stderr.take().expect("a pipe");
        let shared = Arc::new(Shared::default());
        let (reading, waiting) = (Arc::clone(&shared), Arc::clone(&shared));
        thread::spawn(move || reading.read(stderr));
        thread::spawn(move || waiting.reap(child, pid));
        Serve { pid, shared, url: String::new() }
    }
}

/// Has the kernel refuse system calls to what a command starts, as a container may.
#[expect(unsafe_code, reason = "a filter is put on between fork and exec")]
pub fn refuse(command: &mut Command, calls: &[libc::c_long]) {
    use std::os::unix::process::CommandExt as _;
    let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
    let no = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let machine = std::env::consts::ARCH.try_into().expect("a machine with filters");
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, no, machine);
    let program: BpfProgram = filter.and_then(TryInto::try_into).expect("a filter of system calls");
    // SAFETY: the closure makes two system calls and touches no lock and no memory that is shared.
    unsafe {
        command
            .pre_exec(move || seccompiler::apply_filter(&program).map_err(|_| Errno::NOSYS.into()));
    }
}

/// A runner that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Serve {
    pid: Pid,
    shared: Arc<Shared>,
    url: String,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stderr: Vec<String>,
    url: Option<String>,
    /// Nothing more can come on stderr.
    closed: bool,
    exit: Option<ExitStatus>,
}

impl Serve {
    /// Starts a runner for the repository in a folder, over data that is new and goes away. To
    /// start again over the same data, or with more arguments, see [`Launch`].
    #[track_caller]
    pub fn start(binary: &Path, repo: &Path) -> (Launch, Self) {
        let launch = Launch::new(binary, repo);
        let serve = launch.start();
        (launch, serve)
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client for it.
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// What it has said on stderr until now.
    pub fn stderr(&self) -> String {
        self.shared.lock().stderr.join("\n")
    }

    /// Waits until a line on stderr holds a text, and gives the line.
    #[track_caller]
    pub fn wait_for_line(&self, text: &str) -> String {
        let find = |state: &State| state.stderr.iter().find(|line| line.contains(text)).cloned();
        let state = self.wait_until(text, |state| find(state).is_some() || state.closed);
        match find(&state) {
            Some(line) => line,
            None => fail(&format!("the runner ended without saying `{text}`")),
        }
    }

    /// Kills it as a power cut would, and waits for its end.
    #[track_caller]
    pub fn kill9(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Asks it to stop, as a service manager would, and waits for its end.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let state = self.wait_until("ends", |state| state.exit.is_some());
        state.exit.expect("waited for it")
    }

    fn signal(&self, signal: Signal) {
        let state = self.shared.lock();
        if state.exit.is_none() {
            // It is not reaped while this lock is held, so the id cannot be another process's.
            kill_process(self.pid, signal).expect("the child is ours");
        }
    }

    #[track_caller]
    fn wait_until(&self, what: &str, done: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let state = self.shared.lock();
        let (state, waited) = self
            .shared
            .changed
            .wait_timeout_while(state, PATIENCE, |state| !done(state))
            .expect("no panic in here");
        if waited.timed_out() {
            fail(&format!("waited for the runner until `{what}`:\n{}", state.stderr.join("\n")));
        }
        state
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, stderr: impl Read) {
        for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut state = self.lock();
            if let Some((_, url)) =
                line.split_once(READY).filter(|(_, url)| url.starts_with("http://"))
            {
                state.url =
                    url.split_whitespace().next().map(|url| url.trim_end_matches('/').to_owned());
            }
            state.stderr.push(line);
            drop(state);
            self.changed.notify_all();
        }
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for the child without reaping it, and reaps it under the lock.
    fn reap(&self, mut child: Child, pid: Pid) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while waitid(WaitId::Pid(pid), options).is_err_and(|error| error == Errno::INTR) {}
        let mut state = self.lock();
        state.exit = child.wait().ok();
        drop(state);
        self.changed.notify_all();
    }
}
