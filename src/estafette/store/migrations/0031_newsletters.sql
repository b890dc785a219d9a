-- Newsletters: drafts, and what becomes of them. Their messages are ordinary messages of one submission.

CREATE TABLE newsletter (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    title TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('draft', 'scheduled', 'freezing', 'sending', 'paused', 'finished', 'cancelled')),
    is_archived SMALLINT NOT NULL DEFAULT 0 CHECK (is_archived IN (0, 1)),
    letter TEXT NOT NULL,                           -- JSON of newsletters.letter.Letter: author, subject, texts
    list_id BIGINT NOT NULL DEFAULT 0,              -- 0 = not chosen yet
    segment_id BIGINT NOT NULL DEFAULT 0,           -- 0 = the whole list
    rate_per_hour BIGINT NOT NULL DEFAULT 0,        -- 0 = as fast as the receiving servers let
    start_at BIGINT,                                -- when it is due, while scheduled
    submission_id BIGINT NOT NULL DEFAULT 0,        -- from the first piece of the audience on
    cursor BIGINT NOT NULL DEFAULT 0,               -- the contact up to which the audience is frozen
    frozen BIGINT NOT NULL DEFAULT 0,               -- recipients that became messages
    started_at BIGINT,
    ended_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX newsletter_order ON newsletter (account_id, id);
CREATE INDEX newsletter_open ON newsletter (id) WHERE state IN ('scheduled', 'freezing', 'sending');
--pg CREATE SEQUENCE newsletter_id AS BIGINT;
--pg ALTER TABLE newsletter ALTER COLUMN id SET DEFAULT nextval('newsletter_id');
