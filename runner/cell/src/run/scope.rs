//! Where effects are counted: the flow itself, a step, or a branch.

use std::collections::HashMap;
use std::time::Instant;

use signalbox_core::clock::Timestamp;

use super::After;

/// Where effects are counted: the flow itself, a step, or a branch.
#[derive(Debug)]
pub(crate) struct Scope {
    /// The path in keys: `deliver#0/page#2`.
    pub(super) path: String,
    /// The path as shown: `deliver/page#2`.
    pub(super) shown: String,
    /// What paths of steps in it begin with, when that is not its own.
    around: Option<String>,
    /// How many effects it had.
    pub(super) ordinal: u32,
    /// Which try of its step it is, from 1.
    pub(super) attempt: u32,
    /// When it began, in whichever evaluation that was.
    pub(super) started_at: Timestamp,
    pub(super) began: Instant,
    /// What the last response in it said about being asked again.
    pub(super) after: Option<After>,
    /// How often each step was begun in it.
    occurrences: HashMap<String, u32>,
}

/// Where a step stands, whichever try of it.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    pub(super) path: String,
    pub(super) shown: String,
}

impl Scope {
    pub(super) fn root() -> Self {
        Self::new(String::new(), String::new(), 1)
    }

    fn new(path: String, shown: String, attempt: u32) -> Self {
        Self {
            path,
            shown,
            around: None,
            ordinal: 0,
            attempt,
            started_at: crate::clock::now(),
            began: Instant::now(),
            after: None,
            occurrences: HashMap::new(),
        }
    }

    /// The spot of a step's next occurrence in this scope.
    pub(super) fn step(&mut self, name: &str) -> Spot {
        let name: String = name
            .chars()
            .map(|c| if matches!(c, '/' | '#') || c.is_control() { '_' } else { c })
            .collect();
        let occurrence = self.occurrence(&name);
        self.below(&format!("{name}#{occurrence}"), &numbered(&name, occurrence))
    }

    /// The spot of the next `parallel` in this scope. No step's path looks like it.
    pub(super) fn parallel(&mut self) -> Spot {
        let occurrence = self.occurrence("/");
        self.below(&format!("#{occurrence}"), &numbered("parallel", occurrence))
    }

    /// The scope of a step's condition in a list whose steps are evaluated side by side. The step
    /// itself has the path that it has in any list.
    pub(crate) fn beside(&self, id: &str) -> Self {
        let path = self.below(id, "").path;
        let around = Some(self.prefix().to_owned());
        Self { around, ..Self::new(path, self.shown.clone(), 1) }
    }

    /// The same scope as it was in the beginning.
    pub(crate) fn again(&self) -> Self {
        let around = self.around.clone();
        Self { around, ..Self::new(self.path.clone(), self.shown.clone(), self.attempt) }
    }

    fn occurrence(&mut self, name: &str) -> u32 {
        // Looking first saves a copy of the name for every occurrence but the first.
        if let Some(count) = self.occurrences.get_mut(name) {
            *count += 1;
            return *count - 1;
        }
        self.occurrences.insert(name.to_owned(), 1);
        0
    }

    fn prefix(&self) -> &str {
        self.around.as_deref().unwrap_or(&self.path)
    }

    fn below(&self, part: &str, shown: &str) -> Spot {
        Spot { path: joined(self.prefix(), part), shown: joined(&self.shown, shown) }
    }
}

impl Spot {
    /// The spot of an item, a round or a branch in this one.
    pub(crate) fn item(&self, index: usize) -> Self {
        let part = format!("[{index}]");
        Self { path: joined(&self.path, &part), shown: joined(&self.shown, &part) }
    }

    /// The scope of a try.
    pub(super) fn scope(&self, attempt: u32) -> Scope {
        let path = match attempt {
            1 => self.path.clone(),
            attempt => format!("{}@{attempt}", self.path),
        };
        Scope::new(path, self.shown.clone(), attempt)
    }

    /// The scope of a branch.
    pub(crate) fn branch(&self) -> Scope {
        self.scope(1)
    }

    /// The scope of what is asked for between tries.
    pub(crate) fn pauses(&self) -> Scope {
        Scope::new(joined(&self.path, "!"), self.shown.clone(), 1)
    }
}

fn joined(path: &str, part: &str) -> String {
    match (path, part) {
        ("", part) => part.to_owned(),
        (path, "") => path.to_owned(),
        (path, part) => format!("{path}/{part}"),
    }
}

fn numbered(name: &str, occurrence: u32) -> String {
    match occurrence {
        0 => name.to_owned(),
        occurrence => format!("{name}#{occurrence}"),
    }
}
