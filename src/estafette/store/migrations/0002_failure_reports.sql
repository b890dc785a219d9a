-- Failure reports (RFC 3464) to submitters.

-- What a submitter asked for with DSN (RFC 3461); only messages for which something was asked.
CREATE TABLE dsn (
    message_id BIGINT PRIMARY KEY,
    notify TEXT NOT NULL,                           -- NEVER, or a list of SUCCESS, FAILURE, DELAY; '' = the default
    orcpt TEXT NOT NULL                             -- type;xtext as given
);

-- Reports that are due: written with the outcome that they tell of, removed with the acceptance of the report as a mail.
CREATE TABLE report (
    message_id BIGINT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('failed', 'relayed')),
    at BIGINT NOT NULL,                             -- of the outcome
    status TEXT NOT NULL,                           -- enhanced code, '' = none
    host TEXT NOT NULL,                             -- the receiving server, '' = none
    reply TEXT NOT NULL,                            -- its words, or ours
    PRIMARY KEY (message_id, action)
);
