-- Counters outlive the events that they were made of. When they are made again, slices from before the oldest event that is left stay as they are.
CREATE TABLE counter_floor (
    account_id BIGINT PRIMARY KEY,
    since BIGINT NOT NULL                           -- nothing is added to earlier slices any more
);
