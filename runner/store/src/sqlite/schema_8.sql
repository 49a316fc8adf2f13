-- Without a rowid a row is its key: to find one, SQLite read the bodies of its neighbours, a whole
-- log at each comparison.
CREATE TABLE chunks_8 (
    id     INTEGER PRIMARY KEY,      -- the run's seq * 2^24 + the chunk's number
    format INTEGER NOT NULL,
    body   BLOB NOT NULL
);
INSERT INTO chunks_8 SELECT run * 16777216 + number, format, body FROM chunks ORDER BY run, number;
DROP TABLE chunks;
ALTER TABLE chunks_8 RENAME TO chunks;

CREATE TABLE answers_8 (
    run     INTEGER NOT NULL,
    scope   TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    format  INTEGER NOT NULL,
    outcome BLOB NOT NULL,
    UNIQUE (run, scope, attempt, ordinal)
);
INSERT INTO answers_8 SELECT run, scope, attempt, ordinal, at, format, outcome FROM answers;
DROP TABLE answers;
ALTER TABLE answers_8 RENAME TO answers;
