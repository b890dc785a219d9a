-- name: export_put
INSERT INTO export_job (account_id, user_name, kind, format, query, state, cursor, created_at) VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $7)
RETURNING id, account_id, user_name, kind, format, query, state, cursor, parts, row_count, size_bytes, created_at, finished_at
-- name: export_get
SELECT id, account_id, user_name, kind, format, query, state, cursor, parts, row_count, size_bytes, created_at, finished_at
FROM export_job WHERE account_id = $1 AND id = $2
-- name: export_list
SELECT id, account_id, user_name, kind, format, query, state, cursor, parts, row_count, size_bytes, created_at, finished_at
FROM export_job WHERE account_id = $1 ORDER BY id DESC LIMIT $2
-- name: export_claim
-- Whoever's lease has run out is taken over; the cursor says where to go on.
UPDATE export_job SET owner_until = $2 WHERE id = (SELECT min(id) FROM export_job WHERE state = 'waiting' AND owner_until < $1) AND owner_until < $1
RETURNING id, account_id, user_name, kind, format, query, state, cursor, parts, row_count, size_bytes, created_at, finished_at
-- name: export_advance
-- Only from the cursor that the part was made from: two workers cannot both write it.
UPDATE export_job SET cursor = $3, parts = parts + 1, row_count = row_count + $4, size_bytes = size_bytes + $5, owner_until = $6, state = $7, finished_at = $8
WHERE id = $1 AND cursor = $2 AND state = 'waiting' RETURNING parts
-- name: export_fail
UPDATE export_job SET state = 'failed', finished_at = $2 WHERE id = $1
-- name: export_part_put
INSERT INTO export_part (job_id, number, data) VALUES ($1, $2, $3)
-- name: export_part_get
SELECT data FROM export_part WHERE job_id = $1 AND number = $2
-- name: export_parts_forget
DELETE FROM export_part WHERE job_id IN (SELECT id FROM export_job WHERE created_at < $1)
-- name: export_forget
DELETE FROM export_job WHERE created_at < $1
