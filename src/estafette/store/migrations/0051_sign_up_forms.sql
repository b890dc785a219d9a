-- Forms by which people subscribe, how often something was asked, and what a property is in a newsletter for who has no value of it.

CREATE TABLE sign_up_form (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    key TEXT NOT NULL UNIQUE,                       -- in its address; random
    name TEXT NOT NULL,                             -- for the account only
    list_id BIGINT NOT NULL REFERENCES contact_list (id),
    definition TEXT NOT NULL,                       -- JSON: audience.FormDefinition
    is_active SMALLINT NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    asked BIGINT NOT NULL DEFAULT 0,                -- requests that were taken
    confirmed BIGINT NOT NULL DEFAULT 0,            -- subscriptions that came of them
    refused BIGINT NOT NULL DEFAULT 0,              -- by the trap for programs, or as too many
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX sign_up_form_order ON sign_up_form (account_id, id);
--pg CREATE SEQUENCE sign_up_form_id AS BIGINT;
--pg ALTER TABLE sign_up_form ALTER COLUMN id SET DEFAULT nextval('sign_up_form_id');

-- How often something was asked within a window of time. `who` is a keyed hash of an address, a network or a form: no person can be read from it.
CREATE TABLE sign_up_count (
    who TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (who, starts_at)
);
CREATE INDEX sign_up_count_end ON sign_up_count (ends_at);

ALTER TABLE contact_property ADD COLUMN fallback TEXT NOT NULL DEFAULT '';  -- JSON: what mails say for who has no value, '' = nothing

-- Why people left is counted beside links, programs and countries: `reach.kind` takes one word more.
--pg ALTER TABLE reach DROP CONSTRAINT reach_kind_check;
--pg ALTER TABLE reach ADD CONSTRAINT reach_kind_check CHECK (kind IN ('link', 'agent', 'country', 'reason'));
--lite CREATE TABLE reach_next (
--lite     account_id BIGINT NOT NULL,
--lite     campaign_id BIGINT NOT NULL,
--lite     kind TEXT NOT NULL CHECK (kind IN ('link', 'agent', 'country', 'reason')),
--lite     bucket BIGINT NOT NULL,
--lite     digest TEXT NOT NULL,
--lite     is_click SMALLINT NOT NULL CHECK (is_click IN (0, 1)),
--lite     name TEXT NOT NULL,
--lite     detail TEXT NOT NULL,
--lite     messages BIGINT NOT NULL,
--lite     events BIGINT NOT NULL,
--lite     PRIMARY KEY (account_id, campaign_id, kind, bucket, digest)
--lite );
--lite INSERT INTO reach_next SELECT account_id, campaign_id, kind, bucket, digest, is_click, name, detail, messages, events FROM reach;
--lite DROP TABLE reach;
--lite ALTER TABLE reach_next RENAME TO reach;
