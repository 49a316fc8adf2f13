-- Flows with a recovery handler whose last run failed, and since when.
CREATE TABLE failing (
    flow  INTEGER PRIMARY KEY,
    since INTEGER NOT NULL
);
