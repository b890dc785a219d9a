-- Mail to customers' programs (the Parse API): which address leads to which web address, and the mails on their way there.

CREATE TABLE parse_route (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    address_key TEXT NOT NULL UNIQUE,               -- folded; one address leads to one place
    address TEXT NOT NULL,
    url TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    failing_since BIGINT NOT NULL DEFAULT 0,        -- 0 = the last call succeeded
    trouble TEXT NOT NULL DEFAULT ''
);

-- A row is removed when its mail was taken, or given up.
CREATE TABLE parse_mail (
    id BIGINT PRIMARY KEY,
    route_id BIGINT NOT NULL,
    reverse_path TEXT NOT NULL,
    recipient TEXT NOT NULL,
    data BYTEA NOT NULL,                            -- the mail as it came, zlib
    received_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    due_at BIGINT NOT NULL
);
CREATE INDEX parse_mail_due ON parse_mail (route_id, due_at);
--pg CREATE SEQUENCE parse_route_id AS BIGINT;
--pg ALTER TABLE parse_route ALTER COLUMN id SET DEFAULT nextval('parse_route_id');
--pg CREATE SEQUENCE parse_mail_id AS BIGINT;
--pg ALTER TABLE parse_mail ALTER COLUMN id SET DEFAULT nextval('parse_mail_id');
