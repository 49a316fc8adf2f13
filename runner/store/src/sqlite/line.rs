//! Who goes next: the order of queued runs, the limits of their keys, and their debounce.
//!
//! Of the runs of one key, those that have begun hold it. As many of the others as it takes besides
//! are *offered*: they stand in the queue of their workspace, in their order. The rest is *held*
//! back, so that a claim looks at nothing that it cannot have. A key is held from a run's first
//! claim to its end, also while it is suspended or waits again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use signalbox_core::clock::Timestamp;
use signalbox_core::turn::{PRIORITY_STEP, Turn};
use signalbox_core::{FlowName, RunId, WorkspaceName};

/// A run that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Queued {
    pub(super) seq: i64,
    pub(super) id: RunId,
}

/// What decides about the place of a run that waits for the first time.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    priority: i8,
    /// Its key, and how many may have it.
    key: Option<(FlowName, String, u32)>,
    queued_at: Timestamp,
    /// When its debounce is over.
    due: Option<Timestamp>,
}

impl Ticket {
    pub(super) fn of(
        flow: &FlowName,
        turn: &Turn,
        queued_at: Timestamp,
        due: Option<Timestamp>,
    ) -> Self {
        let key = turn.key.clone().zip(turn.limit);
        let key = key.map(|(key, limit)| (flow.clone(), key, limit));
        Self { priority: turn.priority, key, queued_at, due }
    }

    /// Of a run with nothing special about it.
    pub(super) fn plain(queued_at: Timestamp) -> Self {
        Self { priority: 0, key: None, queued_at, due: None }
    }
}

/// Where a run stands in its queue: the lowest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Microseconds: when it was accepted, less what its priority is worth.
    rank: i64,
    seq: i64,
}

/// Ranks below it belong to runs that go first because they waited before.
const FRONT: i64 = i64::MIN / 2;

/// What runs share that have the same key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct GroupId {
    pub(super) workspace: WorkspaceName,
    pub(super) flow: FlowName,
    pub(super) key: String,
}

/// The runs of one key.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) holders: BTreeMap<i64, RunId>,
    offered: BTreeMap<Place, Queued>,
    held: BTreeMap<Place, Queued>,
}

#[derive(Debug, Clone)]
struct Keyed {
    group: Arc<GroupId>,
    limit: u32,
}

#[derive(Debug, Clone, Copy)]
struct Spot {
    place: Place,
    /// Its debounce is not over.
    due: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Queue {
    ready: BTreeMap<Place, Queued>,
    /// All that wait, whatever for.
    total: usize,
}

/// A run that was taken out of the line while a transaction ends it.
#[derive(Debug)]
pub(super) struct Withheld {
    workspace: WorkspaceName,
    spot: Spot,
    run: Queued,
}

impl Withheld {
    /// The run's sequence.
    pub(super) fn seq(&self) -> i64 {
        self.run.seq
    }
}

/// Every queued run.
#[derive(Debug, Default)]
pub(super) struct Line {
    queues: BTreeMap<WorkspaceName, Queue>,
    spots: HashMap<i64, Spot>,
    /// Runs with a limit on their key, queued or begun, until they end.
    keyed: HashMap<i64, Keyed>,
    groups: HashMap<Arc<GroupId>, Group>,
    /// Runs whose debounce is not over, by its end.
    later: BTreeMap<(Timestamp, i64), (WorkspaceName, Queued)>,
    front: i64,
    newest: i64,
    /// The highest sequence that came.
    last: i64,
}

impl Line {
    // --- coming ---

    /// A run that waits for the first time.
    pub(super) fn join(&mut self, workspace: &WorkspaceName, run: Queued, ticket: Ticket) {
        let Ticket { priority, key, queued_at, due } = ticket;
        // A clock that was set back makes nobody older than who came before.
        let moment = if run.seq > self.last {
            (self.last, self.newest) = (run.seq, self.newest.max(queued_at.0));
            self.newest
        } else {
            // It was set aside for a while.
            queued_at.0.min(self.newest)
        };
        let worth = i64::try_from(PRIORITY_STEP.as_micros()).unwrap_or(i64::MAX);
        let rank = moment.saturating_sub(worth.saturating_mul(priority.into()));
        let spot = Spot { place: Place { rank, seq: run.seq }, due };
        self.note_key(workspace, key, run.seq);
        self.queues.entry(workspace.clone()).or_default().total += 1;
        self.put(workspace, run, spot);
    }

    /// A run that goes on: before all others, and with its key.
    pub(super) fn rejoin(&mut self, workspace: &WorkspaceName, run: Queued) {
        self.front -= 1;
        let place = Place { rank: FRONT.saturating_add(self.front), seq: run.seq };
        let queue = self.queues.entry(workspace.clone()).or_default();
        queue.total += 1;
        self.spots.insert(run.seq, Spot { place, due: None });
        queue.ready.insert(place, run);
    }

    /// A run that has begun and not ended, as it is found when the store is opened.
    pub(super) fn hold(&mut self, workspace: &WorkspaceName, run: &Queued, ticket: Ticket) {
        self.note_key(workspace, ticket.key, run.seq);
        if let Some(keyed) = self.keyed.get(&run.seq) {
            let group = self.groups.entry(Arc::clone(&keyed.group)).or_default();
            group.holders.insert(run.seq, run.id.clone());
        }
    }

    fn note_key(
        &mut self,
        workspace: &WorkspaceName,
        key: Option<(FlowName, String, u32)>,
        seq: i64,
    ) {
        if let Some((flow, key, limit)) = key {
            let group = Arc::new(GroupId { workspace: workspace.clone(), flow, key });
            self.keyed.insert(seq, Keyed { group, limit });
        }
    }

    fn put(&mut self, workspace: &WorkspaceName, run: Queued, spot: Spot) {
        self.spots.insert(run.seq, spot);
        if let Some(due) = spot.due {
            self.later.insert((due, run.seq), (workspace.clone(), run));
            return;
        }
        if let Some(keyed) = self.keyed.get(&run.seq) {
            let group_id = Arc::clone(&keyed.group);
            let group = self.groups.entry(Arc::clone(&group_id)).or_default();
            if !group.holders.contains_key(&run.seq) {
                group.held.insert(spot.place, run);
                self.balance(&group_id);
                return;
            }
        }
        self.queues.entry(workspace.clone()).or_default().ready.insert(spot.place, run);
    }

    /// Offers what a key takes; of runs that did not begin, those that go first.
    fn balance(&mut self, id: &Arc<GroupId>) {
        let (Some(group), Some(queue)) =
            (self.groups.get_mut(id), self.queues.get_mut(&id.workspace))
        else {
            return;
        };
        while let Some(first) = group.held.first_entry() {
            let place = *first.key();
            let limit = self.keyed.get(&place.seq).map_or(u32::MAX, |keyed| keyed.limit);
            if group.holders.len() + group.offered.len() >= limit as usize {
                let Some(last) = group.offered.last_entry().filter(|last| *last.key() > place)
                else {
                    return;
                };
                let (back, run) = last.remove_entry();
                queue.ready.remove(&back);
                let first = first.remove();
                group.held.insert(back, run);
                group.offered.insert(place, first.clone());
                queue.ready.insert(place, first);
            } else {
                let run = first.remove();
                group.offered.insert(place, run.clone());
                queue.ready.insert(place, run);
            }
        }
    }

    /// Lets those stand in line whose debounce is over.
    pub(super) fn tick(&mut self, now: Timestamp) {
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= now) {
            let (workspace, run) = first.remove();
            if let Some(spot) = self.spots.get(&run.seq).copied() {
                self.put(&workspace, run, Spot { due: None, ..spot });
            }
        }
    }

    /// When the next debounce is over.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.later.first_key_value().map(|((due, _), _)| *due)
    }

    // --- going ---

    /// Takes the run that is next. It has its key from here on.
    pub(super) fn pop(&mut self, workspace: &WorkspaceName) -> Option<Queued> {
        let queue = self.queues.get_mut(workspace)?;
        let (place, run) = queue.ready.pop_first()?;
        queue.total -= 1;
        self.spots.remove(&run.seq);
        if let Some(keyed) = self.keyed.get(&run.seq)
            && let Some(group) = self.groups.get_mut(&keyed.group)
        {
            group.offered.remove(&place);
            group.holders.insert(run.seq, run.id.clone());
        }
        Some(run)
    }

    /// Takes a run out, so that nobody claims it.
    pub(super) fn take_out(&mut self, workspace: &WorkspaceName, seq: i64) -> Option<Withheld> {
        let spot = self.spots.remove(&seq)?;
        let queue = self.queues.get_mut(workspace)?;
        queue.total -= 1;
        let ready = queue.ready.remove(&spot.place);
        let group = self.keyed.get(&seq).and_then(|keyed| self.groups.get_mut(&keyed.group));
        let held = group.and_then(|group| {
            group.offered.remove(&spot.place);
            group.held.remove(&spot.place)
        });
        let later = spot.due.and_then(|due| self.later.remove(&(due, seq)));
        let run = ready.or(held).or(later.map(|(_, run)| run))?;
        Some(Withheld { workspace: workspace.clone(), spot, run })
    }

    /// Puts a run back where it was.
    pub(super) fn put_back(&mut self, withheld: Withheld) {
        let Withheld { workspace, spot, run } = withheld;
        self.queues.entry(workspace.clone()).or_default().total += 1;
        self.put(&workspace, run, spot);
    }

    /// A run has ended: its key is free. Answers whether another one may go for it.
    pub(super) fn leave(&mut self, seq: i64) -> bool {
        let Some(Keyed { group: id, .. }) = self.keyed.remove(&seq) else { return false };
        let Some(group) = self.groups.get_mut(&id) else { return false };
        group.holders.remove(&seq);
        let offered = group.offered.len();
        self.balance(&id);
        let Some(group) = self.groups.get(&id) else { return false };
        let more = group.offered.len() > offered;
        if group.holders.is_empty() && group.offered.is_empty() && group.held.is_empty() {
            self.groups.remove(&id);
        }
        more
    }

    // --- looking ---

    /// How many runs of a workspace wait, whatever for.
    pub(super) fn waiting_in(&self, workspace: &WorkspaceName) -> usize {
        self.queues.get(workspace).map_or(0, |queue| queue.total)
    }

    /// How many runs of each workspace could be claimed.
    pub(super) fn ready(&self) -> impl Iterator<Item = (&WorkspaceName, usize)> {
        let ready = self.queues.iter().map(|(workspace, queue)| (workspace, queue.ready.len()));
        ready.filter(|(_, runs)| *runs > 0)
    }

    /// The workspaces with how many of their runs wait, and how many of those could be claimed.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (&WorkspaceName, usize, usize)> {
        let all = self.queues.iter().filter(|(_, queue)| queue.total > 0);
        all.map(|(workspace, queue)| (workspace, queue.total, queue.ready.len()))
    }

    /// The first runs of a workspace's queue that could be claimed.
    pub(super) fn first(&self, workspace: &WorkspaceName) -> impl Iterator<Item = &Queued> {
        self.queues.get(workspace).into_iter().flat_map(|queue| queue.ready.values())
    }

    /// The keys, with the runs that have them and those that wait for them, in order.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&GroupId, &Group)> {
        self.groups.iter().map(|(id, group)| (&**id, group))
    }

    /// How many runs may have a key, by the one that goes next for it or has it.
    pub(super) fn limit(&self, group: &Group) -> u32 {
        let next = group.queued().next().map(|run| run.seq);
        let seq = next.or_else(|| group.holders.keys().next_back().copied());
        seq.and_then(|seq| self.keyed.get(&seq)).map_or(0, |keyed| keyed.limit)
    }

    /// Where a run stands.
    pub(super) fn position(&self, seq: i64) -> Position<'_> {
        let Some(spot) = self.spots.get(&seq) else { return Position::None };
        if let Some(due) = spot.due {
            return Position::Later(due);
        }
        if let Some(keyed) = self.keyed.get(&seq)
            && let Some(group) = self.groups.get(&keyed.group)
            && group.held.contains_key(&spot.place)
        {
            let (key, limit, place) = (keyed.group.key.as_str(), keyed.limit, spot.place);
            return Position::Held { group, key, limit, place };
        }
        Position::Ready(spot.place)
    }

    /// How many runs of a workspace's queue could be claimed before one.
    pub(super) fn ahead(&self, workspace: &WorkspaceName, place: Place) -> usize {
        self.queues.get(workspace).map_or(0, |queue| queue.ready.range(..place).count())
    }
}

impl Group {
    /// The runs that wait for the key, in order.
    pub(super) fn queued(&self) -> impl Iterator<Item = &Queued> {
        self.offered.values().chain(self.held.values())
    }

    /// How many wait for the key.
    pub(super) fn waiting(&self) -> usize {
        self.offered.len() + self.held.len()
    }

    /// How many of those that wait for the key go before one that is held back.
    pub(super) fn ahead(&self, place: Place) -> usize {
        self.offered.len() + self.held.range(..place).count()
    }
}

/// Where a run stands.
#[derive(Debug)]
pub(super) enum Position<'a> {
    /// Not here.
    None,
    /// Its debounce is not over.
    Later(Timestamp),
    /// Behind others with its key.
    Held { group: &'a Group, key: &'a str, limit: u32, place: Place },
    /// In its queue.
    Ready(Place),
}
