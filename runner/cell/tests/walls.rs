//! What code that is no script could do in a cell: nothing. This binary is a cell's process whose
//! interpreter was taken over, when its first argument is `__taken`; it then tries what its second
//! one says and leaves with what came of it.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test without a harness, which clippy does not know for one"
)]

use std::fs;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::OnceLock;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use signalbox_cell::Options;
use signalbox_core::isolation::Level;

const MEMORY: u64 = 64 << 20;
/// The exit code of an attempt that the kernel let through.
const DONE: i32 = 100;

/// An attempt: what it does, and what becomes of who tries.
struct Attempt {
    name: &'static str,
    end: End,
    act: fn() -> io::Result<()>,
}

/// What becomes of an attempt.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The kernel says no, with this error.
    Refused(i32),
    /// The kernel ends the process.
    Killed,
}

const EPERM: End = End::Refused(libc::EPERM);

/// A process of the same user, for attempts on one.
static NEIGHBOUR: OnceLock<usize> = OnceLock::new();

/// A system call with these arguments; negative answers are errors.
#[expect(unsafe_code, reason = "only a raw call gets past the library's own checks")]
fn call(number: libc::c_long, arguments: [usize; 4]) -> io::Result<()> {
    let [a, b, c, d] = arguments;
    // SAFETY: none of the calls made here reads or writes memory when its pointers are null.
    match unsafe { libc::syscall(number, a, b, c, d) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "what the kernel must refuse, whatever is done here")]
const ATTEMPTS: &[Attempt] = &[
    Attempt { name: "read a file", end: EPERM, act: || fs::read("/etc/passwd").map(drop) },
    Attempt { name: "write a file", end: EPERM, act: || fs::write("/tmp/left", "x") },
    Attempt { name: "list a directory", end: EPERM, act: || fs::read_dir("/").map(drop) },
    Attempt {
        name: "read its own memory map",
        end: EPERM,
        act: || fs::read("/proc/self/maps").map(drop),
    },
    Attempt { name: "make a directory", end: EPERM, act: || fs::create_dir("/left") },
    Attempt {
        name: "connect to a port",
        end: End::Killed,
        act: || std::net::TcpStream::connect("127.0.0.1:1").map(drop),
    },
    Attempt { name: "make sockets", end: End::Killed, act: || UnixStream::pair().map(drop) },
    Attempt {
        name: "pass a descriptor",
        end: End::Killed,
        act: || call(libc::SYS_sendmsg, [0, 0, 0, 0]),
    },
    Attempt {
        name: "take a descriptor",
        end: End::Killed,
        act: || call(libc::SYS_recvmsg, [0, 0, 0, 0]),
    },
    Attempt {
        name: "start a program",
        end: EPERM,
        act: || Command::new("/bin/true").status().map(drop),
    },
    Attempt {
        name: "become a program",
        end: End::Killed,
        act: || call(libc::SYS_execve, [0, 0, 0, 0]),
    },
    Attempt { name: "fork", end: EPERM, act: || call(libc::SYS_clone, [17, 0, 0, 0]) },
    Attempt {
        name: "start a thread",
        end: EPERM,
        act: || std::thread::Builder::new().spawn(|| {}).map(drop),
    },
    Attempt {
        name: "signal another process",
        end: End::Killed,
        act: || call(libc::SYS_kill, [1, 0, 0, 0]),
    },
    Attempt {
        name: "signal another process's thread",
        end: EPERM,
        act: || call(libc::SYS_tgkill, [1, 1, 0, 0]),
    },
    Attempt {
        name: "signal a neighbour's thread",
        end: EPERM,
        act: || {
            let neighbour = NEIGHBOUR.get().copied().unwrap();
            call(libc::SYS_tgkill, [neighbour, neighbour, 0, 0])
        },
    },
    Attempt {
        name: "trace a process",
        end: End::Killed,
        act: || call(libc::SYS_ptrace, [16, 1, 0, 0]),
    },
    Attempt {
        name: "read another process's memory",
        end: End::Killed,
        act: || call(libc::SYS_process_vm_readv, [1, 0, 0, 0]),
    },
    Attempt {
        name: "make memory that can be executed",
        end: EPERM,
        act: || call(libc::SYS_mmap, [0, 4096, 7, 0x22]),
    },
    Attempt {
        name: "make memory executable",
        end: EPERM,
        act: || call(libc::SYS_mprotect, [0, 4096, 5, 0]),
    },
    Attempt {
        name: "leave for other namespaces",
        end: End::Killed,
        act: || call(libc::SYS_unshare, [0x1000_0000, 0, 0, 0]),
    },
    Attempt { name: "mount", end: End::Killed, act: || call(libc::SYS_mount, [0, 0, 0, 0]) },
    Attempt { name: "load a filter", end: EPERM, act: || call(libc::SYS_seccomp, [1, 0, 0, 0]) },
    Attempt { name: "become traceable", end: EPERM, act: || call(libc::SYS_prctl, [4, 1, 0, 0]) },
    Attempt { name: "raise a limit", end: EPERM, act: || call(libc::SYS_prlimit64, [0, 7, 0, 0]) },
    Attempt { name: "become root", end: EPERM, act: || call(libc::SYS_setuid, [0, 0, 0, 0]) },
    Attempt {
        name: "ask who the host is",
        end: EPERM,
        act: || call(libc::SYS_uname, [0, 0, 0, 0]),
    },
    Attempt {
        name: "set up a ring of calls",
        end: End::Killed,
        act: || call(libc::SYS_io_uring_setup, [8, 0, 0, 0]),
    },
];

#[expect(clippy::disallowed_methods, reason = "the test's own command line")]
fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("__taken") => return taken(&arguments[2], Level::L3),
        Some("__poor") => return poor(&arguments[2], &arguments[3], &arguments[4]),
        // What the test runner asks of every test binary.
        Some("--list") => {
            if !arguments.iter().any(|argument| argument == "--ignored") {
                println!("walls: test");
            }
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    an_attempt_ends_as_it_must();
    a_cell_has_nothing_around_it();
    the_level_is_what_was_reached_and_never_less_than_demanded();
    ExitCode::SUCCESS
}

/// Behind the walls: tries what the name says. `wait` says which level it has and waits for the end
/// of standard input.
#[expect(clippy::exit, reason = "the end of the process says what came of the attempt")]
fn taken(name: &str, least: Level) -> ExitCode {
    let (name, neighbour) = match name.split_once('@') {
        Some((name, neighbour)) => (name.to_owned(), neighbour.parse().ok()),
        None => (name.to_owned(), None),
    };
    signalbox_cell::behind_walls(&Options { memory: MEMORY, least }, move |reached| {
        if name == "wait" {
            let said = [reached.level.number(), reached.landlock.into()];
            rustix::io::write(io::stdin(), &said).unwrap();
            io::copy(&mut io::stdin(), &mut io::sink()).ok();
            return;
        }
        NEIGHBOUR.set(neighbour.unwrap_or_default()).ok();
        let attempt = ATTEMPTS.iter().find(|attempt| attempt.name == name).unwrap();
        let code = match (attempt.act)() {
            Ok(()) => DONE,
            Err(error) => error.raw_os_error().unwrap_or(DONE),
        };
        std::process::exit(code);
    })
}

/// What a kernel, or a container around the runner, may not give.
const POOR: [(&str, &[libc::c_long], Level); 4] = [
    ("no namespaces", &[libc::SYS_unshare], Level::L2),
    ("no mounts", &[libc::SYS_mount], Level::L2),
    ("no landlock", &[libc::SYS_landlock_create_ruleset], Level::L3),
    ("no filters", &[libc::SYS_seccomp, libc::SYS_unshare], Level::L1),
];

/// A cell on a system that refuses some calls, for an ordinary user or for root.
fn poor(system: &str, demand: &str, name: &str) -> ExitCode {
    let (_, refused, _) = POOR.iter().find(|(name, ..)| *name == system).unwrap();
    let rules = refused.iter().map(|call| (*call, Vec::new())).collect();
    let no = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let machine = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, no, machine).unwrap();
    seccompiler::apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
    taken(name, demand.parse().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "the test's own child")]
fn start(arguments: &[&str], user: Option<u32>) -> (Child, UnixStream) {
    use std::os::unix::process::CommandExt as _;
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(arguments)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    (command.spawn().unwrap(), ours)
}

fn end_of(status: ExitStatus) -> End {
    match (status.signal(), status.code()) {
        (Some(libc::SIGSYS), _) => End::Killed,
        (_, Some(code)) => End::Refused(code),
        other => panic!("unexpected end {other:?}"),
    }
}

fn an_attempt_ends_as_it_must() {
    let (mut neighbour, mut socket) = start(&["__taken", "wait"], None);
    socket.read_exact(&mut [0; 2]).unwrap();
    // L3; and L2, which is the filter alone.
    for level in [&["__taken"][..], &["__poor", "no namespaces", "L2"]] {
        for Attempt { name, end, .. } in ATTEMPTS {
            let name = format!("{name}@{}", neighbour.id());
            let (mut child, _socket) = start(&[level, &[&name]].concat(), None);
            assert_eq!(end_of(child.wait().unwrap()), *end, "{name}, {level:?}");
        }
    }
    drop(socket);
    assert!(neighbour.wait().unwrap().success(), "the neighbour notices nothing");
}

fn a_cell_has_nothing_around_it() {
    // Ids can be given away by root only; anyone else runs the tests as an ordinary user anyway.
    let ordinary = rustix::process::geteuid().is_root().then_some(12_345);
    for user in [None, ordinary] {
        nothing_is_around_a_cell_of(user);
    }
}

fn nothing_is_around_a_cell_of(user: Option<u32>) {
    let (mut child, mut socket) = start(&["__taken", "wait"], user);
    socket.read_exact(&mut [0; 2]).unwrap();
    let of = |file: &str| format!("/proc/{}/{file}", child.id());
    let status = fs::read_to_string(of("status")).unwrap();
    for line in
        ["NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000"]
    {
        assert!(status.lines().any(|found| found == line), "{line} in {status}");
    }
    // The kernel shows the rest to root only.
    if rustix::process::geteuid().is_root() {
        let ids = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
        let id = user.unwrap_or(65_534);
        assert_eq!(ids, format!("Uid:\t{id}\t{id}\t{id}\t{id}"));
        let groups = status.lines().any(|line| line.trim_end() == "Groups:");
        assert!(groups || user.is_some(), "{status}");
        for space in ["mnt", "net", "ipc", "uts"] {
            let space = format!("ns/{space}");
            let own = fs::read_link(format!("/proc/self/{space}")).unwrap();
            assert_ne!(fs::read_link(of(&space)).unwrap(), own, "{space}");
        }
        assert_eq!(fs::read_dir(of("root")).unwrap().count(), 0, "the root is empty");
        assert_eq!(fs::read_to_string(of("mountinfo")).unwrap().lines().count(), 1);
        let interfaces = fs::read_to_string(of("net/dev")).unwrap();
        let names: Vec<_> =
            interfaces.lines().skip(2).filter_map(|line| line.split(':').next()).collect();
        assert_eq!(names.iter().map(|name| name.trim()).collect::<Vec<_>>(), ["lo"]);
    }
    drop(socket);
    assert!(child.wait().unwrap().success());
}

/// The level that a cell says it has, and whether it has landlock; `None` when it ends before.
fn level_of((mut child, mut socket): (Child, UnixStream)) -> Option<[u8; 2]> {
    let mut level = [0; 2];
    let said = socket.read_exact(&mut level);
    drop(socket);
    let ended = child.wait().unwrap();
    assert_eq!(said.is_ok(), ended.success(), "a cell that is not refused ends well");
    said.ok().map(|()| level)
}

/// What the kernel says when it is asked for the version of its landlock.
fn kernel_has_landlock() -> bool {
    call(libc::SYS_landlock_create_ruleset, [0, 0, 1, 0]).is_ok()
}

fn the_level_is_what_was_reached_and_never_less_than_demanded() {
    // Ids can be given away by root only; anyone else runs the tests as an ordinary user anyway.
    let ordinary = rustix::process::geteuid().is_root().then_some(12_345);
    for user in [None, ordinary] {
        let [level, landlock] = level_of(start(&["__taken", "wait"], user)).unwrap();
        assert_eq!(level, 3, "{user:?}");
        assert_eq!(landlock == 1, kernel_has_landlock(), "{user:?}");
        for (system, _, reached) in POOR {
            for demanded in Level::ALL {
                let landlock = if system == "no landlock" { 0 } else { landlock };
                let expected = (demanded <= reached).then_some([reached.number(), landlock]);
                let arguments = ["__poor", system, &demanded.to_string(), "wait"];
                let found = level_of(start(&arguments, user));
                assert_eq!(found, expected, "{system}, {demanded} demanded, {user:?}");
            }
        }
    }
}
