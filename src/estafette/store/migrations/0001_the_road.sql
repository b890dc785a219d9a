-- The road: accounts and their authors, submissions and messages, the queue, events, blocks, workers.
-- One text for both databases: on SQLite BIGINT PRIMARY KEY becomes INTEGER PRIMARY KEY and BYTEA becomes BLOB.
-- Lines that begin with "--pg " are run on PostgreSQL only, with "--lite " on SQLite only.
-- All times are microseconds since 1970 UTC. Flags are 0 or 1.

-- Secrets and facts of the installation, one row each.
CREATE TABLE installation (
    name TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

-- A customer of the platform.
CREATE TABLE account (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    is_active SMALLINT NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    rate_per_s BIGINT NOT NULL DEFAULT 0,           -- accepted messages per second, 0 = no limit
    failure_reports SMALLINT NOT NULL DEFAULT 0 CHECK (failure_reports IN (0, 1)),
    created_at BIGINT NOT NULL
);

-- API keys: login of SMTP and HTTP. The secret is never stored, only its SHA-256.
CREATE TABLE api_key (
    key TEXT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    secret_sha256 BYTEA NOT NULL,
    is_active SMALLINT NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    created_at BIGINT NOT NULL
);

-- Addresses that an account may write as.
CREATE TABLE sender (
    account_id BIGINT NOT NULL REFERENCES account (id),
    address_key TEXT NOT NULL,                      -- folded address
    is_verified SMALLINT NOT NULL CHECK (is_verified IN (0, 1)),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, address_key)
);

-- Domains that an account may write as, whole.
CREATE TABLE domain (
    account_id BIGINT NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,                             -- A-label, lower case
    is_verified SMALLINT NOT NULL CHECK (is_verified IN (0, 1)),
    ownership_token TEXT NOT NULL,                  -- to be published in DNS
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, name)
);

-- DKIM keys; the private part is sealed with the master key, which is not in the database.
CREATE TABLE dkim_key (
    account_id BIGINT NOT NULL,                     -- 0 = the installation's own
    domain TEXT NOT NULL,
    selector TEXT NOT NULL,
    algorithm TEXT NOT NULL CHECK (algorithm IN ('rsa-sha256', 'ed25519-sha256')),
    sealed_private_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, domain, selector)
);

-- Running worker processes. The id is one incarnation and never used again: it is the fencing token of everything the worker claims.
CREATE TABLE worker (
    id BIGINT PRIMARY KEY,
    slot BIGINT NOT NULL UNIQUE CHECK (slot BETWEEN 0 AND 63),  -- part of the message ids that it makes
    name TEXT NOT NULL,                             -- host:pid
    lease_until BIGINT NOT NULL,
    delivers BIGINT NOT NULL DEFAULT 1              -- 0: does not take part in sharing the paths out
);

-- Which worker works a path (source address × site) now.
CREATE TABLE path_lease (
    path TEXT PRIMARY KEY,
    owner BIGINT NOT NULL,                          -- worker.id
    until BIGINT NOT NULL
);

-- A named campaign of an account; duplicates are judged inside it.
CREATE TABLE campaign (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (account_id, name)
);

-- Who has had a copy in a campaign that asks for it (DeduplicateCampaign): the first wins.
CREATE TABLE campaign_recipient (
    campaign_id BIGINT NOT NULL,
    address_key TEXT NOT NULL,
    message_id BIGINT NOT NULL,
    PRIMARY KEY (campaign_id, address_key)
);

-- What was accepted once.
CREATE TABLE submission (
    id BIGINT PRIMARY KEY,                          -- id of its first message
    account_id BIGINT NOT NULL REFERENCES account (id),
    door TEXT NOT NULL CHECK (door IN ('smtp', 'http', 'campaign', 'report')),
    reverse_path TEXT NOT NULL,                     -- '' = null
    author TEXT NOT NULL,
    subject TEXT NOT NULL,
    campaign_id BIGINT NOT NULL DEFAULT 0,          -- 0 = none
    custom_id TEXT NOT NULL DEFAULT '',
    options TEXT NOT NULL,                          -- JSON of model.Options, empty values left out
    smtputf8 SMALLINT NOT NULL CHECK (smtputf8 IN (0, 1)),
    size_bytes BIGINT NOT NULL,
    accepted_at BIGINT NOT NULL,
    deadline_at BIGINT NOT NULL
);
CREATE INDEX submission_custom ON submission (account_id, custom_id) WHERE custom_id <> '';
CREATE INDEX submission_campaign ON submission (campaign_id) WHERE campaign_id <> 0;

-- The mail of a submission, once, whatever the number of its recipients.
CREATE TABLE content (
    submission_id BIGINT PRIMARY KEY,
    codec TEXT NOT NULL CHECK (codec IN ('', 'zlib')),
    data BYTEA NOT NULL
);

-- One submission to one recipient: exactly one state, engagement marks.
CREATE TABLE message (
    id BIGINT PRIMARY KEY,
    submission_id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    recipient TEXT NOT NULL,
    address_key TEXT NOT NULL,                      -- folded recipient
    state TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'deferred', 'delivered', 'soft_bounced', 'hard_bounced', 'blocked')),
    marks BIGINT NOT NULL DEFAULT 0,                -- bit mask of model.Mark
    related_to TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    attempts BIGINT NOT NULL DEFAULT 0,             -- completed attempts
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX message_submission ON message (submission_id);
CREATE INDEX message_address ON message (address_key, id);

-- Unfinished messages only. owner = 0: waiting. A row is removed when its message reaches a final state.
CREATE TABLE queue (
    message_id BIGINT PRIMARY KEY,
    submission_id BIGINT NOT NULL,
    account_id BIGINT NOT NULL,
    recipient TEXT NOT NULL,
    domain TEXT NOT NULL,
    site TEXT NOT NULL,                             -- '' = to be routed
    lane BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    accepted_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    deadline_at BIGINT NOT NULL,
    owner BIGINT NOT NULL DEFAULT 0,                -- worker.id that holds it for an attempt
    campaign_id BIGINT NOT NULL DEFAULT 0,          -- 0 = none
    stream TEXT NOT NULL DEFAULT '',                -- what kind of mail it is, '' = not said
    claims BIGINT NOT NULL DEFAULT 0,               -- how often it was claimed from here: with the owner, the fencing token of one claim
    notify TEXT NOT NULL DEFAULT ''                 -- DSN NOTIFY as given (the whole request stands in dsn)
);
-- A *group* is what is taken in turn and can be held as a whole: the messages of one campaign of one account that wait in one lane of one site.
CREATE INDEX queue_due ON queue (site, lane, account_id, campaign_id, due_at) WHERE owner = 0;
CREATE INDEX queue_owner ON queue (owner) WHERE owner <> 0;
CREATE INDEX queue_deadline ON queue (deadline_at) WHERE owner = 0;
--pg ALTER TABLE queue SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

-- Append-only facts. On PostgreSQL `xact` lets a reader stay behind running transactions.
CREATE TABLE event (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL,
    message_id BIGINT NOT NULL,                     -- for 'accepted': the submission's first message
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    count BIGINT NOT NULL DEFAULT 1,                -- 'accepted': number of messages of the submission
    reply TEXT NOT NULL DEFAULT '',
    data TEXT NOT NULL DEFAULT ''                   -- JSON object, '' = none
);
CREATE INDEX event_message ON event (message_id, id);
--pg CREATE SEQUENCE event_id AS BIGINT CACHE 1;
--pg ALTER TABLE event ALTER COLUMN id SET DEFAULT nextval('event_id');
--pg ALTER TABLE event ADD COLUMN xact xid8 NOT NULL DEFAULT pg_current_xact_id();

-- Addresses that are not attempted. A lifted block stays as a fact.
CREATE TABLE block (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL,
    address_key TEXT NOT NULL,
    scope TEXT NOT NULL DEFAULT '',                 -- '' = whole account, 'list:<id>' = one list
    cause TEXT NOT NULL CHECK (cause IN ('hard_bounce', 'soft_bounce', 'complaint', 'unsubscribe', 'manual', 'import')),
    since BIGINT NOT NULL,
    until BIGINT,                                   -- NULL = until a person lifts it
    message_id BIGINT,                              -- evidence
    reply TEXT NOT NULL DEFAULT '',
    lifted_at BIGINT,
    lifted_reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX block_running ON block (address_key, account_id) WHERE lifted_at IS NULL;
--pg CREATE SEQUENCE block_id AS BIGINT;
--pg ALTER TABLE block ALTER COLUMN id SET DEFAULT nextval('block_id');
--pg CREATE SEQUENCE account_id AS BIGINT;
--pg ALTER TABLE account ALTER COLUMN id SET DEFAULT nextval('account_id');
--pg CREATE SEQUENCE campaign_id AS BIGINT;
--pg ALTER TABLE campaign ALTER COLUMN id SET DEFAULT nextval('campaign_id');
--pg CREATE SEQUENCE worker_id AS BIGINT;
--pg ALTER TABLE worker ALTER COLUMN id SET DEFAULT nextval('worker_id');
--lite CREATE TABLE worker_id (next BIGINT NOT NULL);
--lite INSERT INTO worker_id VALUES (1);

-- Answers to requests with an idempotency key, kept for 24 hours.
CREATE TABLE idempotency (
    account_id BIGINT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    answer BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);
