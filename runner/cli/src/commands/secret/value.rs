//! The value of a secret: asked for without an echo on a terminal, read from stdin otherwise.

use std::io::{self, BufRead as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::exit::Failure;
use crate::terminal;

/// Longest value, in bytes.
const MAX_VALUE: u64 = 64 << 10;

/// Reads the value.
pub(super) fn read(name: &str) -> Result<String, Failure> {
    let broken = |error: io::Error| Failure::usage(format!("cannot read the value: {error}"));
    let bytes = if terminal::is_interactive() {
        ask(name).map_err(broken)?
    } else {
        let mut bytes = Vec::new();
        io::stdin().lock().take(MAX_VALUE + 2).read_to_end(&mut bytes).map_err(broken)?;
        bytes
    };
    clean(bytes)
}

/// The value without the line break that `echo` and editors put behind it.
fn clean(bytes: Vec<u8>) -> Result<String, Failure> {
    let mut value = String::from_utf8(bytes)
        .map_err(|_| Failure::usage("the value is not UTF-8; encode it, with base64 for one"))?;
    if value.ends_with('\n') {
        value.pop();
        if value.ends_with('\r') {
            value.pop();
        }
    }
    if value.is_empty() {
        return Err(Failure::usage("the value is empty")
            .help("give it on stdin, or run the command on a terminal"));
    }
    if value.len() as u64 > MAX_VALUE {
        return Err(Failure::usage("the value is over 64 KiB"));
    }
    Ok(value)
}

fn ask(name: &str) -> io::Result<Vec<u8>> {
    let mut err = io::stderr().lock();
    write!(err, "value of {name}: ")?;
    err.flush()?;
    let mut line = Vec::new();
    {
        let _quiet = Quiet::begin()?;
        io::stdin().lock().take(MAX_VALUE + 2).read_until(b'\n', &mut line)?;
    }
    writeln!(err)?;
    Ok(line)
}

/// While it lives, the terminal shows nothing that is typed.
#[derive(Debug)]
struct Quiet(Termios);

impl Quiet {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that does not take back its own settings.
        tcsetattr(io::stdin(), OptionalActions::Flush, &self.0).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_at_the_end_is_no_part_of_the_value() {
        let cleaned = |text: &str| clean(text.as_bytes().to_vec()).unwrap();
        assert_eq!(cleaned("hunter2\n"), "hunter2");
        assert_eq!(cleaned("hunter2\r\n"), "hunter2");
        assert_eq!(cleaned("two\nlines\n\n"), "two\nlines\n");
        assert_eq!(cleaned(" spaced "), " spaced ");
    }

    #[test]
    fn what_cannot_be_a_value_is_refused() {
        assert!(clean(Vec::new()).is_err());
        assert!(clean(b"\n".to_vec()).is_err());
        assert!(clean(vec![0xff]).is_err());
        assert!(clean(vec![b'x'; 65 << 10]).is_err());
    }
}
