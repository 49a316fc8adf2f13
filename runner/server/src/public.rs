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

    /// Whether it is where webhooks are delivered to, `/hooks/{workspace}/{webhook}`: what may be
    /// delivered is decided by the webhook.
    pub(crate) fn is_delivery(path: &str) -> bool {
        path.strip_prefix("/hooks/").is_some_and(|rest| rest.contains('/'))
    }

    /// Whether it is the path of one.
    pub(crate) fn has(path: &str) -> bool {
        Self::ALL.iter().any(|route| route.path() == path)
    }
}
