//! How far the process that evaluates scripts is walled in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An isolation level (reference §2.4). There is none for code in the runner's own process: a
/// runner never evaluates a script that way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// A process of its own, with resource limits.
    L1,
    /// And a filter of system calls.
    L2,
    /// And namespaces of its own with nothing in them: no file, no network interface, no neighbour.
    L3,
}

impl Level {
    /// Every level, the weakest first.
    pub const ALL: [Self; 3] = [Self::L1, Self::L2, Self::L3];

    /// The level's number, 1 to 3.
    pub fn number(self) -> u8 {
        match self {
            Self::L1 => 1,
            Self::L2 => 2,
            Self::L3 => 3,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}", self.number())
    }
}

/// What was read is no isolation level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an isolation level: it is `L1`, `L2` or `L3`")]
pub struct NoLevel;

impl FromStr for Level {
    type Err = NoLevel;

    fn from_str(text: &str) -> Result<Self, NoLevel> {
        Self::ALL.into_iter().find(|level| level.to_string() == text).ok_or(NoLevel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_read_as_it_is_written_and_levels_are_in_order() {
        for level in Level::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        assert!(Level::ALL.is_sorted());
        for wrong in ["", "L0", "L4", "l2", "2", "L"] {
            assert_eq!(wrong.parse::<Level>(), Err(NoLevel), "{wrong}");
        }
    }
}
