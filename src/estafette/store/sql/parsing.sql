-- name: parse_route_put
INSERT INTO parse_route (account_id, address_key, address, url, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (address_key) DO NOTHING
RETURNING id, account_id, address, url, created_at, failing_since, trouble
-- name: parse_route_set
UPDATE parse_route SET url = $3, failing_since = 0, trouble = '' WHERE account_id = $1 AND id = $2
RETURNING id, account_id, address, url, created_at, failing_since, trouble
-- name: parse_route_drop
DELETE FROM parse_route WHERE account_id = $1 AND id = $2 RETURNING id
-- name: parse_mails_drop
DELETE FROM parse_mail WHERE route_id = $1
-- name: parse_routes
SELECT id, account_id, address, url, created_at, failing_since, trouble FROM parse_route WHERE CAST($1 AS BIGINT) IS NULL OR account_id = $1 ORDER BY id
-- name: parse_route_of
SELECT id, account_id, address, url, created_at, failing_since, trouble FROM parse_route WHERE address_key = $1
-- name: parse_waiting
SELECT route_id, count(*) FROM parse_mail WHERE route_id IN {ints:$1} GROUP BY route_id
-- name: parse_mail_put
INSERT INTO parse_mail (route_id, reverse_path, recipient, data, received_at, due_at) VALUES ($1, $2, $3, $4, $5, $5)
-- name: parse_due_routes
SELECT id, account_id, address, url, created_at, failing_since, trouble FROM parse_route
WHERE id IN (SELECT route_id FROM parse_mail WHERE due_at <= $1) ORDER BY id
-- name: parse_due
SELECT id, route_id, reverse_path, recipient, data, received_at, attempts FROM parse_mail WHERE route_id = $1 AND due_at <= $2 ORDER BY due_at, id LIMIT 1
-- name: parse_mail_drop
DELETE FROM parse_mail WHERE id = $1
-- name: parse_mail_again
UPDATE parse_mail SET attempts = attempts + 1, due_at = $2 WHERE id = $1
-- name: parse_rest
-- What waits for a route that does not answer rests with it.
UPDATE parse_mail SET due_at = $2 WHERE route_id = $1 AND due_at < $2
-- name: parse_health
UPDATE parse_route SET failing_since = CASE WHEN CAST($2 AS BIGINT) = 0 THEN 0 WHEN failing_since = 0 THEN CAST($2 AS BIGINT) ELSE failing_since END, trouble = $3 WHERE id = $1
