-- How runs take their turn: a row for each run of a flow with `concurrency`, `debounce` or
-- `priority`, for as long as the run is there.
CREATE TABLE turns (
    run       INTEGER PRIMARY KEY, -- its seq
    flow      INTEGER NOT NULL,
    key       TEXT,                -- NULL: it shares nothing
    open      INTEGER NOT NULL,    -- whether the run has not ended
    due       INTEGER,             -- when its debounce is over
    since     INTEGER,             -- when the first of those that it replaced was accepted
    yields_to BLOB,                -- the run that has its key, or takes its place
    turn      TEXT NOT NULL
);
CREATE INDEX turns_open ON turns (flow, key, run) WHERE open = 1 AND key IS NOT NULL;
CREATE INDEX turns_debounced ON turns (flow, key, due)
    WHERE open = 1 AND key IS NOT NULL AND due IS NOT NULL;
CREATE INDEX turns_yielding ON turns (run) WHERE open = 1 AND yields_to IS NOT NULL;
