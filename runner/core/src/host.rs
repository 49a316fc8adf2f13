//! The host functions' signatures as data: one table for registration, reference, linter and tests.
