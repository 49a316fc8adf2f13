//! The cell: an operating-system process in which one workspace's scripts are evaluated.
//!
//! It reads frames from its standard input, evaluates one run at a time, and asks the runner for
//! every effect. It has no network, no files and no clock but the system's; what it must remember
//! is in the journal that it is given. The runner treats whatever it sends as hostile.

pub mod protocol;
