use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use signalbox_core::clock::{ManualClock, Timestamp};
use signalbox_core::journal::{Chunk, Level, LogLine, Outcome};
use signalbox_core::run::State;
use tempfile::TempDir;

use super::{Options, SqliteStore, migrate, run_views, settle};
use crate::conformance::{Kit, Place, append, cancel, conformance_suite, end, run_in};
use crate::contract::{Accepted, Error, RunFilter, Store, Want, Written};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }
}

fn options() -> Options {
    Options { clock: Arc::new(ManualClock::at(Timestamp(15_000))) }
}

fn open(dir: &Path) -> Result<SqliteStore, Error> {
    SqliteStore::open(dir, options())
}

impl Place for Folder {
    fn open(&self) -> Pin<Box<dyn Future<Output = Box<dyn Store>> + Send + '_>> {
        Box::pin(async { Box::new(open(&self.data()).unwrap()) as Box<dyn Store> })
    }
}

conformance_suite!(Folder::new());

#[test]
fn a_second_opening_is_refused_until_the_first_is_gone() {
    let folder = Folder::new();
    let first = open(&folder.data()).unwrap();
    assert!(matches!(open(&folder.data()), Err(Error::InUse(path)) if path == folder.data()));
    drop(first);
    open(&folder.data()).unwrap();
}

#[test]
fn the_data_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let _store = open(&folder.data()).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.data()), 0o700);
    assert_eq!(mode(&folder.data().join("signalbox.db")), 0o600);
    assert_eq!(mode(&folder.data().join("signalbox.db-wal")), 0o600);
}

#[test]
fn a_newer_version_is_refused_and_left_alone() {
    let folder = Folder::new();
    drop(open(&folder.data()).unwrap());
    let path = folder.data().join("signalbox.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute("INSERT INTO migrations VALUES (99, x'00', 0)", []).unwrap();
    drop(db);
    let before = std::fs::read(&path).unwrap();
    assert!(
        matches!(open(&folder.data()), Err(Error::Newer { found: 99, known }) if known == migrate::known())
    );
    assert!(std::fs::read(&path).unwrap() == before);
}

/// What the first version left behind: a caller that is suspended for one call and has made
/// another, whose callee was being evaluated, and an answer that was given already.
const FIRST: &str = "
    INSERT INTO workspaces (id, name) VALUES (1, 'one');
    INSERT INTO flows VALUES (1, 1, 'f');
    INSERT INTO deployments SELECT 1, 1, 'main', printf('%.40c', 'a'), 't', zeroblob(32), zeroblob(32),
        'deployed', 'a', 'poll', 1.0, 1, 1, 0, '{\"added\":[],\"changed\":[],\"removed\":[]}', '[]', NULL;
    INSERT INTO runs (seq, id, workspace, flow, deployment, state, reason, queued_at, waits_scope,
                      waits_attempt, waits_ordinal, waits_until, trigger, inputs)
    VALUES (1, x'01900000000070008000000000000001', 1, 1, 1, 2, 'waiting_call', 1, '', 1, 0, 99000,
            '{\"kind\":\"api\"}', x'00'),
           (2, x'01900000000070008000000000000002', 1, 1, 1, 0, NULL, 1, NULL, NULL, NULL, NULL,
            '{\"kind\":\"api\"}', x'00'),
           (3, x'01900000000070008000000000000003', 1, 1, 1, 1, NULL, 1, NULL, NULL, NULL, NULL,
            '{\"kind\":\"api\"}', x'00');
    INSERT INTO calls (at, allowed, rule, caller_workspace, caller_flow, caller, caller_run, target,
                       inputs, run, waits, scope, attempt, ordinal)
    VALUES (1, 1, 'domain_uses_export', 1, 1, 1, x'01900000000070008000000000000001', 'a', zeroblob(32),
            x'01900000000070008000000000000002', 1, '', 1, 0),
           (1, 1, 'domain_uses_export', 1, 1, 1, x'01900000000070008000000000000001', 'a', zeroblob(32),
            x'01900000000070008000000000000003', 1, '', 1, 1);
    INSERT INTO answers VALUES (1, '', 1, 1, x'010100', 5);
    INSERT INTO chunks VALUES (3, 1, x'000000'), (3, 2, x'000000'), (1, 1, x'000000');
    INSERT INTO counts VALUES (1, 0, 1), (1, 1, 1), (1, 2, 1);";

#[tokio::test]
async fn what_the_first_version_left_waiting_goes_on() {
    let folder = Folder::new();
    std::fs::create_dir(folder.data()).unwrap();
    let db = rusqlite::Connection::open(folder.data().join("signalbox.db")).unwrap();
    migrate::to_first(&db).unwrap();
    db.execute_batch(FIRST).unwrap();
    drop(db);
    let store = open(&folder.data()).unwrap();
    let id = |last| format!("01900000-0000-7000-8000-00000000000{last}").parse().unwrap();
    let caller = store.run(&id(1)).await.unwrap();
    assert_eq!(caller.summary.state, State::Suspended);
    assert_eq!(caller.waits_for, [id(2)], "the other call was answered");
    assert_eq!(*store.due().borrow(), Some(Timestamp(99_000)));
    let expired = store.expire(Timestamp(99_000)).await.unwrap();
    assert_eq!(expired.answers.len(), 1);
    assert!(expired.answers[0].woken);
    let one = Want { workspace: "one".parse().unwrap(), runs: 9 };
    let claims = store.claim(vec![one]).await.unwrap();
    let recovered: Vec<_> =
        claims.iter().map(|claim| (claim.run.id.clone(), claim.recovered)).collect();
    assert_eq!(recovered, [(id(3), 1), (id(1), 0), (id(2), 0)], "what came back, woke, is new");
    let next: Vec<_> = claims.iter().map(|claim| claim.next_chunk).collect();
    assert_eq!(next, [3, 2, 1], "behind what each has on record");
    let numbers = store.chunks(&id(3), 0).await.unwrap();
    assert_eq!(numbers.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn an_edited_migration_is_found_out() {
    let folder = Folder::new();
    drop(open(&folder.data()).unwrap());
    let db = rusqlite::Connection::open(folder.data().join("signalbox.db")).unwrap();
    db.execute("UPDATE migrations SET checksum = x'00'", []).unwrap();
    drop(db);
    assert!(matches!(open(&folder.data()), Err(Error::Corrupt(_))));
}

#[test]
fn what_cannot_be_a_data_directory_is_refused_with_its_reason() {
    let folder = Folder::new();
    let file = folder.0.path().join("file");
    std::fs::write(&file, b"").unwrap();
    for path in [&file, &file.join("below")] {
        match open(path) {
            Err(Error::Unusable { path: at, reason }) => {
                assert_eq!(at, *path);
                assert!(!reason.is_empty());
            }
            other => panic!("{other:?}"),
        }
    }
    std::fs::create_dir_all(folder.data().join("signalbox.db")).unwrap();
    assert!(matches!(open(&folder.data()), Err(Error::Unusable { .. })));
}

#[test]
fn a_file_that_is_no_database_is_called_corrupt() {
    let folder = Folder::new();
    std::fs::create_dir(folder.data()).unwrap();
    let path = folder.data().join("signalbox.db");
    std::fs::write(&path, b"this is not a database, and it is long enough to tell".repeat(99))
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(open(&folder.data()), Err(Error::Corrupt(_))));
    assert!(std::fs::read(&path).unwrap() == before);
}

/// The files as a machine that loses power leaves them.
fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["signalbox.db", "signalbox.db-wal"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

#[tokio::test]
async fn what_was_answered_survives_a_kill_at_any_moment() {
    let folder = Folder::new();
    let kit = Kit::new(&folder).await;
    let mut ended = Vec::new();
    for round in 0..20 {
        let claim = kit.claimed().await;
        kit.commit(vec![append(&claim, 1, Chunk::default()), end(&claim, 2)]).await.unwrap();
        ended.push(claim.run.id);
        let queued = kit.queued().await;
        let copy = folder.0.path().join(format!("copy{round}"));
        copy_files(&folder.data(), &copy);
        let after = open(&copy).unwrap();
        for run in &ended {
            assert!(after.run(run).await.unwrap().summary.state.is_terminal());
        }
        let want = vec![Want { workspace: "one".parse().unwrap(), runs: 99 }];
        let claims = after.claim(want).await.unwrap();
        assert_eq!(claims.last().unwrap().run, queued);
        let claim = kit.claim_one("one").await;
        kit.write(end(&claim, 1)).await;
        ended.push(claim.run.id);
    }
}

#[tokio::test]
async fn a_torn_log_loses_nothing_but_its_tail() {
    let folder = Folder::new();
    let kit = Kit::new(&folder).await;
    let first = kit.queued().await;
    let log = folder.data().join("signalbox.db-wal");
    let whole = std::fs::metadata(&log).unwrap().len();
    kit.queued().await;
    let copy = folder.0.path().join("copy");
    copy_files(&folder.data(), &copy);
    let torn = std::fs::metadata(&log).unwrap().len() - 100;
    assert!(torn > whole);
    let file = std::fs::OpenOptions::new().write(true).open(copy.join("signalbox.db-wal"));
    file.unwrap().set_len(torn).unwrap();
    let after = open(&copy).unwrap();
    let want = vec![Want { workspace: "one".parse().unwrap(), runs: 99 }];
    let claims = after.claim(want).await.unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].run, first);
}

#[tokio::test]
async fn who_writes_little_does_not_wait_for_who_writes_much() {
    let folder = Folder::new();
    let kit = Kit::new(&folder).await;
    let (much, little) = (kit.claimed().await, kit.claimed().await);
    let message = "x".repeat(1 << 20);
    let chunk = |number: u32| {
        let at = Timestamp(i64::from(number));
        let line =
            LogLine { at, level: Level::Info, step: String::new(), message: message.clone() };
        Chunk { logs: vec![line], ..Chunk::default() }
    };
    let commit = |number| kit.commit(vec![append(&much, number, chunk(number))]);
    let mut writing: Vec<_> = (1..=100).map(commit).collect();
    let mut context = Context::from_waker(Waker::noop());
    // From here on they are in line.
    assert!(writing.iter_mut().all(|one| one.as_mut().poll(&mut context).is_pending()));
    assert_eq!(kit.commit(vec![end(&little, 1)]).await.unwrap(), [Written::Done(None)]);
    let mut left = 0;
    for one in &mut writing {
        match one.as_mut().poll(&mut context) {
            Poll::Ready(written) => assert_eq!(written.unwrap(), [Written::Done(None)]),
            Poll::Pending => left += 1,
        }
    }
    assert!(left > 0, "a hundred bytes waited for a hundred megabytes");
}

/// Allows so many more pages than there are.
async fn limit_pages(store: &SqliteStore, more: Option<i64>) {
    let limit = move |tx: &mut super::tx::Tx<'_>| {
        let pages: i64 = tx.connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let most = more.map_or(1 << 30, |more| pages + more);
        tx.connection.pragma_update_and_check(None, "max_page_count", most, |_| Ok(()))?;
        Ok(())
    };
    store.write(limit).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_mends_itself() {
    let folder = Folder::new();
    let deployment = Kit::new(&folder).await.deployment;
    let store = open(&folder.data()).unwrap();
    let one = Want { workspace: "one".parse().unwrap(), runs: 1 };
    limit_pages(&store, Some(20)).await;
    let mut accepted = Vec::new();
    let mut refused = 0;
    for _ in 0..40 {
        let mut run = run_in("one", deployment);
        run.inputs = vec![7; 10_000];
        match store.accept(vec![Kit::plain(run.clone())]).await {
            Ok(answers) => {
                assert_eq!(answers, [Accepted::Queued]);
                accepted.push(run);
            }
            Err(Error::Full) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(refused > 0 && !accepted.is_empty());
    assert_eq!(store.waiting().await.unwrap()[0].runs, accepted.len());
    limit_pages(&store, None).await;
    let run = run_in("one", deployment);
    store.accept(vec![Kit::plain(run.clone())]).await.unwrap();
    accepted.push(run);
    for run in accepted {
        let claim = store.claim(vec![one.clone()]).await.unwrap().remove(0);
        assert_eq!(claim.run, run);
        store.commit(vec![end(&claim, 1)]).await.unwrap();
    }
    assert!(store.claim(vec![one]).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_failed_job_does_not_hurt_those_it_shares_a_commit_with() {
    let folder = Folder::new();
    let deployment = Kit::new(&folder).await.deployment;
    let store = open(&folder.data()).unwrap();
    let runs: Vec<_> = (0..50).map(|_| run_in("one", deployment)).collect();
    let mut replies = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        let mut batch = vec![Kit::plain(run.clone())];
        if at % 5 == 0 {
            // The same id twice: the database refuses it after half of the job is done.
            batch.push(Kit::plain(run.clone()));
        }
        replies.push(store.accept(batch));
    }
    let answers = futures(replies).await;
    let good: Vec<_> = runs.iter().enumerate().filter(|(at, _)| at % 5 != 0).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), good.len());
    let want = vec![Want { workspace: "one".parse().unwrap(), runs: 99 }];
    let claims = store.claim(want).await.unwrap();
    assert!(claims.iter().map(|claim| &claim.run).eq(good.iter().map(|(_, run)| *run)));
    let queued = &store.counts().await.unwrap()[0].runs;
    assert_eq!(queued.values().sum::<u64>(), good.len() as u64);
}

/// Drives replies side by side, so that they share commits.
async fn futures<T>(replies: Vec<crate::contract::Reply<'_, T>>) -> Vec<Result<T, Error>> {
    let mut waiting: Vec<_> = replies.into_iter().map(|reply| (Some(reply), None)).collect();
    std::future::poll_fn(|context| {
        for (reply, answer) in &mut waiting {
            if let Some(polled) = reply
                && let Poll::Ready(result) = polled.as_mut().poll(context)
            {
                *answer = Some(result);
                *reply = None;
            }
        }
        let all = waiting.iter().all(|(_, answer)| answer.is_some());
        if all { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, answer)| answer).collect()
}

#[tokio::test]
async fn a_panic_of_a_job_fails_its_batch_and_nothing_else() {
    let folder = Folder::new();
    let deployment = Kit::new(&folder).await.deployment;
    let store = open(&folder.data()).unwrap();
    let panicked: Result<(), _> = store.write(|_| panic!("on purpose")).await;
    assert!(matches!(panicked, Err(Error::Database(_))));
    let run = run_in("one", deployment);
    assert_eq!(store.accept(vec![Kit::plain(run)]).await.unwrap(), [Accepted::Queued]);
}

#[tokio::test]
async fn a_backup_is_a_store_of_its_moment() {
    let folder = Folder::new();
    let kit = Kit::new(&folder).await;
    let run = kit.queued().await;
    let copy = folder.0.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    let to = copy.join("signalbox.db");
    kit.backup(&to).await.unwrap();
    kit.queued().await;
    assert!(matches!(kit.backup(&to).await, Err(Error::Unusable { .. })));
    assert_eq!(std::fs::read_dir(&copy).unwrap().count(), 1, "one file holds everything");
    let restored = open(&copy).unwrap();
    let want = vec![Want { workspace: "one".parse().unwrap(), runs: 9 }];
    let claims = restored.claim(want).await.unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0].run, run);
    let nowhere = folder.0.path().join("nowhere/x.db");
    assert!(matches!(kit.backup(&nowhere).await, Err(Error::Unusable { .. })));
}

#[tokio::test]
async fn a_data_directory_is_copied_while_it_is_held_and_when_it_is_not() {
    let folder = Folder::new();
    let kit = Kit::new(&folder).await;
    let run = kit.queued().await;
    let held = folder.0.path().join("held.db");
    super::backup(&folder.data(), &held).unwrap();
    assert!(matches!(super::backup(&folder.data(), &held), Err(Error::Unusable { .. })));
    drop(kit);
    let copy = folder.0.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    super::backup(&folder.data(), &copy.join("signalbox.db")).unwrap();
    assert_eq!(open(&copy).unwrap().run(&run.id).await.unwrap().summary.id, run.id);
    let nothing = folder.0.path().join("nothing.db");
    assert!(matches!(super::backup(&held, &nothing), Err(Error::Unusable { .. })));
    assert!(!nothing.exists());
}

#[tokio::test]
async fn a_claim_that_nobody_waited_for_is_given_back() {
    let folder = Folder::new();
    let kit = Kit::new(&folder).await;
    let (first, second) = (kit.queued().await, kit.queued().await);
    drop(kit);
    let store = open(&folder.data()).unwrap();
    let want = vec![Want { workspace: "one".parse().unwrap(), runs: 2 }];
    // After a start every claim reads its run first; this one gets no turn before it is dropped.
    let turns = store.shared.readers.turns.acquire_many(4).await.unwrap();
    let mut claim = store.claim(want.clone());
    std::future::poll_fn(|context| {
        assert!(claim.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
    assert!(store.waiting().await.unwrap().is_empty());
    drop((claim, turns));
    let claims = store.claim(want).await.unwrap();
    assert!(claims.iter().map(|claim| &claim.run).eq([&first, &second]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_run_is_cancelled_or_claimed_but_never_both() {
    let folder = Folder::new();
    let deployment = Kit::new(&folder).await.deployment;
    let store = Arc::new(open(&folder.data()).unwrap());
    for _ in 0..50 {
        let runs: Vec<_> = (0..40).map(|_| run_in("one", deployment)).collect();
        store.accept(runs.iter().cloned().map(Kit::plain).collect()).await.unwrap();
        let claimer = {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut ended = 0;
                while !store.waiting().await.unwrap().is_empty() {
                    let want = Want { workspace: "one".parse().unwrap(), runs: 1 };
                    for claim in store.claim(vec![want]).await.unwrap() {
                        let written = store.commit(vec![end(&claim, 1)]).await.unwrap();
                        assert_eq!(written, [Written::Done(None)]);
                        ended += 1;
                    }
                }
                ended
            })
        };
        let mut cancelled = 0;
        for run in runs.iter().rev() {
            match store.commit(vec![cancel(&run.id)]).await.unwrap().remove(0) {
                Written::Done(None) => cancelled += 1,
                Written::Claimed | Written::Rejected => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(claimer.await.unwrap() + cancelled, runs.len());
    }
    let runs = &store.counts().await.unwrap()[0].runs;
    assert_eq!(runs.values().sum::<u64>(), 50 * 40);
    assert!(runs.keys().all(|state| state.is_terminal()));
}

#[tokio::test]
async fn a_cancel_that_is_taken_back_leaves_the_run_in_its_place() {
    let folder = Folder::new();
    let deployment = Kit::new(&folder).await.deployment;
    let store = open(&folder.data()).unwrap();
    let runs: Vec<_> = (0..3).map(|_| run_in("one", deployment)).collect();
    store.accept(runs.iter().cloned().map(Kit::plain).collect()).await.unwrap();
    let id = runs[0].id.clone();
    let failed: Result<(), _> = store
        .write(move |tx| {
            settle::cancel(tx, &id, Timestamp(1), &Outcome::Pending)?;
            Err(Error::Full)
        })
        .await;
    assert!(matches!(failed, Err(Error::Full)));
    let want = vec![Want { workspace: "one".parse().unwrap(), runs: 9 }];
    let claims = store.claim(want).await.unwrap();
    assert!(claims.iter().map(|claim| &claim.run).eq(&runs));
}

#[tokio::test]
async fn no_list_of_runs_needs_sorting_or_reads_them_all() {
    let folder = Folder::new();
    drop(Kit::new(&folder).await);
    let store = open(&folder.data()).unwrap();
    let workspace = Some("one".parse().unwrap());
    let flow = Some("f".parse().unwrap());
    let mut filters = vec![
        RunFilter::default(),
        RunFilter { workspace: workspace.clone(), ..RunFilter::default() },
        RunFilter { workspace, flow: flow.clone(), ..RunFilter::default() },
        RunFilter { flow, ..RunFilter::default() },
    ];
    let states = State::ALL.map(|state| RunFilter { state: Some(state), ..RunFilter::default() });
    filters.extend(states);
    for filter in filters {
        let overlay = [(1, Timestamp(1)), (2, Timestamp(1))].into();
        let asked = filter.clone();
        let plan = store.shared.readers.read(move |db| {
            let (sql, values) = run_views::list_query(db, &filter, &overlay)?.unwrap();
            let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let values = rusqlite::params_from_iter(values);
            let rows = statement.query_map(values, |row| row.get::<_, String>(3))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        });
        let plan = plan.await.unwrap().join("\n");
        assert!(!plan.contains("ORDER BY") && !plan.contains("SCAN r"), "{asked:?}\n{plan}");
    }
}

/// Not a test of a promise: how fast runs are accepted and ended. Run by hand.
#[tokio::test]
#[ignore = "a measurement"]
async fn pairs_per_second() {
    let folder = Folder::new();
    let deployment = Kit::new(&folder).await.deployment;
    let store = open(&folder.data()).unwrap();
    let one = Want { workspace: "one".parse().unwrap(), runs: 500 };
    let begun = Instant::now();
    let rounds = 200_u32;
    for _ in 0..rounds {
        let batch = (0..500).map(|_| Kit::plain(run_in("one", deployment))).collect();
        store.accept(batch).await.unwrap();
        let claims = store.claim(vec![one.clone()]).await.unwrap();
        store.commit(claims.iter().map(|claim| end(claim, 1)).collect()).await.unwrap();
    }
    let rate = f64::from(rounds * 500) / begun.elapsed().as_secs_f64();
    let mut waits = Vec::new();
    for _ in 0..500 {
        let begun = Instant::now();
        store.accept(vec![Kit::plain(run_in("one", deployment))]).await.unwrap();
        let claim = store.claim(vec![one.clone()]).await.unwrap().remove(0);
        store.commit(vec![end(&claim, 1)]).await.unwrap();
        waits.push(begun.elapsed());
    }
    waits.sort();
    eprintln!("{rate:.0} pairs per second; one alone {:?}, p99 {:?}", waits[250], waits[494]);
}
