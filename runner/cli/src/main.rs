//! One binary that runs the automation of a whole git monorepo.
fn main() {}
