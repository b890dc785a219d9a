-- What an account measures and keeps, who agreed to it, which links were taken back.

-- The account's own word; NULL = as the installation's configuration says.
CREATE TABLE account_policy (
    account_id BIGINT PRIMARY KEY REFERENCES account (id),
    opens TEXT CHECK (opens IN ('full', 'last_date', 'off')),
    clicks SMALLINT CHECK (clicks IN (0, 1)),
    text_links SMALLINT CHECK (text_links IN (0, 1)),       -- links of text parts are tracked too
    hides_client SMALLINT CHECK (hides_client IN (0, 1)),   -- the client's name and address are left out of Received
    content_days BIGINT CHECK (content_days >= 0),          -- how long the content of finished mail is kept
    event_days BIGINT CHECK (event_days >= 1),              -- how long messages and events are kept
    updated_at BIGINT NOT NULL
);

-- What one person agreed to, or not; whoever has no row agrees to what the account does.
CREATE TABLE consent (
    account_id BIGINT NOT NULL,
    address_key TEXT NOT NULL,
    opens SMALLINT NOT NULL CHECK (opens IN (0, 1)),
    clicks SMALLINT NOT NULL CHECK (clicks IN (0, 1)),
    source TEXT NOT NULL DEFAULT '',                -- who said so: a form, an import, a letter
    at BIGINT NOT NULL,
    PRIMARY KEY (account_id, address_key)
);

-- The date of a person's last opening, overwritten: all that the mode 'last_date' leaves behind.
CREATE TABLE last_open (
    account_id BIGINT NOT NULL,
    address_key TEXT NOT NULL,
    day TEXT NOT NULL,                              -- 2026-11-27
    PRIMARY KEY (account_id, address_key)
);

-- Links that no longer lead anywhere: of a campaign, to a host, one address.
CREATE TABLE revocation (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('campaign', 'host', 'link')),
    value TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    at BIGINT NOT NULL,
    lifted_at BIGINT
);
CREATE INDEX revocation_running ON revocation (account_id) WHERE lifted_at IS NULL;
--pg CREATE SEQUENCE revocation_id AS BIGINT;
--pg ALTER TABLE revocation ALTER COLUMN id SET DEFAULT nextval('revocation_id');
