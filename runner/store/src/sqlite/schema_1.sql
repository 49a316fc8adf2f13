-- Names are interned: a run's row holds two integers instead of two texts.
CREATE TABLE workspaces (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    live       INTEGER,              -- the deployment that is live
    pinned     INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER,
    updated_at INTEGER
);
CREATE TABLE flows (
    id        INTEGER PRIMARY KEY,
    workspace INTEGER NOT NULL REFERENCES workspaces (id),
    name      TEXT NOT NULL,
    UNIQUE (workspace, name)
);

-- States: 0 queued, 1 running, 2 suspended, 3 succeeded, 4 failed, 5 cancelled, 6 skipped.
-- Wide columns stand last, so that lists never read them.
CREATE TABLE runs (
    seq           INTEGER PRIMARY KEY,
    id            BLOB NOT NULL UNIQUE,
    workspace     INTEGER NOT NULL,
    flow          INTEGER NOT NULL,
    deployment    INTEGER NOT NULL,
    state         INTEGER NOT NULL,
    reason        TEXT,
    attempt       INTEGER NOT NULL DEFAULT 1,
    lost_cells    INTEGER NOT NULL DEFAULT 0,
    active_us     INTEGER NOT NULL DEFAULT 0,
    isolation     INTEGER,
    queued_at     INTEGER NOT NULL,
    started_at    INTEGER,
    ended_at      INTEGER,
    waits_scope   TEXT,              -- key of the call that a suspended run waits for
    waits_attempt INTEGER,
    waits_ordinal INTEGER,
    waits_until   INTEGER,
    trigger       TEXT NOT NULL,
    error         TEXT,
    chain         TEXT,              -- NULL: nobody called
    inputs        BLOB NOT NULL,
    result        BLOB
);
CREATE INDEX runs_of_workspace ON runs (workspace, seq, flow);
CREATE INDEX runs_of_deployment ON runs (deployment);
-- What waits and what went wrong; a run that succeeded costs nothing here.
CREATE INDEX runs_unsettled ON runs (state, seq) WHERE state <> 3;

CREATE TABLE chunks (
    run    INTEGER NOT NULL,
    number INTEGER NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;

CREATE TABLE answers (
    run     INTEGER NOT NULL,
    scope   TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    outcome BLOB NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (run, scope, attempt, ordinal)
) WITHOUT ROWID;

CREATE TABLE calls (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    at               INTEGER NOT NULL,
    allowed          INTEGER NOT NULL,
    rule             TEXT NOT NULL,
    caller_workspace INTEGER NOT NULL,
    caller_flow      INTEGER NOT NULL,
    caller           INTEGER NOT NULL, -- seq of the calling run
    caller_run       BLOB NOT NULL,
    target           TEXT NOT NULL,
    callee_workspace INTEGER,
    callee_flow      INTEGER,
    service          TEXT,
    version          INTEGER,
    inputs           BLOB NOT NULL,
    run              BLOB,             -- the run that was started
    waits            INTEGER NOT NULL,
    scope            TEXT NOT NULL,
    attempt          INTEGER NOT NULL,
    ordinal          INTEGER NOT NULL,
    state            INTEGER,          -- of the started run, once it ended
    ended_at         INTEGER
);
CREATE UNIQUE INDEX calls_of_run ON calls (run) WHERE run IS NOT NULL;
CREATE INDEX calls_of_caller ON calls (caller);
CREATE INDEX calls_from ON calls (caller_workspace, id);
CREATE INDEX calls_to ON calls (callee_workspace, id);

CREATE TABLE deployments (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace       INTEGER NOT NULL,
    source          TEXT NOT NULL,
    revision        TEXT NOT NULL,
    tree            TEXT NOT NULL,
    identity        BLOB NOT NULL,
    contracts       BLOB NOT NULL,
    outcome         TEXT NOT NULL,
    author          TEXT NOT NULL,
    hint            TEXT NOT NULL,
    hint_to_live_ms REAL,
    started_at      INTEGER NOT NULL,
    ended_at        INTEGER NOT NULL,
    pin             INTEGER NOT NULL,
    flows           TEXT NOT NULL,     -- added, changed and removed, as JSON
    diagnostics     TEXT NOT NULL,
    spec            TEXT
);
CREATE INDEX deployments_of_workspace ON deployments (workspace, id);
CREATE TABLE deployment_files (
    deployment INTEGER NOT NULL,
    path       TEXT NOT NULL,
    digest     BLOB NOT NULL,
    PRIMARY KEY (deployment, path)
) WITHOUT ROWID;
CREATE INDEX files_by_digest ON deployment_files (digest);
CREATE TABLE blobs (
    id      INTEGER PRIMARY KEY,
    digest  BLOB NOT NULL UNIQUE,
    content BLOB NOT NULL
);

CREATE TABLE schedules (
    flow      INTEGER NOT NULL,
    schedule  TEXT NOT NULL,
    workspace INTEGER NOT NULL,
    last_slot INTEGER NOT NULL,
    PRIMARY KEY (flow, schedule)
) WITHOUT ROWID;
CREATE TABLE idempotency (
    flow   INTEGER NOT NULL,
    key    TEXT NOT NULL,
    inputs BLOB NOT NULL,
    run    BLOB NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (flow, key)
) WITHOUT ROWID;

CREATE TABLE state (
    workspace INTEGER NOT NULL,
    name      TEXT NOT NULL,
    value     BLOB NOT NULL,
    UNIQUE (workspace, name)
);
CREATE TABLE secrets (
    workspace INTEGER NOT NULL,
    name      TEXT NOT NULL,
    sealed    BLOB NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (workspace, name)
) WITHOUT ROWID;
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- Runs by state, kept by the commits that change them.
CREATE TABLE counts (
    workspace INTEGER NOT NULL,
    state     INTEGER NOT NULL,
    runs      INTEGER NOT NULL,
    PRIMARY KEY (workspace, state)
) WITHOUT ROWID;
-- boot: how often the store was opened. seq: highest sequence that was ever given to a run.
CREATE TABLE numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO numbers VALUES ('boot', 0), ('seq', 0);
