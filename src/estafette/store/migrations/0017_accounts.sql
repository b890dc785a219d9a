-- Sub-accounts, what a key may do, senders and domains with how they were verified.

ALTER TABLE account ADD COLUMN parent_id BIGINT NOT NULL DEFAULT 0;   -- the account whose sub-account this is, 0 = none
ALTER TABLE account ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';    -- JSON object: what the customer tells of himself

CREATE TABLE api_key_2 (
    id BIGINT PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    account_id BIGINT NOT NULL REFERENCES account (id),
    secret_sha256 BYTEA NOT NULL,                   -- the secret itself is never stored
    is_active SMALLINT NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    name TEXT NOT NULL DEFAULT '',
    scopes TEXT NOT NULL DEFAULT '[]',              -- JSON array of send, read, manage; empty = all
    networks TEXT NOT NULL DEFAULT '[]',            -- JSON array of networks that it may be used from; empty = any
    rate_per_s BIGINT NOT NULL DEFAULT 0,           -- requests per second, 0 = no limit
    created_at BIGINT NOT NULL
);
--pg CREATE SEQUENCE api_key_id AS BIGINT;
--pg ALTER TABLE api_key_2 ALTER COLUMN id SET DEFAULT nextval('api_key_id');
INSERT INTO api_key_2 (key, account_id, secret_sha256, is_active, created_at) SELECT key, account_id, secret_sha256, is_active, created_at FROM api_key
ORDER BY created_at, key;
DROP TABLE api_key;
ALTER TABLE api_key_2 RENAME TO api_key;
CREATE INDEX api_key_account ON api_key (account_id);

-- Addresses that an account may write as; '*@domain' stands for a whole domain, whose row says whether it is verified.
CREATE TABLE sender_2 (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    address TEXT NOT NULL,
    address_key TEXT NOT NULL,                      -- folded address
    name TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL DEFAULT 'unknown' CHECK (kind IN ('transactional', 'bulk', 'unknown')),
    is_default SMALLINT NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
    is_verified SMALLINT NOT NULL CHECK (is_verified IN (0, 1)),
    created_at BIGINT NOT NULL,
    deleted_at BIGINT,
    UNIQUE (account_id, address_key)
);
--pg CREATE SEQUENCE sender_id AS BIGINT;
--pg ALTER TABLE sender_2 ALTER COLUMN id SET DEFAULT nextval('sender_id');
INSERT INTO sender_2 (account_id, address, address_key, is_verified, created_at)
SELECT account_id, address_key, address_key, is_verified, created_at FROM sender ORDER BY created_at, address_key;
INSERT INTO sender_2 (account_id, address, address_key, is_verified, created_at)
SELECT account_id, '*@' || name, '*@' || name, is_verified, created_at FROM domain ORDER BY created_at, name;
DROP TABLE sender;
ALTER TABLE sender_2 RENAME TO sender;

CREATE TABLE domain_2 (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,                             -- A-label, lower case
    is_verified SMALLINT NOT NULL CHECK (is_verified IN (0, 1)),
    ownership_token TEXT NOT NULL,                  -- to be published in DNS
    dkim_status TEXT NOT NULL DEFAULT 'Not checked' CHECK (dkim_status IN ('OK', 'Error', 'Not checked', 'Not found')),
    spf_status TEXT NOT NULL DEFAULT 'Not checked' CHECK (spf_status IN ('OK', 'Error', 'Not checked', 'Not found')),
    dmarc_status TEXT NOT NULL DEFAULT 'Not checked' CHECK (dmarc_status IN ('OK', 'Error', 'Not checked', 'Not found')),
    return_path_status TEXT NOT NULL DEFAULT 'Not checked' CHECK (return_path_status IN ('OK', 'Error', 'Not checked', 'Not found')),
    checked_at BIGINT,                              -- NULL = never
    created_at BIGINT NOT NULL,
    UNIQUE (account_id, name)
);
--pg CREATE SEQUENCE domain_id AS BIGINT;
--pg ALTER TABLE domain_2 ALTER COLUMN id SET DEFAULT nextval('domain_id');
INSERT INTO domain_2 (account_id, name, is_verified, ownership_token, created_at)
SELECT account_id, name, is_verified, ownership_token, created_at FROM domain ORDER BY created_at, name;
DROP TABLE domain;
ALTER TABLE domain_2 RENAME TO domain;
