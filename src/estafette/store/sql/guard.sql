-- name: guard_running
SELECT id, account_id, stream, step, cause, part, whole, per_hour, since, lifted_at, lifted_reason FROM guard_order
WHERE lifted_at IS NULL AND (CAST($1 AS BIGINT) IS NULL OR account_id = $1) ORDER BY id
-- name: guard_history
SELECT id, account_id, stream, step, cause, part, whole, per_hour, since, lifted_at, lifted_reason FROM guard_order
WHERE (CAST($1 AS BIGINT) IS NULL OR account_id = $1) ORDER BY id DESC LIMIT $2
-- name: guard_lifted_at
SELECT stream, cause, max(lifted_at) FROM guard_order WHERE account_id = $1 AND lifted_at IS NOT NULL AND lifted_reason <> $2 GROUP BY stream, cause
-- name: guard_put
INSERT INTO guard_order (account_id, stream, step, cause, part, whole, per_hour, since) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
-- name: guard_lift
UPDATE guard_order SET lifted_at = $2, lifted_reason = $3 WHERE id = $1 AND lifted_at IS NULL
RETURNING id, account_id, stream, step, cause, part, whole, per_hour, since, lifted_at, lifted_reason
-- name: guard_active
SELECT a.id FROM account a WHERE EXISTS (
    SELECT 1 FROM counter c WHERE c.account_id = a.id AND c.axis = 'account' AND c.source = '' AND c.timing = 'event' AND c.resolution = 'hour' AND c.bucket >= $1)
   OR EXISTS (SELECT 1 FROM guard_order g WHERE g.account_id = a.id AND g.lifted_at IS NULL) ORDER BY a.id
-- name: guard_hold
-- Lanes from 6 on are claimed by nobody: their messages keep their place, their due time and their deadline.
UPDATE queue SET lane = lane + 6 WHERE account_id = $1 AND owner = 0 AND lane < 6
  AND ($2 = 1 OR lane >= 3 OR campaign_id <> 0)
  AND ($3 = 1 OR NOT (lane >= 3 OR campaign_id <> 0))
RETURNING message_id
-- name: guard_release
UPDATE queue SET lane = lane - 6 WHERE message_id IN (
    SELECT q.message_id FROM queue q WHERE q.account_id = $1 AND q.owner = 0 AND q.lane >= 6
      AND ($2 = 1 OR q.lane >= 9 OR q.campaign_id <> 0)
      AND ($3 = 1 OR NOT (q.lane >= 9 OR q.campaign_id <> 0))
    ORDER BY q.due_at LIMIT $4)
RETURNING message_id
-- name: guard_held
SELECT account_id, count(*), min(accepted_at) FROM queue WHERE lane >= 6 GROUP BY account_id
