-- Webhooks: customers' endpoints, what is on its way to them, and the log of calls.

CREATE TABLE webhook (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    event_type TEXT NOT NULL CHECK (event_type IN ('open', 'click', 'bounce', 'spam', 'blocked', 'unsub', 'sent')),
    is_backup SMALLINT NOT NULL CHECK (is_backup IN (0, 1)),
    url TEXT NOT NULL,
    version SMALLINT NOT NULL CHECK (version IN (1, 2)),
    created_at BIGINT NOT NULL,
    failures BIGINT NOT NULL DEFAULT 0,             -- since the last success
    failing_since BIGINT NOT NULL DEFAULT 0,
    paused_until BIGINT NOT NULL DEFAULT 0,
    suspended_at BIGINT NOT NULL DEFAULT 0,         -- 0 = alive
    trouble TEXT NOT NULL DEFAULT '',
    UNIQUE (account_id, event_type, is_backup)
);

-- Events that are still to be told. A row is removed when it was told, or given up after a week.
CREATE TABLE parcel (
    id BIGINT PRIMARY KEY,
    webhook_id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    message_id BIGINT NOT NULL,                     -- events of one message are told in their order
    payload TEXT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    queued_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL
);
CREATE INDEX parcel_due ON parcel (webhook_id, due_at);
CREATE INDEX parcel_message ON parcel (message_id, id);

-- Every call that was made, for a week.
CREATE TABLE webhook_call (
    id BIGINT PRIMARY KEY,
    webhook_id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    url TEXT NOT NULL,
    at BIGINT NOT NULL,
    status BIGINT NOT NULL,                         -- 0 = no answer
    trouble TEXT NOT NULL,                          -- '' = it succeeded
    duration_ms BIGINT NOT NULL,
    event_ids TEXT NOT NULL,                        -- JSON array
    body TEXT NOT NULL,
    answer TEXT NOT NULL
);
CREATE INDEX webhook_call_account ON webhook_call (account_id, id);
CREATE INDEX webhook_call_age ON webhook_call (at);
--pg CREATE SEQUENCE webhook_id AS BIGINT;
--pg ALTER TABLE webhook ALTER COLUMN id SET DEFAULT nextval('webhook_id');
--pg CREATE SEQUENCE parcel_id AS BIGINT;
--pg ALTER TABLE parcel ALTER COLUMN id SET DEFAULT nextval('parcel_id');
--pg CREATE SEQUENCE webhook_call_id AS BIGINT;
--pg ALTER TABLE webhook_call ALTER COLUMN id SET DEFAULT nextval('webhook_call_id');
--lite CREATE TABLE webhook_id (next BIGINT NOT NULL);
--lite INSERT INTO webhook_id VALUES (1);
