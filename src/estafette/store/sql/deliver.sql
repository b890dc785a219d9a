-- name: newest_id
SELECT COALESCE(max(id), 0) FROM message
-- name: due_unrouted
SELECT '' WHERE EXISTS (SELECT 1 FROM queue WHERE owner = 0 AND site = '' AND lane IN (0, 1, 2, 3, 4, 5) AND due_at <= $1)
-- name: due_sites
-- A skip scan over the index (site, lane, due_at): the cost grows with the number of sites, not of messages.
WITH RECURSIVE waiting (site) AS (
    SELECT min(site) FROM queue WHERE owner = 0 AND site > $3
    UNION ALL
    SELECT (SELECT min(q.site) FROM queue q WHERE q.owner = 0 AND q.site > waiting.site) FROM waiting WHERE waiting.site IS NOT NULL
)
SELECT site FROM waiting
WHERE site IS NOT NULL AND EXISTS (
    SELECT 1 FROM queue q WHERE q.owner = 0 AND q.site = waiting.site AND q.lane IN (0, 1, 2, 3, 4, 5) AND q.due_at <= $1)
LIMIT $2
-- name: claim_lane (sqlite)
UPDATE queue SET owner = $5, claims = claims + 1 WHERE message_id IN (
    SELECT message_id FROM queue WHERE owner = 0 AND site = $1 AND lane = $2 AND due_at <= $3 ORDER BY due_at LIMIT $4)
RETURNING message_id, submission_id, account_id, recipient, domain, site, lane, attempts, accepted_at, due_at, deadline_at, owner, notify, claims
-- name: claim_lane (postgres)
-- SKIP LOCKED: two workers that serve one site from different sources never wait for each other.
UPDATE queue SET owner = $5, claims = claims + 1 WHERE message_id IN (
    SELECT message_id FROM queue WHERE owner = 0 AND site = $1 AND lane = $2 AND due_at <= $3 ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED)
RETURNING message_id, submission_id, account_id, recipient, domain, site, lane, attempts, accepted_at, due_at, deadline_at, owner, notify, claims
-- name: mark_sent
UPDATE message SET state = 'sent', updated_at = $2 WHERE id IN {ints:$1}
-- name: contents
SELECT s.id, s.account_id, s.reverse_path, s.author, s.options, s.accepted_at, s.smtputf8, c.codec, c.data
FROM submission s JOIN content c ON c.submission_id = s.id WHERE s.id IN {ints:$1}
-- name: still_blocked
SELECT m.id, b.cause, s.options FROM message m
JOIN block b ON b.address_key = m.address_key AND b.account_id = m.account_id
JOIN submission s ON s.id = m.submission_id
WHERE m.id IN {ints:$1} AND b.lifted_at IS NULL AND b.scope = '' AND (b.until IS NULL OR b.until > $2)
-- name: held (sqlite)
SELECT q.message_id, q.owner, q.lane, q.attempts, m.state, m.account_id, m.address_key, q.claims, m.site
FROM queue q JOIN message m ON m.id = q.message_id WHERE q.message_id IN {ints:$1}
-- name: held (postgres)
-- The row lock keeps a retiring supervisor from giving the message to another worker between this look and our write.
SELECT q.message_id, q.owner, q.lane, q.attempts, m.state, m.account_id, m.address_key, q.claims, m.site
FROM queue q JOIN message m ON m.id = q.message_id WHERE q.message_id IN {ints:$1} FOR UPDATE OF q
-- name: queue_remove
DELETE FROM queue WHERE message_id = $1
-- name: queue_again
UPDATE queue SET owner = $6, attempts = $2, lane = $3, due_at = $4, site = COALESCE($5, site), uncertain = uncertain + $7 WHERE message_id = $1
-- name: message_settle
UPDATE message SET state = $2, related_to = $3, error = $4, attempts = $5, updated_at = $6, site = $7 WHERE id = $1
-- name: message_release
UPDATE message SET state = $2, updated_at = $3 WHERE id = $1
-- name: block_put
INSERT INTO block (account_id, address_key, scope, cause, since, until, message_id, reply) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
-- name: held_by
SELECT message_id FROM queue WHERE owner = $1
-- name: past_deadline (sqlite)
SELECT q.message_id, q.account_id, q.attempts, m.address_key, m.related_to, m.error, m.state, m.site FROM queue q JOIN message m ON m.id = q.message_id
WHERE q.owner <= 0 AND q.deadline_at <= $1 LIMIT $2
-- name: past_deadline (postgres)
SELECT q.message_id, q.account_id, q.attempts, m.address_key, m.related_to, m.error, m.state, m.site FROM queue q JOIN message m ON m.id = q.message_id
WHERE q.owner <= 0 AND q.deadline_at <= $1 LIMIT $2 FOR UPDATE OF q SKIP LOCKED
