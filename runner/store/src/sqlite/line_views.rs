//! The line as people and programs see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;
use signalbox_core::why::Standing;
use signalbox_core::{RunId, WorkspaceName};

use super::columns::{self, id_bytes, run_id};
use super::line::Position;
use super::live::Live;
use super::run_views;
use super::shared::Shared;
use crate::contract::{Displaced, Error, KeyView, QueueView};

/// Waits until somebody was displaced.
pub(super) async fn displaced(shared: &Shared) -> Result<Vec<Displaced>, Error> {
    loop {
        let told = std::mem::take(&mut shared.live().displaced);
        if !told.is_empty() {
            return Ok(told);
        }
        if shared.readers.is_closed() {
            return Err(Error::Closed);
        }
        shared.displaced.notified().await;
    }
}

/// Where queued runs stand.
pub(super) async fn standings(
    shared: &Arc<Shared>,
    runs: Vec<RunId>,
    count: bool,
) -> Result<Vec<Standing>, Error> {
    let places = shared.readers.read(move |connection| find(connection, &runs)).await?;
    let live = shared.live();
    let standing = |place: Option<Found>| match place {
        Some(Found { earlier: Some(earlier), .. }) => Standing::Behind { earlier },
        Some(Found { seq, workspace, earlier: None }) => standing(&live, &workspace, seq, count),
        None => Standing::Taken,
    };
    Ok(places.into_iter().map(standing).collect())
}

struct Found {
    seq: i64,
    workspace: WorkspaceName,
    /// The earlier run of its schedule that it waits for.
    earlier: Option<RunId>,
}

fn find(connection: &Connection, runs: &[RunId]) -> Result<Vec<Option<Found>>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT r.seq, w.name,
                (SELECT e.id FROM held AS h JOIN schedules AS s USING (flow, schedule)
                                            JOIN runs AS e ON e.seq = s.run
                 WHERE h.run = r.seq)
         FROM runs AS r JOIN workspaces AS w ON w.id = r.workspace
         WHERE r.id = ?",
    )?;
    let mut found = Vec::with_capacity(runs.len());
    for run in runs {
        let mut rows = statement.query([id_bytes(run)?])?;
        found.push(match rows.next()? {
            None => None,
            Some(row) => Some(Found {
                seq: row.get(0)?,
                workspace: columns::text(row.get_ref(1)?.as_str().unwrap_or_default())?,
                earlier: row.get::<_, Option<_>>(2)?.map(run_id).transpose()?,
            }),
        });
    }
    Ok(found)
}

fn standing(live: &Live, workspace: &WorkspaceName, seq: i64, count: bool) -> Standing {
    match live.line.position(seq) {
        Position::None => Standing::Taken,
        Position::Later(until) => Standing::Debounced { until },
        Position::Held { group, key, limit, place } => Standing::KeyFull {
            key: key.to_owned(),
            limit,
            holders: group.holders.values().cloned().collect(),
            ahead: if count { group.ahead(place) } else { 0 },
        },
        Position::Ready(place) => {
            let ahead = count.then(|| live.line.ahead(workspace, place));
            Standing::Ready { ahead }
        }
    }
}

/// What of a workspace is looked up in the database.
#[derive(Debug, Default)]
struct Part {
    running: Vec<(i64, i64)>,
    next: Vec<i64>,
    queued: usize,
    ready: usize,
    keys: Vec<KeyView>,
}

/// What runs and waits.
pub(super) async fn queues(
    shared: &Arc<Shared>,
    workspace: Option<WorkspaceName>,
    most: usize,
) -> Result<Vec<QueueView>, Error> {
    let (parts, overlay) = {
        let live = shared.live();
        (parts(&live, workspace.as_ref(), most), live.overlay())
    };
    shared
        .readers
        .read(move |connection| {
            let view = |(workspace, part): (WorkspaceName, Part)| {
                let running: Vec<_> = part.running.iter().take(most).map(|(_, seq)| *seq).collect();
                Ok(QueueView {
                    workspace,
                    running: part.running.len(),
                    queued: part.queued,
                    ready: part.ready,
                    runs: run_views::by_sequence(connection, &running, &overlay)?,
                    next: run_views::by_sequence(connection, &part.next, &overlay)?,
                    keys: part.keys,
                })
            };
            parts.into_iter().map(view).collect()
        })
        .await
}

fn parts(live: &Live, only: Option<&WorkspaceName>, most: usize) -> BTreeMap<WorkspaceName, Part> {
    let wanted = |workspace: &WorkspaceName| only.is_none_or(|only| only == workspace);
    let mut parts: BTreeMap<WorkspaceName, Part> = BTreeMap::new();
    for claim in live.all_claimed().filter(|claim| wanted(&claim.workspace)) {
        let part = parts.entry(claim.workspace.clone()).or_default();
        part.running.push((claim.since.0, claim.seq));
    }
    for (workspace, queued, ready) in live.line.sizes().filter(|(name, ..)| wanted(name)) {
        let part = parts.entry(workspace.clone()).or_default();
        (part.queued, part.ready) = (queued, ready);
        part.next = live.line.first(workspace).take(most).map(|run| run.seq).collect();
    }
    for (id, group) in live.line.groups().filter(|(id, _)| wanted(&id.workspace)) {
        parts.entry(id.workspace.clone()).or_default().keys.push(KeyView {
            flow: id.flow.clone(),
            key: id.key.clone(),
            limit: live.line.limit(group),
            holders: group.holders.values().cloned().collect(),
            queued: group.queued().take(most).map(|run| run.id.clone()).collect(),
            waiting: group.waiting(),
        });
    }
    for part in parts.values_mut() {
        part.running.sort_unstable();
        part.keys.sort_by(|a, b| (&a.flow, &a.key).cmp(&(&b.flow, &b.key)));
    }
    parts
}
