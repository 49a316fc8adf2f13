//! When schedules fire: pure bookkeeping, without a store and without a clock.
//!
//! Whoever fires them takes what is due ([`Timer::take`]), stores it, and says what became of it
//! ([`Timer::settle`], [`Timer::give_back`]). Nothing is forgotten in between: what is not settled
//! is due again.

mod due;
mod replacing;
#[cfg(test)]
mod tests;

pub(crate) use due::{Entry, Timer, Turn};
pub(crate) use replacing::Replacing;
