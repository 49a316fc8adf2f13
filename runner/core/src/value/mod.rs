//! The one value that crosses every border: script, cell, runner, store, API.
//!
//! Its JSON form is exact: floats round-trip, integers beyond `i64` are refused, not rounded.
//! Bytes are `{"$bytes": "<hex>"}` in JSON, and a map that says so is bytes when it is read. Its
//! binary form ([`encode`], [`decode`]) is canonical: equal values have equal bytes, so it is what
//! fingerprints are taken of.

mod codec;
mod json;
mod tree;

pub use codec::{DecodeError, decode, encode, encode_into};
pub use json::{FromJsonError, from_json, from_json_str, to_json};
pub use tree::{MAX_DEPTH, Value};
