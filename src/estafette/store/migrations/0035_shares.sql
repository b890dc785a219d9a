-- A busy site is worked by several workers at once, each with a part of its limits (decision 50): a lease is of a path and a holder, over an interval of a
-- whole of 27720 parts. Intervals of different holders never overlap. Leases do not outlive a start, so nothing is carried over.
DROP TABLE path_lease;
CREATE TABLE path_lease (
    path TEXT NOT NULL,
    owner BIGINT NOT NULL,                          -- worker.id
    until BIGINT NOT NULL,
    low BIGINT NOT NULL DEFAULT 0,                  -- the holder's part is from here ...
    high BIGINT NOT NULL DEFAULT 27720,             -- ... to before here
    holders BIGINT NOT NULL DEFAULT 1,              -- among how many the path is shared; what the row of its first holder says counts
    words TEXT NOT NULL DEFAULT '',                 -- what servers last told this holder that concerns the others (JSON)
    PRIMARY KEY (path, owner)
);
CREATE INDEX path_lease_owner ON path_lease (owner);
CREATE INDEX path_lease_shared ON path_lease (path) WHERE holders > 1;
