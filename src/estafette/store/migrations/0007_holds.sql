-- What people stopped: a whole campaign, account or destination, as one row whatever the number of its messages.

CREATE TABLE hold (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL DEFAULT 0,           -- 0 = of a destination
    campaign_id BIGINT NOT NULL DEFAULT 0,          -- 0 = everything of the account
    domain TEXT NOT NULL DEFAULT '',                -- '' = not of a destination
    is_purge SMALLINT NOT NULL DEFAULT 0 CHECK (is_purge IN (0, 1)),  -- 1: what waits ends; the row goes when all of it has
    since BIGINT NOT NULL,                          -- a purge ends what was accepted until then
    reason TEXT NOT NULL DEFAULT '',                -- in the words of whoever did it
    walked BIGINT NOT NULL DEFAULT 0,               -- a purge has looked at messages up to this id
    UNIQUE (account_id, campaign_id, domain, is_purge)
);
--pg CREATE SEQUENCE hold_id AS BIGINT;
--pg ALTER TABLE hold ALTER COLUMN id SET DEFAULT nextval('hold_id');
