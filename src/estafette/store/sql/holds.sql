-- name: hold_put
INSERT INTO hold (account_id, campaign_id, domain, is_purge, since, reason) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account_id, campaign_id, domain, is_purge) DO UPDATE SET since = excluded.since, reason = excluded.reason, walked = 0
-- name: hold_lift
DELETE FROM hold WHERE account_id = $1 AND campaign_id = $2 AND domain = $3 AND is_purge = 0 RETURNING id
-- name: holds
SELECT h.id, h.account_id, COALESCE(a.name, ''), COALESCE(c.name, ''), h.domain, h.is_purge, h.since, h.reason
FROM hold h LEFT JOIN account a ON a.id = h.account_id LEFT JOIN campaign c ON c.id = h.campaign_id ORDER BY h.id
-- name: purge_next (sqlite)
SELECT id, account_id, campaign_id, domain, since, reason, walked FROM hold WHERE is_purge = 1 ORDER BY id LIMIT 1
-- name: purge_next (postgres)
-- Each worker takes a purge of its own; a second one has nothing to do here.
SELECT id, account_id, campaign_id, domain, since, reason, walked FROM hold WHERE is_purge = 1 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
-- name: purge_page (sqlite)
SELECT q.message_id, q.account_id, q.attempts, m.state, m.site FROM queue q JOIN message m ON m.id = q.message_id
WHERE q.message_id > $5 AND q.owner <= 0 AND q.accepted_at <= $4 AND CAST($1 AS BIGINT) IN (0, q.account_id) AND CAST($2 AS BIGINT) IN (0, q.campaign_id) AND CAST($3 AS TEXT) IN ('', q.domain)
ORDER BY q.message_id LIMIT $6
-- name: purge_page (postgres)
SELECT q.message_id, q.account_id, q.attempts, m.state, m.site FROM queue q JOIN message m ON m.id = q.message_id
WHERE q.message_id > $5 AND q.owner <= 0 AND q.accepted_at <= $4 AND CAST($1 AS BIGINT) IN (0, q.account_id) AND CAST($2 AS BIGINT) IN (0, q.campaign_id) AND CAST($3 AS TEXT) IN ('', q.domain)
ORDER BY q.message_id LIMIT $6 FOR UPDATE OF q SKIP LOCKED
-- name: purge_left
SELECT 1 FROM queue q WHERE q.accepted_at <= $4 AND CAST($1 AS BIGINT) IN (0, q.account_id) AND CAST($2 AS BIGINT) IN (0, q.campaign_id) AND CAST($3 AS TEXT) IN ('', q.domain) LIMIT 1
-- name: purge_walked
UPDATE hold SET walked = $2 WHERE id = $1
-- name: purge_done
DELETE FROM hold WHERE id = $1
