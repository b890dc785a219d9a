-- name: message_mark
UPDATE message SET state = $2, marks = $3, related_to = $4, error = $5, updated_at = $6 WHERE id = $1
-- name: message_touch
UPDATE message SET state = $2, marks = $3, updated_at = $4 WHERE id = $1
-- name: block_get
SELECT id, account_id, address_key, scope, cause, since, until, message_id, reply, lifted_at, lifted_reason FROM block
WHERE account_id = $1 AND address_key = $2 ORDER BY id DESC LIMIT 1
-- name: blocks_lift
UPDATE block SET lifted_at = $3, lifted_reason = $4
WHERE account_id = $1 AND address_key = $2 AND lifted_at IS NULL AND (until IS NULL OR until > $3) RETURNING id
-- name: blocks_list
SELECT id, account_id, address_key, scope, cause, since, until, message_id, reply, lifted_at, lifted_reason FROM block
WHERE id > $1 AND (CAST($2 AS BIGINT) IS NULL OR account_id = $2) AND (CAST($3 AS TEXT) IS NULL OR address_key = $3)
  AND lifted_at IS NULL AND (until IS NULL OR until > $4)
ORDER BY id LIMIT $5
-- name: messages
SELECT m.id, m.account_id, m.submission_id, m.recipient, s.author, s.subject, m.state, m.marks, m.related_to, m.error,
       COALESCE(c.name, ''), s.custom_id, m.attempts, m.created_at, m.updated_at, q.due_at, q.deadline_at, s.campaign_id
FROM message m JOIN submission s ON s.id = m.submission_id
LEFT JOIN campaign c ON c.id = s.campaign_id
LEFT JOIN queue q ON q.message_id = m.id
WHERE m.id > $1
  AND (CAST($2 AS BIGINT) IS NULL OR m.account_id = $2)
  AND (CAST($3 AS TEXT) IS NULL OR m.state = $3)
  AND (CAST($4 AS BIGINT) IS NULL OR (m.marks & $4) <> 0)
  AND (CAST($5 AS TEXT) IS NULL OR m.address_key = $5)
  AND (CAST($6 AS TEXT) IS NULL OR c.name = $6)
  AND (CAST($7 AS TEXT) IS NULL OR s.custom_id = $7)
ORDER BY m.id LIMIT $8
-- name: messages_down
SELECT m.id, m.account_id, m.submission_id, m.recipient, s.author, s.subject, m.state, m.marks, m.related_to, m.error,
       COALESCE(c.name, ''), s.custom_id, m.attempts, m.created_at, m.updated_at, q.due_at, q.deadline_at, s.campaign_id
FROM message m JOIN submission s ON s.id = m.submission_id
LEFT JOIN campaign c ON c.id = s.campaign_id
LEFT JOIN queue q ON q.message_id = m.id
WHERE m.id < $1
  AND (CAST($2 AS BIGINT) IS NULL OR m.account_id = $2)
  AND (CAST($3 AS TEXT) IS NULL OR m.state = $3)
  AND (CAST($4 AS BIGINT) IS NULL OR (m.marks & $4) <> 0)
  AND (CAST($5 AS TEXT) IS NULL OR m.address_key = $5)
  AND (CAST($6 AS TEXT) IS NULL OR c.name = $6)
  AND (CAST($7 AS TEXT) IS NULL OR s.custom_id = $7)
ORDER BY m.id DESC LIMIT $8
-- name: message_one
SELECT m.id, m.account_id, m.submission_id, m.recipient, s.author, s.subject, m.state, m.marks, m.related_to, m.error,
       COALESCE(c.name, ''), s.custom_id, m.attempts, m.created_at, m.updated_at, q.due_at, q.deadline_at, s.campaign_id
FROM message m JOIN submission s ON s.id = m.submission_id
LEFT JOIN campaign c ON c.id = s.campaign_id
LEFT JOIN queue q ON q.message_id = m.id
WHERE m.id = $1
-- name: timeline
SELECT id, account_id, message_id, at, kind, count, reply, data FROM event WHERE message_id = $1
UNION ALL
SELECT e.id, e.account_id, e.message_id, e.at, e.kind, e.count, e.reply, e.data FROM event e
WHERE e.message_id = $2 AND e.message_id <> $1 AND e.kind = 'accepted'
ORDER BY 1
-- name: events (sqlite)
SELECT id, account_id, message_id, at, kind, count, reply, data, $2 AS xact FROM event WHERE id > $1 ORDER BY id LIMIT $3
-- name: events (postgres)
-- Ids commit out of order with several writers: read in (transaction, id) order, behind the oldest running transaction.
SELECT id, account_id, message_id, at, kind, count, reply, data, xact::text::bigint FROM event
WHERE (xact, id) > (CAST($2::bigint::text AS xid8), $1) AND xact < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xact, id LIMIT $3
-- name: counts
SELECT state, marks, count(*) FROM message
WHERE (CAST($1 AS BIGINT) IS NULL OR account_id = $1) AND (CAST($2 AS BIGINT) IS NULL OR created_at >= $2)
  AND (CAST($3 AS BIGINT) IS NULL OR created_at < $3)
GROUP BY state, marks
-- name: backlog
SELECT site, min(domain), count(*), SUM(CASE WHEN attempts > 0 AND owner <= 0 THEN 1 ELSE 0 END), SUM(CASE WHEN owner > 0 THEN 1 ELSE 0 END), min(accepted_at)
FROM queue GROUP BY site ORDER BY 3 DESC LIMIT $1
-- name: waiting
-- Those before it in its own lane of its site, and how many there are of the site at all.
SELECT q.site, q.lane, q.due_at, q.deadline_at, q.attempts, q.owner,
       (SELECT count(*) FROM queue e WHERE e.owner = 0 AND e.site = q.site AND (e.lane < q.lane OR (e.lane = q.lane AND e.due_at < q.due_at)) AND e.due_at <= $2),
       (SELECT count(*) FROM queue e WHERE e.site = q.site AND e.owner > 0),
       COALESCE((SELECT w.name FROM path_lease p JOIN worker w ON w.id = p.owner WHERE p.path = q.site AND p.until > $2), '')
FROM queue q WHERE q.message_id = $1
-- name: retry_now
UPDATE queue SET due_at = $1 WHERE owner = 0 AND due_at > $1
  AND (CAST($2 AS BIGINT) IS NULL OR message_id = $2) AND (CAST($3 AS TEXT) IS NULL OR domain = $3)
  AND (CAST($4 AS BIGINT) IS NULL OR account_id = $4)
RETURNING message_id, account_id
-- name: cancel
-- Only what nobody holds and nobody tried.
DELETE FROM queue WHERE message_id = $1 AND owner = 0 AND attempts = 0 AND (CAST($2 AS BIGINT) IS NULL OR account_id = $2) RETURNING account_id
-- name: audit_accepted
SELECT COALESCE(SUM(count), 0) FROM event WHERE kind = 'accepted' AND (CAST($1 AS BIGINT) IS NULL OR account_id = $1)
-- name: audit_final
SELECT count(*) FROM message WHERE state IN ('delivered', 'soft_bounced', 'hard_bounced', 'blocked')
  AND (CAST($1 AS BIGINT) IS NULL OR account_id = $1)
-- name: audit_queued
SELECT count(*) FROM queue WHERE (CAST($1 AS BIGINT) IS NULL OR account_id = $1)
-- name: blocks_for_good
-- Those of some addresses that are blocked until a person lifts it.
SELECT DISTINCT address_key FROM block
WHERE address_key IN {texts:$1} AND account_id = $2 AND lifted_at IS NULL AND scope = '' AND until IS NULL
