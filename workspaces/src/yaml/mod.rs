//! YAML text becomes a tree of [`Node`]s that know where they stand.
//!
//! Values and positions come from one parser, saphyr: a second one for the values would have to
//! agree with it on every corner of the language, and where they differ a diagnostic would point
//! at something that was never read. Its marked nodes give both; what it resolves more freely
//! than the project's files should (`017`, numbers beyond 64 bits, tags, aliases) is looked up in
//! the text again or refused ([`build`](build::Builder)).
//!
//! The parser recurses into block collections without a bound, copies every anchored node and
//! stops at the first key that is given twice. [`guard`] refuses what would make the first two
//! hurt before it is called; a second key of the same name is renamed and the text read again,
//! so that it can be reported together with the first and with every other fault of the file.

mod build;
mod guard;
mod node;
mod parse;
mod renamed;

pub(crate) use node::{Entry, Node, Tree, Written};
pub(crate) use parse::parse;

/// Deepest nesting of a file's collections.
const MAX_DEPTH: usize = 64;
