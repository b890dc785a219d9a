-- Proofs of consent, and subscriptions that wait for the second word of the person (double opt-in). docs/decisions/0057.

-- What was done about a person's place on a list: when, by which way, who, with which words. Rows are added and never changed; they go with the person.
CREATE TABLE consent_act (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    contact_id BIGINT NOT NULL REFERENCES contact (id),
    list_id BIGINT NOT NULL,                        -- 0 = about all lists of the account
    act TEXT NOT NULL,                              -- audience.Act
    source TEXT NOT NULL,                           -- by which way: api, import, job, dashboard, form, link, preferences
    evidence TEXT NOT NULL DEFAULT '',              -- what proves it: key, job, person, form, message
    ip TEXT NOT NULL DEFAULT '',                    -- of the person, cut to its network unless tracking.keep_addresses
    words TEXT NOT NULL DEFAULT '',                 -- the text that was agreed to, as it was read
    reason TEXT NOT NULL DEFAULT '',                -- why somebody left
    at BIGINT NOT NULL
);
CREATE INDEX consent_act_contact ON consent_act (contact_id, id);
--pg CREATE SEQUENCE consent_act_id AS BIGINT;
--pg ALTER TABLE consent_act ALTER COLUMN id SET DEFAULT nextval('consent_act_id');

-- What was known before there were proofs.
INSERT INTO consent_act (account_id, contact_id, list_id, act, source, evidence, at)
SELECT l.account_id, s.contact_id, s.list_id, 'subscribed', CASE WHEN s.is_unsubscribed = 1 THEN '' ELSE s.source END,
    CASE WHEN s.is_unsubscribed = 1 THEN '' ELSE s.evidence END, s.subscribed_at FROM subscription s JOIN contact_list l ON l.id = s.list_id;
INSERT INTO consent_act (account_id, contact_id, list_id, act, source, evidence, at)
SELECT l.account_id, s.contact_id, s.list_id, 'unsubscribed', s.source, s.evidence, s.unsubscribed_at
FROM subscription s JOIN contact_list l ON l.id = s.list_id WHERE s.is_unsubscribed = 1 AND s.unsubscribed_at IS NOT NULL;

-- A subscription that somebody asked for with an address, and that the owner of the address has not confirmed yet. No contact is made of it before.
CREATE TABLE opt_in (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    list_id BIGINT NOT NULL REFERENCES contact_list (id),
    form_id BIGINT NOT NULL DEFAULT 0,              -- by which form, 0 = none
    address TEXT NOT NULL,
    address_key TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    properties TEXT NOT NULL DEFAULT '{}',          -- as contact.properties
    language TEXT NOT NULL DEFAULT '',
    ip TEXT NOT NULL DEFAULT '',
    words TEXT NOT NULL DEFAULT '',                 -- as consent_act
    asked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    confirmed_at BIGINT
);
CREATE INDEX opt_in_waiting ON opt_in (account_id, address_key) WHERE confirmed_at IS NULL;
CREATE INDEX opt_in_end ON opt_in (expires_at);
--pg CREATE SEQUENCE opt_in_id AS BIGINT;
--pg ALTER TABLE opt_in ALTER COLUMN id SET DEFAULT nextval('opt_in_id');
