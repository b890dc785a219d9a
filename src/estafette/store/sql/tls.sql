-- name: sts_put
INSERT INTO sts_policy (domain, record_id, policy, until) VALUES ($1, $2, $3, $4)
ON CONFLICT (domain) DO UPDATE SET record_id = excluded.record_id, policy = excluded.policy, until = excluded.until
-- name: sts_get
SELECT record_id, policy, until FROM sts_policy WHERE domain = $1 AND until > $2
-- name: tls_count
INSERT INTO tls_result (day, domain, policy_type, policy, mx, source, outcome, sessions) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (day, domain, policy_type, policy, mx, source, outcome) DO UPDATE SET sessions = tls_result.sessions + excluded.sessions
-- name: tls_results
SELECT domain, policy_type, policy, mx, source, outcome, sessions FROM tls_result
WHERE day = $1 AND (CAST($2 AS TEXT) IS NULL OR domain = $2) ORDER BY domain, policy_type, policy, mx, source, outcome
