-- What each worker says of itself now and then, so that the commands can tell what holds mail up.

CREATE TABLE worker_report (
    worker_id BIGINT PRIMARY KEY,                   -- one that is gone is overlooked, and its row removed by the next that writes
    at BIGINT NOT NULL,
    data TEXT NOT NULL                              -- JSON of nouns.WorkerReport
);
