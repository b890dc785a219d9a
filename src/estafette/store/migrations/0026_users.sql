-- The dashboard: people who sign in, what they may see, what they did.

-- A person with a sign-in. The password is an Argon2id hash; the TOTP secret is sealed with the master key.
CREATE TABLE dashboard_user (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,                      -- what is typed to sign in, folded to lower case: an address or a short name
    password_hash TEXT NOT NULL,
    sealed_totp BYTEA,                              -- NULL = no second factor
    totp_step BIGINT NOT NULL DEFAULT 0,            -- the newest time step that was used: a code works once
    language TEXT NOT NULL DEFAULT '' CHECK (language IN ('', 'en', 'fr')),  -- '' = as the browser prefers
    is_admin SMALLINT NOT NULL DEFAULT 0 CHECK (is_admin IN (0, 1)),  -- of the installation: owner of every account
    is_active SMALLINT NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    created_at BIGINT NOT NULL
);
--pg CREATE SEQUENCE dashboard_user_id AS BIGINT;
--pg ALTER TABLE dashboard_user ALTER COLUMN id SET DEFAULT nextval('dashboard_user_id');

-- What a person may do in an account. No row: the account does not exist for him.
CREATE TABLE dashboard_role (
    user_id BIGINT NOT NULL REFERENCES dashboard_user (id),
    account_id BIGINT NOT NULL REFERENCES account (id),
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'marketer', 'analyst', 'developer', 'support')),
    PRIMARY KEY (user_id, account_id)
);

-- Running sign-ins. The token is in the cookie only; here is its SHA-256.
CREATE TABLE dashboard_session (
    token_sha256 BYTEA PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES dashboard_user (id),
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    until BIGINT NOT NULL,
    peer TEXT NOT NULL,
    agent TEXT NOT NULL
);
CREATE INDEX dashboard_session_user ON dashboard_session (user_id);

-- Who did what. account_id 0 = the installation.
CREATE TABLE audit_entry (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL,
    user_name TEXT NOT NULL,
    at BIGINT NOT NULL,
    action TEXT NOT NULL,                           -- block.lift, domain.add, key.add, ...
    object TEXT NOT NULL,                           -- the address, domain, key, ... it was done to
    detail TEXT NOT NULL DEFAULT ''                 -- the reason given
);
CREATE INDEX audit_entry_account ON audit_entry (account_id, id);
--pg CREATE SEQUENCE audit_entry_id AS BIGINT;
--pg ALTER TABLE audit_entry ALTER COLUMN id SET DEFAULT nextval('audit_entry_id');

-- Files that people asked for. A worker makes them part by part; `owner_until` lets another go on when it dies.
CREATE TABLE export_job (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    user_name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('messages', 'blocks', 'statistics')),
    format TEXT NOT NULL CHECK (format IN ('csv', 'jsonl')),
    query TEXT NOT NULL,                            -- the filters, as in the address of the page
    state TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'failed')),
    cursor BIGINT NOT NULL,                         -- where the next part begins
    parts BIGINT NOT NULL DEFAULT 0,
    row_count BIGINT NOT NULL DEFAULT 0,
    size_bytes BIGINT NOT NULL DEFAULT 0,
    owner_until BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX export_job_account ON export_job (account_id, id);
CREATE INDEX export_job_waiting ON export_job (id) WHERE state = 'waiting';
--pg CREATE SEQUENCE export_job_id AS BIGINT;
--pg ALTER TABLE export_job ALTER COLUMN id SET DEFAULT nextval('export_job_id');

CREATE TABLE export_part (
    job_id BIGINT NOT NULL REFERENCES export_job (id),
    number BIGINT NOT NULL,
    data BYTEA NOT NULL,                            -- zlib
    PRIMARY KEY (job_id, number)
);
