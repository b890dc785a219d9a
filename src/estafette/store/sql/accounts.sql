-- name: account_put
INSERT INTO account (name, created_at, parent_id)
VALUES ($1, $2, $3) RETURNING id, name, is_active, rate_per_s, failure_reports, after_uncertain, require_tls, parent_id
-- name: account_get
SELECT id, name, is_active, rate_per_s, failure_reports, after_uncertain, require_tls, parent_id FROM account WHERE name = $1
-- name: accounts
SELECT id, name, is_active, rate_per_s, failure_reports, after_uncertain, require_tls, parent_id FROM account ORDER BY id
-- name: account_set
UPDATE account SET is_active = COALESCE($2, is_active), rate_per_s = COALESCE($3, rate_per_s), after_uncertain = COALESCE($4, after_uncertain),
    failure_reports = COALESCE($5, failure_reports), require_tls = COALESCE($6, require_tls) WHERE id = $1
RETURNING id, name, is_active, rate_per_s, failure_reports, after_uncertain, require_tls, parent_id
-- name: key_set
UPDATE api_key SET is_active = $2 WHERE key = $1 RETURNING key
-- name: keys
SELECT key, is_active FROM api_key WHERE account_id = $1 ORDER BY id
-- name: key_put
INSERT INTO api_key (key, account_id, secret_sha256, created_at) VALUES ($1, $2, $3, $4)
-- name: key_get
SELECT k.key, k.secret_sha256, k.is_active, k.scopes, k.networks, k.rate_per_s, a.id, a.name, a.is_active, a.rate_per_s, a.failure_reports,
       a.after_uncertain, a.require_tls, a.parent_id, COALESCE(p.hides_client, 0)
FROM api_key k JOIN account a ON a.id = k.account_id LEFT JOIN account_policy p ON p.account_id = a.id WHERE k.key = $1
-- name: sender_put
INSERT INTO sender (account_id, address, address_key, is_verified, created_at) VALUES ($1, $2, $2, $3, $4)
ON CONFLICT (account_id, address_key) DO UPDATE SET is_verified = excluded.is_verified, deleted_at = NULL
-- name: sender_of_domain_put
INSERT INTO sender (account_id, address, address_key, is_verified, created_at) VALUES ($1, $2, $2, $3, $4)
ON CONFLICT (account_id, address_key) DO UPDATE SET deleted_at = NULL,
  is_verified = CASE WHEN excluded.is_verified = 1 THEN 1 ELSE sender.is_verified END
-- name: domain_put
INSERT INTO domain (account_id, name, is_verified, ownership_token, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, name) DO UPDATE SET is_verified = CASE WHEN excluded.is_verified = 1 THEN 1 ELSE domain.is_verified END
RETURNING ownership_token
-- name: author_addresses
SELECT address_key FROM sender WHERE account_id = $1 AND is_verified = 1 AND deleted_at IS NULL AND address_key NOT LIKE '*@%'
-- name: author_domains
SELECT name FROM domain WHERE account_id = $1 AND is_verified = 1
-- name: dkim_put
INSERT INTO dkim_key (account_id, domain, selector, algorithm, sealed_private_key, created_at) VALUES ($1, $2, $3, $4, $5, $6)
-- name: dkim_get
SELECT domain, selector, algorithm, sealed_private_key FROM dkim_key
WHERE account_id IN ($1, 0) AND domain = $2 AND state = 'signing' ORDER BY account_id DESC, created_at DESC, selector
