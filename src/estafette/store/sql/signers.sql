-- name: signers
SELECT domain, selector, algorithm, sealed_private_key, state, CASE WHEN since = 0 THEN created_at ELSE since END
FROM dkim_key WHERE account_id = $1 AND domain = $2 ORDER BY created_at, selector
-- name: signer_put
INSERT INTO dkim_key (account_id, domain, selector, algorithm, sealed_private_key, created_at, state, since) VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $6)
ON CONFLICT (account_id, domain, selector) DO NOTHING
RETURNING selector
-- name: signers_retire
-- The keys that sign, of the algorithms of which another one waits.
UPDATE dkim_key SET state = 'retired', since = $3
WHERE account_id = $1 AND domain = $2 AND state = 'signing' AND algorithm IN (
    SELECT w.algorithm FROM dkim_key w WHERE w.account_id = $1 AND w.domain = $2 AND w.state = 'waiting')
-- name: signers_begin
UPDATE dkim_key SET state = 'signing', since = $3 WHERE account_id = $1 AND domain = $2 AND state = 'waiting' RETURNING selector
-- name: signer_drop
DELETE FROM dkim_key WHERE account_id = $1 AND domain = $2 AND selector = $3 AND state <> 'signing' RETURNING selector
