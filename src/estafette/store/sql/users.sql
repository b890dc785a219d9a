-- name: user_put
INSERT INTO dashboard_user (name, password_hash, is_admin, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING
RETURNING id, name, language, is_admin, is_active, sealed_totp IS NOT NULL, created_at
-- name: user_first
-- Only into an empty table: of two processes that start at once, one makes the first administrator.
INSERT INTO dashboard_user (name, password_hash, is_admin, created_at)
SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), 1, CAST($3 AS BIGINT) WHERE NOT EXISTS (SELECT 1 FROM dashboard_user)
ON CONFLICT (name) DO NOTHING
RETURNING id, name, language, is_admin, is_active, sealed_totp IS NOT NULL, created_at
-- name: user_any
SELECT 1 FROM dashboard_user LIMIT 1
-- name: user_lock
SELECT id, name, language, is_admin, is_active, sealed_totp IS NOT NULL, created_at, password_hash, sealed_totp, totp_step
FROM dashboard_user WHERE name = $1
-- name: user_list
SELECT id, name, language, is_admin, is_active, sealed_totp IS NOT NULL, created_at FROM dashboard_user ORDER BY name LIMIT 10000
-- name: user_password
UPDATE dashboard_user SET password_hash = $2 WHERE id = $1 RETURNING id
-- name: user_language
UPDATE dashboard_user SET language = $2 WHERE id = $1
-- name: user_totp
UPDATE dashboard_user SET sealed_totp = $2, totp_step = 0 WHERE id = $1
-- name: user_totp_used
-- A code works once, also when two requests bring it at the same moment.
UPDATE dashboard_user SET totp_step = $2 WHERE id = $1 AND totp_step < $2 RETURNING id
-- name: user_switch
UPDATE dashboard_user SET is_active = $2 WHERE id = $1 RETURNING id
-- name: role_put
INSERT INTO dashboard_role (user_id, account_id, role) VALUES ($1, $2, $3) ON CONFLICT (user_id, account_id) DO UPDATE SET role = excluded.role
-- name: role_drop
DELETE FROM dashboard_role WHERE user_id = $1 AND account_id = $2 RETURNING user_id
-- name: role_list
SELECT a.id, a.name, r.role FROM dashboard_role r JOIN account a ON a.id = r.account_id WHERE r.user_id = $1 ORDER BY a.name LIMIT 1000
-- name: role_everywhere
SELECT id, name, 'owner' FROM account ORDER BY name LIMIT 1000
-- name: role_members
SELECT u.id, u.name, u.language, u.is_admin, u.is_active, u.sealed_totp IS NOT NULL, u.created_at, r.role
FROM dashboard_role r JOIN dashboard_user u ON u.id = r.user_id WHERE r.account_id = $1 ORDER BY u.name LIMIT 1000
-- name: filter_list
SELECT name, query FROM saved_filter WHERE user_id = $1 AND account_id = $2 ORDER BY name LIMIT 200
-- name: filter_put
INSERT INTO saved_filter (user_id, account_id, name, query, created_at)
SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS BIGINT) WHERE (SELECT count(*) FROM saved_filter WHERE user_id = $1 AND account_id = $2 AND name <> $3) < $6
ON CONFLICT (user_id, account_id, name) DO UPDATE SET query = excluded.query, created_at = excluded.created_at
RETURNING name
-- name: filter_drop
DELETE FROM saved_filter WHERE user_id = $1 AND account_id = $2 AND name = $3 RETURNING name
-- name: session_put
INSERT INTO dashboard_session (token_sha256, user_id, created_at, seen_at, until, peer, agent) VALUES ($1, $2, $3, $3, $4, $5, $6)
-- name: session_get
SELECT u.id, u.name, u.language, u.is_admin, u.is_active, u.sealed_totp IS NOT NULL, u.created_at,
       s.created_at, s.seen_at, s.until, s.peer, s.agent, s.token_sha256
FROM dashboard_session s JOIN dashboard_user u ON u.id = s.user_id WHERE s.token_sha256 = $1 AND s.until > $2 AND u.is_active = 1
-- name: session_list
SELECT u.id, u.name, u.language, u.is_admin, u.is_active, u.sealed_totp IS NOT NULL, u.created_at,
       s.created_at, s.seen_at, s.until, s.peer, s.agent, s.token_sha256
FROM dashboard_session s JOIN dashboard_user u ON u.id = s.user_id WHERE s.user_id = $1 AND s.until > $2 ORDER BY s.seen_at DESC LIMIT 100
-- name: session_seen
UPDATE dashboard_session SET seen_at = $2, until = $3 WHERE token_sha256 = $1
-- name: session_drop
DELETE FROM dashboard_session WHERE token_sha256 = $1
-- name: session_drop_of
DELETE FROM dashboard_session WHERE user_id = $1
-- name: session_forget
DELETE FROM dashboard_session WHERE until <= $1
-- name: audit_put
INSERT INTO audit_entry (account_id, user_name, at, action, object, detail) VALUES ($1, $2, $3, $4, $5, $6)
-- name: audit_list
SELECT id, account_id, user_name, at, action, object, detail FROM audit_entry WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3
-- name: audit_log
-- Of one account or of all, upward.
SELECT id, account_id, user_name, at, action, object, detail FROM audit_entry
WHERE (CAST($1 AS BIGINT) IS NULL OR account_id = $1) AND id > $2 ORDER BY id LIMIT $3
