//! Automation of the project itself.
fn main() {}
