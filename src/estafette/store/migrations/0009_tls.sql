-- TLS towards receiving servers: policies of domains (MTA-STS), what was found (for reports, RFC 8460), and who insists on it.

ALTER TABLE account ADD COLUMN require_tls SMALLINT NOT NULL DEFAULT 0 CHECK (require_tls IN (0, 1));

-- Policies that were fetched (RFC 8461): one that cannot be fetched again holds until its end.
CREATE TABLE sts_policy (
    domain TEXT PRIMARY KEY,
    record_id TEXT NOT NULL,                        -- of the TXT record that it was fetched for
    policy TEXT NOT NULL,                           -- the file
    until BIGINT NOT NULL                           -- microseconds
);

-- Sessions by day and what became of their TLS.
CREATE TABLE tls_result (
    day BIGINT NOT NULL,                            -- days since 1970 UTC
    domain TEXT NOT NULL,                           -- the recipients'
    policy_type TEXT NOT NULL,                      -- sts, tlsa, no-policy-found
    policy TEXT NOT NULL,                           -- its text
    mx TEXT NOT NULL,
    source TEXT NOT NULL,                           -- our address
    outcome TEXT NOT NULL,                          -- '' = as wanted, else a result type of RFC 8460 4.3
    sessions BIGINT NOT NULL,
    PRIMARY KEY (day, domain, policy_type, policy, mx, source, outcome)
);
