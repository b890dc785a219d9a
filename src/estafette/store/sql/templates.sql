-- name: template_put
-- No row when the account has a template of this name.
INSERT INTO template (account_id, name, author, description, copyright, locale, edit_mode, is_starred, makes_text, categories, purposes, presets, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13) ON CONFLICT (account_id, name) DO NOTHING
RETURNING id, account_id, name, author, description, copyright, locale, edit_mode, is_starred, makes_text, categories, purposes, presets, created_at, updated_at
-- name: template_set
UPDATE template SET name = $3, author = $4, description = $5, copyright = $6, locale = $7, edit_mode = $8, is_starred = $9, makes_text = $10,
  categories = $11, purposes = $12, presets = $13, updated_at = $14
WHERE account_id = $1 AND id = $2 AND NOT EXISTS (SELECT 1 FROM template o WHERE o.account_id = $1 AND o.name = $3 AND o.id <> $2)
RETURNING id
-- name: template_get
SELECT id, account_id, name, author, description, copyright, locale, edit_mode, is_starred, makes_text, categories, purposes, presets, created_at, updated_at
FROM template WHERE account_id = $1 AND (id = $2 OR name = $3)
-- name: template_list
SELECT id, account_id, name, author, description, copyright, locale, edit_mode, is_starred, makes_text, categories, purposes, presets, created_at, updated_at
FROM template WHERE account_id = $1 AND id > $2 AND (CAST($3 AS BIGINT) IS NULL OR edit_mode = $3) ORDER BY id LIMIT $4
-- name: template_drop
DELETE FROM template WHERE account_id = $1 AND id = $2 RETURNING id
-- name: template_content_drop
DELETE FROM template_content WHERE template_id = (SELECT id FROM template WHERE account_id = $1 AND id = $2)
-- name: template_content_get
SELECT c.headers, c.html, c.text, c.mjml, c.updated_at FROM template_content c JOIN template t ON t.id = c.template_id
WHERE t.account_id = $1 AND t.id = $2
-- name: template_content_put
INSERT INTO template_content (template_id, headers, html, text, mjml, updated_at)
SELECT id, $3, $4, $5, $6, $7 FROM template WHERE account_id = $1 AND id = $2
ON CONFLICT (template_id) DO UPDATE SET headers = excluded.headers, html = excluded.html, text = excluded.text, mjml = excluded.mjml,
  updated_at = excluded.updated_at
RETURNING template_id
-- name: template_touch
UPDATE template SET updated_at = $3 WHERE account_id = $1 AND id = $2
