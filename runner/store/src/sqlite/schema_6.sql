-- Recoveries are awaited per flow, and per schedule that has handlers of its own: its identity, empty
-- for the flow's other runs.
CREATE TABLE failing_6 (
    flow     INTEGER NOT NULL,
    schedule TEXT NOT NULL,
    since    INTEGER NOT NULL,
    PRIMARY KEY (flow, schedule)
) WITHOUT ROWID;
INSERT INTO failing_6 SELECT flow, '', since FROM failing;
DROP TABLE failing;
ALTER TABLE failing_6 RENAME TO failing;
-- 1 while a runner has the database; one that finds it so knows that the last one died.
INSERT INTO numbers VALUES ('open', 0);
