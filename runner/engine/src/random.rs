//! The kernel's randomness.

use crate::doors::Random;

/// The kernel's.
#[derive(Debug)]
pub(crate) struct KernelRandom;

impl Random for KernelRandom {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the kernel")]
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        getrandom::fill(bytes).map_err(|error| std::io::Error::other(error.to_string()))
    }
}

/// Random bytes from a source.
pub(crate) fn bytes<const N: usize>(source: &dyn Random) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    source.fill(&mut bytes)?;
    Ok(bytes)
}
