-- name: webhook_next_id (sqlite)
-- The log tells of webhooks that are gone: an id must never be used again.
UPDATE webhook_id SET next = next + 1 RETURNING next - 1
-- name: webhook_next_id (postgres)
SELECT nextval('webhook_id')
-- name: webhook_put
INSERT INTO webhook (id, account_id, event_type, is_backup, url, version, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (account_id, event_type, is_backup) DO NOTHING
RETURNING id, account_id, event_type, is_backup, url, version, created_at, failures, failing_since, paused_until, suspended_at, trouble
-- name: webhook_change
-- What was wrong with the old address says nothing of the new one.
UPDATE webhook SET url = $3, version = $4, failures = 0, failing_since = 0, paused_until = 0, suspended_at = 0, trouble = ''
WHERE account_id = $1 AND id = $2
RETURNING id, account_id, event_type, is_backup, url, version, created_at, failures, failing_since, paused_until, suspended_at, trouble
-- name: webhook_remove
DELETE FROM webhook WHERE account_id = $1 AND id = $2 RETURNING id
-- name: parcels_remove_of
DELETE FROM parcel WHERE webhook_id = $1
-- name: webhooks
SELECT id, account_id, event_type, is_backup, url, version, created_at, failures, failing_since, paused_until, suspended_at, trouble FROM webhook
WHERE (CAST($1 AS BIGINT) IS NULL OR account_id = $1) ORDER BY id
-- name: webhooks_due
SELECT id, account_id, event_type, is_backup, url, version, created_at, failures, failing_since, paused_until, suspended_at, trouble FROM webhook w
WHERE w.paused_until <= $1 AND EXISTS (SELECT 1 FROM parcel p WHERE p.webhook_id = w.id AND p.due_at <= $1) ORDER BY id
-- name: parcel_put
INSERT INTO parcel (webhook_id, event_id, message_id, payload, queued_at, due_at) VALUES ($1, $2, $3, $4, $5, $5)
-- name: parcels_due
-- Behind an earlier event of the same message nothing is due: that one is told first.
SELECT p.webhook_id, p.event_id, p.message_id, p.payload, p.id, p.attempts, p.queued_at FROM parcel p
WHERE p.webhook_id IN {ints:$1} AND p.due_at <= $2 AND NOT EXISTS (
    SELECT 1 FROM parcel e WHERE e.message_id = p.message_id AND e.id < p.id AND e.webhook_id IN {ints:$1} AND (e.due_at > $2 OR $4 = 1))
ORDER BY p.id LIMIT $3
-- name: parcel_told
DELETE FROM parcel WHERE id = $1
-- name: parcel_again
UPDATE parcel SET attempts = $2, due_at = $3 WHERE id = $1
-- name: parcels_move
UPDATE parcel SET webhook_id = $2, due_at = $3 WHERE webhook_id = $1
-- name: webhook_health
-- Not when its address was changed during the call.
UPDATE webhook SET failures = $2, failing_since = $3, paused_until = $4, suspended_at = $5, trouble = $6 WHERE id = $1 AND url = $7
-- name: webhook_call_put
INSERT INTO webhook_call (webhook_id, account_id, url, at, status, trouble, duration_ms, event_ids, body, answer)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
-- name: webhook_calls
SELECT webhook_id, account_id, url, at, status, trouble, duration_ms, event_ids, body, answer, id FROM webhook_call
WHERE (CAST($1 AS BIGINT) IS NULL OR account_id = $1) AND id < $2 AND (CAST($3 AS BIGINT) IS NULL OR webhook_id = $3)
  AND ($4 = 0 OR trouble <> '') ORDER BY id DESC LIMIT $5
-- name: webhook_call_get
SELECT webhook_id, account_id, url, at, status, trouble, duration_ms, event_ids, body, answer, id FROM webhook_call WHERE account_id = $1 AND id = $2
-- name: webhook_calls_forget
DELETE FROM webhook_call WHERE id IN (SELECT id FROM webhook_call WHERE at < $1 ORDER BY at LIMIT $2)
-- name: parcels_forget
DELETE FROM parcel WHERE id IN (SELECT id FROM parcel WHERE queued_at < $1 ORDER BY id LIMIT $2)
-- name: parcels_waiting
SELECT webhook_id, count(*), min(queued_at) FROM parcel WHERE webhook_id IN {ints:$1} GROUP BY webhook_id
-- name: newest_event (sqlite)
SELECT 0, COALESCE(max(id), 0) FROM event
-- name: newest_event (postgres)
SELECT xact::text::bigint, id FROM event WHERE xact < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xact DESC, id DESC LIMIT 1
-- name: event_views_by_id
SELECT e.id, e.account_id, e.message_id, e.at, e.kind, e.count, e.reply, e.data, 0, m.recipient, m.submission_id, s.door, s.author, s.subject,
       s.campaign_id, COALESCE(c.name, ''), s.custom_id, s.options, CASE WHEN s.due_at > s.accepted_at THEN s.due_at ELSE s.accepted_at END
FROM event e LEFT JOIN message m ON m.id = e.message_id LEFT JOIN submission s ON s.id = m.submission_id LEFT JOIN campaign c ON c.id = s.campaign_id
WHERE e.account_id = $1 AND e.id IN {ints:$2} ORDER BY e.id
