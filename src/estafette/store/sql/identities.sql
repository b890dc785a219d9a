-- name: family_keys
-- Of an account and of its sub-accounts.
SELECT k.id, k.account_id, k.key, k.name, k.is_active, k.scopes, k.networks, k.rate_per_s, k.created_at, a.name, a.is_active, a.parent_id
FROM api_key k JOIN account a ON a.id = k.account_id WHERE a.id = $1 OR a.parent_id = $1 ORDER BY k.id
-- name: key_change
UPDATE api_key SET name = $2, is_active = $3, scopes = $4, networks = $5, rate_per_s = $6 WHERE id = $1
-- name: profile_get
SELECT profile, created_at FROM account WHERE id = $1
-- name: profile_set
UPDATE account SET profile = $2 WHERE id = $1
-- name: senders
SELECT s.id, s.account_id, s.address, s.address_key, s.name, s.kind, s.is_default, s.is_verified, s.created_at, s.deleted_at, COALESCE(d.id, 0)
FROM sender s LEFT JOIN domain d ON d.account_id = s.account_id AND s.address_key = '*@' || d.name
WHERE s.account_id = $1 ORDER BY s.id LIMIT $2
-- name: sender_add
INSERT INTO sender (account_id, address, address_key, name, kind, is_default, is_verified, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (account_id, address_key) DO UPDATE SET address = excluded.address, name = excluded.name, kind = excluded.kind, is_default = excluded.is_default,
  is_verified = excluded.is_verified, created_at = excluded.created_at, deleted_at = NULL WHERE sender.deleted_at IS NOT NULL
RETURNING id
-- name: sender_change
UPDATE sender SET name = $3, kind = $4, is_default = $5, is_verified = $6, deleted_at = $7 WHERE account_id = $1 AND id = $2 RETURNING id
-- name: sender_default_clear
UPDATE sender SET is_default = 0 WHERE account_id = $1 AND id <> $2 AND is_default = 1
-- name: sending_domains
SELECT id, account_id, name, is_verified, ownership_token, dkim_status, spf_status, dmarc_status, return_path_status, checked_at, created_at
FROM domain WHERE account_id = $1 ORDER BY id
-- name: domain_checked
UPDATE domain SET dkim_status = $3, spf_status = $4, dmarc_status = $5, return_path_status = $6, checked_at = $7 WHERE account_id = $1 AND id = $2
-- name: domain_verify
UPDATE domain SET is_verified = $3 WHERE account_id = $1 AND name = $2
