//! The handle of a secret.

use rhai::ImmutableString;

/// The handle of a secret.
#[derive(Debug, Clone)]
pub(crate) struct Secret {
    marker: ImmutableString,
}

impl Secret {
    pub(crate) fn new(marker: String) -> Self {
        Self { marker: marker.into() }
    }

    /// What it is as text: means something only to the runner, and only in some places.
    pub(crate) fn marker(&self) -> &ImmutableString {
        &self.marker
    }
}
