//! The command line as a whole, and which command it means.

mod args;
mod dispatch;
#[cfg(test)]
mod tests;

pub(crate) use dispatch::main;
