-- The reputation guard: what it ordered for which stream of an account, why, and who lifted it.

CREATE TABLE guard_order (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    stream TEXT NOT NULL CHECK (stream IN ('bulk', 'transactional')),
    step TEXT NOT NULL CHECK (step IN ('warn', 'slow', 'stop')),
    cause TEXT NOT NULL CHECK (cause IN ('spam', 'hard_errors', 'unanswered')),
    part BIGINT NOT NULL,                           -- complaints, errors, unanswered messages
    whole BIGINT NOT NULL,                          -- of so many sent
    per_hour BIGINT NOT NULL DEFAULT 0,             -- 'slow': so many messages an hour
    since BIGINT NOT NULL,
    lifted_at BIGINT,
    lifted_reason TEXT NOT NULL DEFAULT ''
);
CREATE INDEX guard_running ON guard_order (account_id) WHERE lifted_at IS NULL;
CREATE INDEX guard_account ON guard_order (account_id, id);
--pg CREATE SEQUENCE guard_order_id AS BIGINT;
--pg ALTER TABLE guard_order ALTER COLUMN id SET DEFAULT nextval('guard_order_id');
