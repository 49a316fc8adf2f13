//! The conformance suite: one body, run over every implementation.
