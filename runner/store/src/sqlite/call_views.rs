//! The broker's decisions as people and programs see them.

use rusqlite::{Connection, Row, ToSql};
use signalbox_core::clock::Timestamp;
use signalbox_core::ids::FlowRef;
use signalbox_core::run::State;

use super::columns::{self, digest, run_id};
use super::names::find_workspace;
use super::run_views::{MOST, Overlay};
use crate::contract::{CallDecision, CallFilter, CallRecord, CallView, Error, Page};

const SELECT: &str = "SELECT c.id, c.at, c.allowed, c.rule, w.name, f.name, c.caller_run, c.target,
        cw.name, cf.name, c.service, c.version, c.inputs, c.run, coalesce(c.state, r.state),
        c.ended_at, r.seq
     FROM calls AS c
     CROSS JOIN workspaces AS w ON w.id = c.caller_workspace
     CROSS JOIN flows AS f ON f.id = c.caller_flow
     LEFT JOIN workspaces AS cw ON cw.id = c.callee_workspace
     LEFT JOIN flows AS cf ON cf.id = c.callee_flow
     LEFT JOIN runs AS r ON r.id = c.run
     WHERE c.id < ?";

/// A part of the list of decisions.
pub(super) fn calls(
    connection: &Connection,
    filter: &CallFilter,
    overlay: &Overlay,
) -> Result<Page<CallView>, Error> {
    let limit = filter.limit.clamp(1, MOST);
    let mut sql = SELECT.to_owned();
    let mut values: Vec<Box<dyn ToSql>> = vec![Box::new(filter.cursor.unwrap_or(i64::MAX))];
    if let Some(name) = &filter.workspace {
        let Some(workspace) = find_workspace(connection, name)? else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        sql.push_str(" AND (c.caller_workspace = ? OR c.callee_workspace = ?)");
        values.push(Box::new(workspace));
        values.push(Box::new(workspace));
    }
    if let Some(decision) = filter.decision {
        sql.push_str(" AND c.allowed = ?");
        values.push(Box::new(decision == CallDecision::Allowed));
    }
    if let Some(since) = filter.since {
        sql.push_str(" AND c.at >= ?");
        values.push(Box::new(since.0));
    }
    sql.push_str(" ORDER BY c.id DESC LIMIT ?");
    values.push(Box::new(columns::signed(limit + 1)));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut items: Vec<CallView> = Vec::new();
    while let Some(row) = rows.next()? {
        if items.len() == limit {
            let next = items.last().map(|last| last.id);
            return Ok(Page { items, next });
        }
        items.push(view(row, overlay)?);
    }
    Ok(Page { items, next: None })
}

fn view(row: &Row<'_>, overlay: &Overlay) -> Result<CallView, Error> {
    let at = Timestamp(row.get(1)?);
    let ended_at = row.get::<_, Option<i64>>(15)?.map(Timestamp);
    let run: Option<[u8; 16]> = row.get(13)?;
    let mut state = row.get::<_, Option<i64>>(14)?.map(columns::state).transpose()?;
    let claimed = row.get::<_, Option<i64>>(16)?.is_some_and(|seq| overlay.contains_key(&seq));
    if claimed && state == Some(State::Queued) {
        state = Some(State::Running);
    }
    Ok(CallView {
        id: row.get(0)?,
        record: record(row, at)?,
        run: run.map(run_id).transpose()?,
        state,
        latency_ms: ended_at.map(|ended| ended.since(at).as_secs_f64() * 1_000.0),
    })
}

fn record(row: &Row<'_>, at: Timestamp) -> Result<CallRecord, Error> {
    let text = |column: usize| -> Result<&str, Error> {
        Ok(row.get_ref(column)?.as_str().unwrap_or_default())
    };
    let callee: Option<(String, String)> =
        row.get::<_, Option<String>>(8)?.zip(row.get::<_, Option<String>>(9)?);
    let service: Option<(String, u32)> =
        row.get::<_, Option<String>>(10)?.zip(row.get::<_, Option<u32>>(11)?);
    let allowed: bool = row.get(2)?;
    Ok(CallRecord {
        at,
        decision: if allowed { CallDecision::Allowed } else { CallDecision::Refused },
        rule: columns::text(text(3)?)?,
        caller: FlowRef { workspace: columns::text(text(4)?)?, flow: columns::text(text(5)?)? },
        caller_run: <[u8; 16]>::try_from(row.get_ref(6)?.as_blob().unwrap_or_default())
            .ok()
            .map(run_id)
            .transpose()?,
        target: row.get(7)?,
        callee: match callee {
            Some((workspace, flow)) => Some((columns::text(&workspace)?, columns::text(&flow)?)),
            None => None,
        },
        service,
        inputs: digest(row.get(12)?),
    })
}
