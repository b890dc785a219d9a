-- name: log_ids_older
SELECT id FROM message WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3
-- name: log_ids_newer
SELECT id FROM message WHERE account_id = $1 AND id > $2 ORDER BY id LIMIT $3
-- name: troubled_ids_older
SELECT id FROM message WHERE account_id = $1 AND id < $2 AND state IN ('deferred', 'soft_bounced', 'hard_bounced', 'blocked') ORDER BY id DESC LIMIT $3
-- name: troubled_ids_newer
SELECT id FROM message WHERE account_id = $1 AND id > $2 AND state IN ('deferred', 'soft_bounced', 'hard_bounced', 'blocked') ORDER BY id LIMIT $3
-- name: complained_ids_older
SELECT id FROM message WHERE account_id = $1 AND id < $2 AND (marks & 12) <> 0 ORDER BY id DESC LIMIT $3
-- name: complained_ids_newer
SELECT id FROM message WHERE account_id = $1 AND id > $2 AND (marks & 12) <> 0 ORDER BY id LIMIT $3
-- name: address_ids_older
-- The plus keeps the planner from walking all messages of the account instead of the few of the address.
SELECT id FROM message WHERE address_key = $4 AND +account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3
-- name: address_ids_newer
SELECT id FROM message WHERE address_key = $4 AND +account_id = $1 AND id > $2 ORDER BY id LIMIT $3
-- name: log_lines
-- Of these messages those that fit. A complaint counts whatever became of the message since; other marks while it is delivered.
SELECT m.id, m.account_id, m.submission_id, m.recipient, s.author, s.subject, m.state, m.marks, m.related_to, m.error,
       COALESCE(c.name, ''), s.custom_id, m.attempts, m.created_at, m.updated_at, q.due_at, q.deadline_at, s.door,
       (SELECT e.at FROM event e WHERE e.message_id = m.id AND e.kind = 'delivered' ORDER BY e.id LIMIT 1), m.site
FROM message m JOIN submission s ON s.id = m.submission_id
LEFT JOIN campaign c ON c.id = s.campaign_id
LEFT JOIN queue q ON q.message_id = m.id
WHERE m.id IN {ints:$1}
  AND (CAST($2 AS BIGINT) = 0 OR m.state IN {texts:$3} OR (m.state = 'delivered' AND (m.marks & $4) <> 0) OR (m.marks & $4 & 8) <> 0)
  AND (CAST($5 AS TEXT) = '' OR lower(m.recipient) LIKE $5 ESCAPE '\' OR lower(s.subject) LIKE $5 ESCAPE '\' OR lower(s.custom_id) LIKE $5 ESCAPE '\')
  AND (CAST($6 AS TEXT) = '' OR m.address_key LIKE $6 ESCAPE '\')
  AND (CAST($7 AS BIGINT) = 0 OR s.campaign_id = $7)
  AND (CAST($8 AS TEXT) = '' OR m.error = $8)
  AND (CAST($9 AS TEXT) = '' OR s.door = $9)
  AND (CAST($10 AS BIGINT) = 0 OR m.created_at >= $10) AND (CAST($11 AS BIGINT) = 0 OR m.created_at < $11)
ORDER BY m.id DESC
-- name: log_readings
-- How often each of these messages was opened and clicked.
SELECT message_id, SUM(CASE WHEN kind = 'opened' THEN 1 ELSE 0 END), SUM(CASE WHEN kind = 'clicked' THEN 1 ELSE 0 END)
FROM event WHERE message_id IN {ints:$1} AND kind IN ('opened', 'clicked') GROUP BY message_id
-- name: campaign_last_id
SELECT COALESCE((SELECT max(m.id) FROM message m WHERE m.submission_id = (SELECT max(s.id) FROM submission s WHERE s.campaign_id = $1 AND s.campaign_id <> 0)), 0)
-- name: message_page
SELECT m.id, m.account_id, m.submission_id, m.recipient, s.author, s.subject, m.state, m.marks, m.related_to, m.error,
       COALESCE(c.name, ''), s.custom_id, m.attempts, m.created_at, m.updated_at, q.due_at, q.deadline_at, s.door,
       s.reverse_path, s.options, s.size_bytes, (SELECT count(*) FROM content t WHERE t.submission_id = s.id), m.address_key
FROM message m JOIN submission s ON s.id = m.submission_id
LEFT JOIN campaign c ON c.id = s.campaign_id
LEFT JOIN queue q ON q.message_id = m.id
WHERE m.account_id = $1 AND m.id = $2
-- name: message_events
-- The story's beginning, however often the mail was opened since.
SELECT id, account_id, message_id, at, kind, count, reply, data FROM (
    SELECT id, account_id, message_id, at, kind, count, reply, data FROM event WHERE message_id = $1 ORDER BY id LIMIT $3) f
UNION ALL
SELECT e.id, e.account_id, e.message_id, e.at, e.kind, e.count, e.reply, e.data FROM event e
WHERE e.message_id = $2 AND e.message_id <> $1 AND e.kind = 'accepted'
ORDER BY 1
-- name: address_causes
SELECT DISTINCT cause FROM block WHERE account_id = $1 AND address_key = $2 AND lifted_at IS NULL AND (until IS NULL OR until > $3)
-- name: newest_event_of (sqlite)
SELECT COALESCE(max(id), 0) FROM event WHERE account_id = $1
-- name: newest_event_of (postgres)
-- By the order of its index (account, transaction, id): the largest number would have to be looked for among all of the account's events.
SELECT COALESCE((SELECT id FROM event WHERE account_id = $1 ORDER BY xact DESC, id DESC LIMIT 1), 0)
-- name: campaign_rows
SELECT c.id, c.name, c.created_at,
       COALESCE((SELECT s.subject FROM submission s WHERE s.campaign_id = c.id AND s.campaign_id <> 0 ORDER BY s.id DESC LIMIT 1), ''),
       COALESCE((SELECT s.author FROM submission s WHERE s.campaign_id = c.id AND s.campaign_id <> 0 ORDER BY s.id DESC LIMIT 1), '')
FROM campaign c WHERE c.account_id = $1 AND c.id < $2 ORDER BY c.id DESC LIMIT $3
-- name: campaign_row
SELECT c.id, c.name, c.created_at,
       COALESCE((SELECT s.subject FROM submission s WHERE s.campaign_id = c.id AND s.campaign_id <> 0 ORDER BY s.id DESC LIMIT 1), ''),
       COALESCE((SELECT s.author FROM submission s WHERE s.campaign_id = c.id AND s.campaign_id <> 0 ORDER BY s.id DESC LIMIT 1), '')
FROM campaign c WHERE c.account_id = $1 AND c.id = $2
-- name: campaign_named
SELECT id FROM campaign WHERE account_id = $1 AND name = $2
-- name: queue_sites
-- The first $2 unfinished messages of the account: a queue of millions is told of in part, and at once.
-- owner > 0: a worker is at it; below 0 it is held.
-- The last four columns are of all destinations, of those that the limit leaves out, too.
SELECT site, domain, waiting, deferred, flying, oldest, next_at, SUM(waiting) OVER (), SUM(deferred) OVER (), SUM(flying) OVER (), MIN(oldest) OVER ()
FROM (
    SELECT site, domain, SUM(CASE WHEN owner <= 0 THEN 1 ELSE 0 END) AS waiting, SUM(CASE WHEN attempts > 0 AND owner <= 0 THEN 1 ELSE 0 END) AS deferred,
           SUM(CASE WHEN owner > 0 THEN 1 ELSE 0 END) AS flying, min(accepted_at) AS oldest, min(due_at) AS next_at
    FROM (SELECT site, domain, owner, attempts, accepted_at, due_at FROM queue WHERE account_id = $1 LIMIT $2) w
    GROUP BY site, domain) g
ORDER BY waiting + flying DESC, domain, site LIMIT 200
-- name: attempts_of (sqlite)
-- Of the newest events of the account those that end an attempt: a day on which much is opened shows fewer.
SELECT e.id, e.account_id, e.message_id, e.at, e.kind, e.count, e.reply, e.data, m.recipient
FROM (SELECT * FROM event WHERE account_id = $1 ORDER BY id DESC LIMIT $2) e JOIN message m ON m.id = e.message_id
WHERE e.kind IN ('deferred', 'delivered', 'soft_bounced', 'hard_bounced', 'uncertain') ORDER BY e.id DESC LIMIT $3
-- name: attempts_of (postgres)
SELECT e.id, e.account_id, e.message_id, e.at, e.kind, e.count, e.reply, e.data, m.recipient
FROM (SELECT * FROM event WHERE account_id = $1 ORDER BY xact DESC, id DESC LIMIT $2) e JOIN message m ON m.id = e.message_id
WHERE e.kind IN ('deferred', 'delivered', 'soft_bounced', 'hard_bounced', 'uncertain') ORDER BY e.xact DESC, e.id DESC LIMIT $3
-- name: block_rows
SELECT id, account_id, address_key, scope, cause, since, until, message_id, reply, lifted_at, lifted_reason FROM block
WHERE account_id = $1 AND id < $2 AND lifted_at IS NULL AND (until IS NULL OR until > $3)
  AND (CAST($4 AS TEXT) = '' OR cause = $4) AND (CAST($5 AS TEXT) = '' OR address_key LIKE $5 ESCAPE '\')
ORDER BY id DESC LIMIT $6
-- name: block_weeks
SELECT (until - $2) / 604800000000, count(*) FROM (
    SELECT until FROM block WHERE account_id = $1 AND lifted_at IS NULL AND until IS NOT NULL AND until > $2 ORDER BY until LIMIT $3) w
GROUP BY 1 ORDER BY 1
-- name: error_causes
SELECT related_to, error, state, count(*) FROM (
    SELECT related_to, error, state FROM message
    WHERE account_id = $1 AND id >= $2 AND state IN ('deferred', 'soft_bounced', 'hard_bounced', 'blocked')
    ORDER BY id DESC LIMIT $3) w
GROUP BY related_to, error, state ORDER BY 4 DESC, 2, 3 LIMIT 12
-- name: domain_rows
SELECT name, is_verified, ownership_token, created_at FROM domain WHERE account_id = $1 ORDER BY name LIMIT 500
-- name: key_rows
SELECT key, is_active, created_at FROM api_key WHERE account_id = $1 ORDER BY created_at, key LIMIT 500
-- name: counter_sources
-- A skip scan over the key (account, axis, source, ...): the cost grows with the number of sources, not of counters.
WITH RECURSIVE seen (source) AS (
    SELECT min(source) FROM counter WHERE account_id = $1 AND axis = $2
    UNION ALL
    SELECT (SELECT min(c.source) FROM counter c WHERE c.account_id = $1 AND c.axis = $2 AND c.source > seen.source) FROM seen WHERE seen.source IS NOT NULL
)
SELECT source FROM seen WHERE source IS NOT NULL LIMIT $3
