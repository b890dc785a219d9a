-- Statistics: counters as a fold of the event table, and how far each follower of the event table has read.

-- The site that a message was first attempted at; '' = never attempted, or its route was never found. Set once.
ALTER TABLE message ADD COLUMN site TEXT NOT NULL DEFAULT '';
-- When the submission was to be sent; 0 = rows from before this column.
ALTER TABLE submission ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0;

-- Followers read events in their order; one account's feed is read alone.
--pg CREATE INDEX event_order ON event (xact, id);
--pg CREATE INDEX event_account ON event (account_id, xact, id);
--lite CREATE INDEX event_account ON event (account_id, id);

-- How far a follower of the event table (statistics, webhooks, guard) has read, and who is doing it.
CREATE TABLE follower (
    name TEXT PRIMARY KEY,
    xact BIGINT NOT NULL DEFAULT 0,                 -- the transaction on PostgreSQL, 0 on SQLite
    id BIGINT NOT NULL DEFAULT 0,                   -- event.id
    owner BIGINT NOT NULL DEFAULT 0,                -- worker.id that follows now; the lease saves work, the position keeps it exact
    until BIGINT NOT NULL DEFAULT 0
);

-- Sums per time slice. facts.CounterKey says what the key means, facts.COUNTS what the columns mean.
CREATE TABLE counter (
    account_id BIGINT NOT NULL,
    axis TEXT NOT NULL CHECK (axis IN ('account', 'campaign', 'sender')),
    source TEXT NOT NULL,                           -- '' | campaign id | address
    timing TEXT NOT NULL CHECK (timing IN ('message', 'event')),
    resolution TEXT NOT NULL CHECK (resolution IN ('5m', 'hour', 'day')),
    bucket BIGINT NOT NULL,                         -- beginning of the slice
    door TEXT NOT NULL,
    provider TEXT NOT NULL,                         -- '' = never attempted, or not known
    processed BIGINT NOT NULL,
    blocked BIGINT NOT NULL,
    deferred BIGINT NOT NULL,
    delivered BIGINT NOT NULL,
    exhausted BIGINT NOT NULL,
    hard_errors BIGINT NOT NULL,
    opened BIGINT NOT NULL,
    clicked BIGINT NOT NULL,
    engaged BIGINT NOT NULL,
    opened_by_persons BIGINT NOT NULL,
    clicked_by_persons BIGINT NOT NULL,
    engaged_by_persons BIGINT NOT NULL,
    unsubscribed BIGINT NOT NULL,
    spam BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    open_events BIGINT NOT NULL,
    click_events BIGINT NOT NULL,
    unsubscribe_events BIGINT NOT NULL,
    spam_events BIGINT NOT NULL,
    open_delay_s BIGINT NOT NULL,
    click_delay_s BIGINT NOT NULL,
    delivery_delay_s BIGINT NOT NULL,
    PRIMARY KEY (account_id, axis, source, timing, resolution, bucket, door, provider)
);

-- Links, reader programs and countries per day. facts.ReachKey.
CREATE TABLE reach (
    account_id BIGINT NOT NULL,
    campaign_id BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('link', 'agent', 'country')),
    bucket BIGINT NOT NULL,
    digest TEXT NOT NULL,                           -- of is_click, name and detail: they may be longer than an index takes
    is_click SMALLINT NOT NULL CHECK (is_click IN (0, 1)),
    name TEXT NOT NULL,
    detail TEXT NOT NULL,
    messages BIGINT NOT NULL,
    events BIGINT NOT NULL,
    PRIMARY KEY (account_id, campaign_id, kind, bucket, digest)
);

-- Which messages are already counted under which reach row's digest.
CREATE TABLE reach_seen (
    message_id BIGINT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (message_id, digest)
);
