-- name: newest_id
SELECT COALESCE(max(id), 0) FROM message
-- name: due_sites (sqlite)
-- A skip scan over the index (site, lane, account, campaign, due): from the first message of a group straight to the first of the next. The cost grows
-- with the number of groups, not of messages. Lanes from 6 on are the guard's: nobody claims from them.
-- (SQLite goes by the first column only when rows are compared, hence the ladder; it keeps the order of a CROSS JOIN, and stops at the LIMIT.)
WITH RECURSIVE head (id) AS (
    SELECT (SELECT f.message_id FROM queue f WHERE f.owner = 0 AND f.site > $3 ORDER BY f.site, f.lane, f.account_id, f.campaign_id, f.due_at LIMIT 1)
    UNION ALL
    SELECT COALESCE(
        (SELECT n.message_id FROM queue n WHERE n.owner = 0 AND n.site = c.site AND n.lane = c.lane AND n.account_id = c.account_id
            AND n.campaign_id > c.campaign_id ORDER BY n.campaign_id, n.due_at LIMIT 1),
        (SELECT n.message_id FROM queue n WHERE n.owner = 0 AND n.site = c.site AND n.lane = c.lane AND n.account_id > c.account_id
            ORDER BY n.account_id, n.campaign_id, n.due_at LIMIT 1),
        (SELECT n.message_id FROM queue n WHERE n.owner = 0 AND n.site = c.site AND n.lane > c.lane
            ORDER BY n.lane, n.account_id, n.campaign_id, n.due_at LIMIT 1),
        (SELECT n.message_id FROM queue n WHERE n.owner = 0 AND n.site > c.site
            ORDER BY n.site, n.lane, n.account_id, n.campaign_id, n.due_at LIMIT 1))
    FROM head JOIN queue c ON c.message_id = head.id
)
SELECT q.site FROM head CROSS JOIN queue q ON q.message_id = head.id
WHERE q.due_at <= $1 AND q.lane < 6
  AND (SELECT count(*) FROM hold h WHERE h.account_id = q.account_id AND h.campaign_id IN (0, q.campaign_id) AND h.domain = '') = 0
  AND (SELECT count(*) FROM hold h WHERE h.account_id IN (0, q.account_id) AND q.site = '@' || h.domain) = 0
LIMIT $2
-- name: due_sites (postgres)
-- The same skip scan; it needs LATERAL to keep the order and to stop at the LIMIT.
WITH RECURSIVE head AS (
    (SELECT site, lane, account_id, campaign_id, due_at FROM queue WHERE owner = 0 AND site > $3 ORDER BY site, lane, account_id, campaign_id, due_at LIMIT 1)
    UNION ALL
    SELECT n.* FROM head c CROSS JOIN LATERAL (
        SELECT site, lane, account_id, campaign_id, due_at FROM queue WHERE owner = 0 AND (site, lane, account_id, campaign_id) > (c.site, c.lane, c.account_id, c.campaign_id)
        ORDER BY site, lane, account_id, campaign_id, due_at LIMIT 1) n
)
SELECT q.site FROM head q
WHERE q.due_at <= $1 AND q.lane < 6
  AND (SELECT count(*) FROM hold h WHERE h.account_id = q.account_id AND h.campaign_id IN (0, q.campaign_id) AND h.domain = '') = 0
  AND (SELECT count(*) FROM hold h WHERE h.account_id IN (0, q.account_id) AND q.site = '@' || h.domain) = 0
LIMIT $2
-- name: due_groups (sqlite)
-- The same for one site: its groups that have something due, with the names of their account and campaign.
WITH RECURSIVE head (id) AS (
    SELECT (SELECT f.message_id FROM queue f WHERE f.owner = 0 AND f.site = $1 ORDER BY f.lane, f.account_id, f.campaign_id, f.due_at LIMIT 1)
    UNION ALL
    SELECT COALESCE(
        (SELECT n.message_id FROM queue n WHERE n.owner = 0 AND n.site = c.site AND n.lane = c.lane AND n.account_id = c.account_id
            AND n.campaign_id > c.campaign_id ORDER BY n.campaign_id, n.due_at LIMIT 1),
        (SELECT n.message_id FROM queue n WHERE n.owner = 0 AND n.site = c.site AND n.lane = c.lane AND n.account_id > c.account_id
            ORDER BY n.account_id, n.campaign_id, n.due_at LIMIT 1),
        (SELECT n.message_id FROM queue n WHERE n.owner = 0 AND n.site = c.site AND n.lane > c.lane
            ORDER BY n.lane, n.account_id, n.campaign_id, n.due_at LIMIT 1))
    FROM head JOIN queue c ON c.message_id = head.id
)
SELECT q.lane, q.account_id, q.campaign_id, COALESCE(a.name, ''), COALESCE(g.name, '')
FROM head CROSS JOIN queue q ON q.message_id = head.id LEFT JOIN account a ON a.id = q.account_id LEFT JOIN campaign g ON g.id = q.campaign_id
WHERE q.due_at <= $2 AND q.lane < 6
  AND (SELECT count(*) FROM hold h WHERE h.account_id = q.account_id AND h.campaign_id IN (0, q.campaign_id) AND h.domain = '') = 0
  AND (SELECT count(*) FROM hold h WHERE h.account_id IN (0, q.account_id) AND q.site = '@' || h.domain) = 0
-- name: due_groups (postgres)
WITH RECURSIVE head AS (
    (SELECT site, lane, account_id, campaign_id, due_at FROM queue WHERE owner = 0 AND site = $1 ORDER BY site, lane, account_id, campaign_id, due_at LIMIT 1)
    UNION ALL
    SELECT n.* FROM head c CROSS JOIN LATERAL (
        SELECT site, lane, account_id, campaign_id, due_at FROM queue WHERE owner = 0 AND site = $1 AND (lane, account_id, campaign_id) > (c.lane, c.account_id, c.campaign_id)
        ORDER BY site, lane, account_id, campaign_id, due_at LIMIT 1) n
)
SELECT q.lane, q.account_id, q.campaign_id, COALESCE((SELECT name FROM account a WHERE a.id = q.account_id), ''),
       COALESCE((SELECT name FROM campaign g WHERE g.id = q.campaign_id), '')
FROM head q
WHERE q.due_at <= $2 AND q.lane < 6
  AND (SELECT count(*) FROM hold h WHERE h.account_id = q.account_id AND h.campaign_id IN (0, q.campaign_id) AND h.domain = '') = 0
  AND (SELECT count(*) FROM hold h WHERE h.account_id IN (0, q.account_id) AND q.site = '@' || h.domain) = 0
-- name: claim_group (sqlite)
UPDATE queue SET owner = $6, claims = claims + 1 WHERE message_id IN (
    SELECT message_id FROM queue WHERE owner = 0 AND site = $1 AND lane = $2 AND account_id = $3 AND campaign_id = $4 AND due_at <= $5 AND deadline_at > $5
    ORDER BY due_at LIMIT $7)
RETURNING message_id, submission_id, account_id, recipient, domain, site, lane, attempts, accepted_at, due_at, deadline_at, owner, notify, claims, stream
-- name: claim_group (postgres)
-- SKIP LOCKED: two workers that take from one group never wait for each other.
UPDATE queue SET owner = $6, claims = claims + 1 WHERE message_id IN (
    SELECT message_id FROM queue WHERE owner = 0 AND site = $1 AND lane = $2 AND account_id = $3 AND campaign_id = $4 AND due_at <= $5 AND deadline_at > $5
    ORDER BY due_at LIMIT $7 FOR UPDATE SKIP LOCKED)
RETURNING message_id, submission_id, account_id, recipient, domain, site, lane, attempts, accepted_at, due_at, deadline_at, owner, notify, claims, stream
-- name: mark_sent
UPDATE message SET state = 'sent', updated_at = $2 WHERE id IN {ints:$1}
-- name: contents (sqlite)
SELECT s.id, s.account_id, s.reverse_path, s.author, s.options, s.accepted_at, s.smtputf8, c.codec, c.data
FROM submission s JOIN content c ON c.submission_id = s.id WHERE s.id IN {ints:$1}
-- name: contents (postgres)
-- The ids are said of both tables: content is partitioned by them (store/days.py), and only the days that are asked for are looked at.
SELECT s.id, s.account_id, s.reverse_path, s.author, s.options, s.accepted_at, s.smtputf8, c.codec, c.data
FROM submission s JOIN content c ON c.submission_id = s.id WHERE s.id = ANY($1::bigint[]) AND c.submission_id = ANY($1::bigint[])
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
-- name: queue_remove (sqlite)
DELETE FROM queue WHERE message_id = $1
-- name: queue_remove (postgres)
-- One statement for all rows (unit.Many): the parameters are columns. The same below and in accept.sql.
DELETE FROM queue WHERE message_id IN (SELECT unnest($1::bigint[]))
-- name: queue_again
UPDATE queue SET owner = $6, attempts = $2, lane = $3, due_at = $4, site = COALESCE($5, site), uncertain = uncertain + $7 WHERE message_id = $1
-- name: message_settle (sqlite)
UPDATE message SET state = $2, related_to = $3, error = $4, attempts = $5, updated_at = $6, site = $7 WHERE id = $1
-- name: message_settle (postgres)
UPDATE message m SET state = v.state, related_to = v.related_to, error = v.error, attempts = v.attempts, updated_at = v.updated_at, site = v.site
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[])
    AS v (id, state, related_to, error, attempts, updated_at, site) WHERE m.id = v.id
-- name: message_release
UPDATE message SET state = $2, updated_at = $3 WHERE id = $1
-- name: block_put
INSERT INTO block (account_id, address_key, scope, cause, since, until, message_id, reply) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
-- name: held_by
-- `owner <> 0` is said so that the index of what is held is used: neither database knows that $1 is not 0. The same in workers.sql.
SELECT message_id FROM queue WHERE owner = $1 AND owner <> 0
-- name: past_deadline (sqlite)
SELECT q.message_id, q.account_id, q.attempts, m.address_key, m.related_to, m.error, m.state, m.site FROM queue q JOIN message m ON m.id = q.message_id
WHERE q.owner <= 0 AND q.deadline_at <= $1 LIMIT $2
-- name: past_deadline (postgres)
SELECT q.message_id, q.account_id, q.attempts, m.address_key, m.related_to, m.error, m.state, m.site FROM queue q JOIN message m ON m.id = q.message_id
WHERE q.owner <= 0 AND q.deadline_at <= $1 LIMIT $2 FOR UPDATE OF q SKIP LOCKED
