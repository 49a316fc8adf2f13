-- What runs wait for: a moment, another run, or both (a call with a time-out). A row is there from
-- the commit that records the wait until the one that answers it.
-- Kinds: 0 a moment, 1 another run, 2 the next attempt of the run itself.
CREATE TABLE waits (
    run     INTEGER NOT NULL,
    scope   TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    until   INTEGER,
    callee  INTEGER,                 -- seq of the run that is waited for
    PRIMARY KEY (run, scope, attempt, ordinal)
) WITHOUT ROWID;
CREATE INDEX waits_by_moment ON waits (until) WHERE until IS NOT NULL;
CREATE INDEX waits_by_callee ON waits (callee) WHERE callee IS NOT NULL;

-- Calls under way, as the version before kept them: `runs.waits_*`, which nothing uses any more.
INSERT INTO waits
    SELECT c.caller, c.scope, c.attempt, c.ordinal, 1,
           CASE WHEN r.waits_scope = c.scope AND r.waits_attempt = c.attempt
                 AND r.waits_ordinal = c.ordinal THEN r.waits_until END,
           callee.seq
    FROM calls AS c JOIN runs AS r ON r.seq = c.caller JOIN runs AS callee ON callee.id = c.run
    WHERE c.waits AND c.state IS NULL AND r.state < 3 AND NOT EXISTS (
        SELECT 1 FROM answers AS a WHERE a.run = c.caller AND a.scope = c.scope
            AND a.attempt = c.attempt AND a.ordinal = c.ordinal);

-- Version of the form of what is in it: `journal::FORMAT`.
ALTER TABLE chunks ADD COLUMN format INTEGER NOT NULL DEFAULT 1;
ALTER TABLE answers ADD COLUMN format INTEGER NOT NULL DEFAULT 1;

ALTER TABLE runs ADD COLUMN deadline INTEGER;   -- when it must have ended
ALTER TABLE runs ADD COLUMN recovered INTEGER NOT NULL DEFAULT 0; -- starts that found it evaluated
ALTER TABLE runs ADD COLUMN successor BLOB;     -- the run that continues it
ALTER TABLE runs ADD COLUMN dealt_at INTEGER;   -- when somebody dealt with its failure
CREATE INDEX runs_by_deadline ON runs (deadline) WHERE deadline IS NOT NULL AND state < 3;
CREATE INDEX runs_dead ON runs (seq) WHERE state = 4 AND dealt_at IS NULL;
