-- Schedules: paused ones, what their slots follow from, and runs that wait for earlier ones.
ALTER TABLE workspaces ADD COLUMN paused_at INTEGER;
ALTER TABLE schedules ADD COLUMN paused_at INTEGER;
ALTER TABLE schedules ADD COLUMN timing TEXT;  -- NULL: from version 1, whose identity was its timing
ALTER TABLE schedules ADD COLUMN run INTEGER;  -- seq of the run that its latest slot put into the queue

-- Queued runs that are in no queue before the one in front of them has ended.
CREATE TABLE held (
    flow     INTEGER NOT NULL,
    schedule TEXT NOT NULL,
    run      INTEGER NOT NULL,  -- seq
    PRIMARY KEY (flow, schedule, run)
) WITHOUT ROWID;
CREATE UNIQUE INDEX held_run ON held (run);
