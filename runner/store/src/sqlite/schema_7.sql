-- Alarms that are raised: of a workspace's health (flow 0), and of flows that are absent.
CREATE TABLE alarms (
    workspace INTEGER NOT NULL,
    flow      INTEGER NOT NULL,
    raised    TEXT NOT NULL,
    PRIMARY KEY (workspace, flow)
) WITHOUT ROWID;

-- Live flows with `absence`: their last success, or when they went live with it.
CREATE TABLE expected (
    flow      INTEGER PRIMARY KEY,
    workspace INTEGER NOT NULL,
    since     INTEGER NOT NULL,
    after_us  INTEGER NOT NULL
);
