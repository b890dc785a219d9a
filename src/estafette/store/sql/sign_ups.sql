-- name: sign_up_form_put
INSERT INTO sign_up_form (account_id, key, name, list_id, definition, is_active, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
RETURNING id, account_id, key, name, list_id, definition, is_active, asked, confirmed, refused, created_at, updated_at
-- name: sign_up_form_set
UPDATE sign_up_form SET name = $3, list_id = $4, definition = $5, is_active = $6, updated_at = $7 WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL
RETURNING id
-- name: sign_up_form_delete
UPDATE sign_up_form SET deleted_at = $3, is_active = 0 WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL RETURNING id
-- name: sign_up_forms
SELECT id, account_id, key, name, list_id, definition, is_active, asked, confirmed, refused, created_at, updated_at FROM sign_up_form
WHERE account_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT $2
-- name: sign_up_form_get
SELECT id, account_id, key, name, list_id, definition, is_active, asked, confirmed, refused, created_at, updated_at FROM sign_up_form
WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL
-- name: sign_up_form_by_key
SELECT id, account_id, key, name, list_id, definition, is_active, asked, confirmed, refused, created_at, updated_at FROM sign_up_form
WHERE key = $1 AND deleted_at IS NULL
-- name: sign_up_form_count
UPDATE sign_up_form SET asked = asked + $2, confirmed = confirmed + $3, refused = refused + $4 WHERE id = $1
-- name: sign_up_count
INSERT INTO sign_up_count (who, starts_at, ends_at, count) VALUES ($1, $2, $3, 1)
ON CONFLICT (who, starts_at) DO UPDATE SET count = sign_up_count.count + 1 RETURNING count
-- name: sign_up_counts_prune
DELETE FROM sign_up_count WHERE ends_at IN (SELECT ends_at FROM sign_up_count WHERE ends_at < $1 ORDER BY ends_at LIMIT $2) RETURNING who
-- name: contact_language_first
UPDATE contact SET language = $2 WHERE id = $1 AND language = ''
