-- Contacts, their properties, lists and subscriptions, and jobs that change many of them. docs/decisions/0033 says why properties are one JSON column.

-- A person that an account writes to.
CREATE TABLE contact (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    address TEXT NOT NULL,                          -- as it was given
    address_key TEXT NOT NULL,                      -- folded
    name TEXT NOT NULL DEFAULT '',
    is_excluded SMALLINT NOT NULL DEFAULT 0 CHECK (is_excluded IN (0, 1)),  -- gets no campaign of any list
    excluded_at BIGINT,                             -- when that was last changed, NULL = never
    properties TEXT NOT NULL DEFAULT '{}',          -- JSON object: contact_property.id → value; times as microseconds since 1970
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (account_id, address_key)
);
CREATE INDEX contact_order ON contact (account_id, id);
CREATE INDEX contact_excluded ON contact (account_id, id) WHERE is_excluded = 1;
--pg CREATE SEQUENCE contact_id AS BIGINT;
--pg ALTER TABLE contact ALTER COLUMN id SET DEFAULT nextval('contact_id');

-- What an account keeps of its contacts. A row stays when the property is dropped: its id must not be given to another.
CREATE TABLE contact_property (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,                         -- lower case
    kind TEXT NOT NULL CHECK (kind IN ('str', 'int', 'float', 'datetime', 'bool')),
    created_at BIGINT NOT NULL,
    dropped_at BIGINT
);
CREATE UNIQUE INDEX contact_property_name ON contact_property (account_id, name_key) WHERE dropped_at IS NULL;
--pg CREATE SEQUENCE contact_property_id AS BIGINT;
--pg ALTER TABLE contact_property ALTER COLUMN id SET DEFAULT nextval('contact_property_id');

-- A list of contacts. A deleted one can be called back for a while.
CREATE TABLE contact_list (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    address TEXT NOT NULL UNIQUE,                   -- local part of the list's own address
    subscribers BIGINT NOT NULL DEFAULT 0,          -- subscriptions that are not unsubscribed; kept in the transaction that changes them
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX contact_list_name ON contact_list (account_id, name) WHERE deleted_at IS NULL;
CREATE INDEX contact_list_order ON contact_list (account_id, id);
--pg CREATE SEQUENCE contact_list_id AS BIGINT;
--pg ALTER TABLE contact_list ALTER COLUMN id SET DEFAULT nextval('contact_list_id');

-- A contact on a list; who has unsubscribed stays, so that it is not forgotten.
CREATE TABLE subscription (
    id BIGINT PRIMARY KEY,
    list_id BIGINT NOT NULL REFERENCES contact_list (id),
    contact_id BIGINT NOT NULL REFERENCES contact (id),
    is_unsubscribed SMALLINT NOT NULL CHECK (is_unsubscribed IN (0, 1)),
    subscribed_at BIGINT NOT NULL,
    unsubscribed_at BIGINT,                         -- NULL = never, or subscribed again since
    source TEXT NOT NULL,                           -- by which way it came to be as it is: api, import, form, link, ...
    evidence TEXT NOT NULL DEFAULT '',              -- what proves it: job, message, address of the reader
    UNIQUE (list_id, contact_id)
);
CREATE INDEX subscription_order ON subscription (list_id, id);
CREATE INDEX subscription_contact ON subscription (contact_id, list_id);
--pg CREATE SEQUENCE subscription_id AS BIGINT;
--pg ALTER TABLE subscription ALTER COLUMN id SET DEFAULT nextval('subscription_id');

-- Files that jobs read, as they were uploaded.
CREATE TABLE upload (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    list_id BIGINT NOT NULL,
    data BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
--pg CREATE SEQUENCE upload_id AS BIGINT;
--pg ALTER TABLE upload ALTER COLUMN id SET DEFAULT nextval('upload_id');

-- Work on many contacts, done piece by piece: each piece and the progress that it makes are one transaction.
CREATE TABLE contact_job (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    kind TEXT NOT NULL CHECK (kind IN ('contacts', 'csv', 'list')),  -- a JSON array of contacts, a CSV file, another list
    orders TEXT NOT NULL,                           -- JSON: what is to be done (nouns.JobOrders)
    upload_id BIGINT NOT NULL DEFAULT 0,            -- 0 = none
    status TEXT NOT NULL CHECK (status IN ('waiting', 'running', 'completed', 'failed', 'aborted')),
    done BIGINT NOT NULL DEFAULT 0,                 -- entries that were gone through
    total BIGINT NOT NULL DEFAULT 0,                -- 0 = not known yet
    errors BIGINT NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '',               -- why it failed as a whole
    owner BIGINT NOT NULL DEFAULT 0,                -- worker.id that works on it
    until BIGINT NOT NULL DEFAULT 0,                -- end of that lease
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT
);
CREATE INDEX contact_job_open ON contact_job (id) WHERE status IN ('waiting', 'running');
CREATE INDEX contact_job_order ON contact_job (account_id, id);
--pg CREATE SEQUENCE contact_job_id AS BIGINT;
--pg ALTER TABLE contact_job ALTER COLUMN id SET DEFAULT nextval('contact_job_id');

-- Entries of a job that could not be taken.
CREATE TABLE contact_job_error (
    job_id BIGINT NOT NULL REFERENCES contact_job (id),
    position BIGINT NOT NULL,                       -- of the entry, from 1
    entry TEXT NOT NULL,                            -- as it was given, cut
    reason TEXT NOT NULL,
    PRIMARY KEY (job_id, position)
);

-- Segments: a named expression over contacts.
CREATE TABLE segment (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    expression TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX segment_name ON segment (account_id, name) WHERE deleted_at IS NULL;
--pg CREATE SEQUENCE segment_id AS BIGINT;
--pg ALTER TABLE segment ALTER COLUMN id SET DEFAULT nextval('segment_id');
