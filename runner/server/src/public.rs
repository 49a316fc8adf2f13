//! The routes that are there for everybody.

/// Routes that need no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Public {
    /// Whether the process lives.
    Healthz,
    /// Whether it takes requests.
    Readyz,
    /// Where a person enters the token.
    Login,
    /// How pages look, the one for entering the token included.
    Style,
}

impl Public {
    /// Every public route.
    pub(crate) const ALL: [Self; 4] = [Self::Healthz, Self::Readyz, Self::Login, Self::Style];

    /// Its path.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Healthz => "/healthz",
            Self::Readyz => "/readyz",
            Self::Login => "/login",
            Self::Style => "/style.css",
        }
    }

    /// Whether it is the path of one.
    pub(crate) fn has(path: &str) -> bool {
        Self::ALL.iter().any(|route| route.path() == path)
    }
}
