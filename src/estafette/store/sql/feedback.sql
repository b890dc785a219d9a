-- name: message_states (sqlite)
SELECT id, state, marks, attempts, account_id, address_key, site FROM message WHERE id IN {ints:$1}
-- name: message_states (postgres)
-- Locked in the order of ids, so that two batches about the same messages wait for each other instead of both losing.
SELECT id, state, marks, attempts, account_id, address_key, site FROM message WHERE id IN {ints:$1} ORDER BY id FOR UPDATE
-- name: blocks_lift_cause
UPDATE block SET lifted_at = $4, lifted_reason = $5
WHERE account_id = $1 AND address_key = $2 AND cause = $3 AND scope = '' AND lifted_at IS NULL AND (until IS NULL OR until > $4)
-- name: visited
-- The delivery and the first opening stand among the first events of a message: the look ends there, however often it was opened since.
SELECT m.id, m.account_id, m.marks, (
    SELECT e.at FROM event e WHERE e.message_id = m.id AND e.kind = 'delivered' ORDER BY e.id LIMIT 1),
    CASE WHEN (m.marks & 1) <> 0 THEN (SELECT e.at FROM event e WHERE e.message_id = m.id AND e.kind = 'opened' ORDER BY e.id LIMIT 1) END
FROM message m WHERE m.id IN {ints:$1}
-- name: visits_recent (sqlite)
-- Only the newest events of the whole table are looked at, and only so many are handed out: a message with a million openings costs little more
-- than another.
SELECT id, account_id, message_id, at, kind, count, reply, data FROM event
WHERE message_id IN {ints:$1} AND id > (SELECT COALESCE(max(id), 0) FROM event) - $2 AND at >= $3 AND kind IN ('clicked', 'note')
ORDER BY id DESC LIMIT $4
-- name: visits_recent (postgres)
-- The newest number is the sequence's: to ask every day's partition for its own would cost more than the rest.
SELECT id, account_id, message_id, at, kind, count, reply, data FROM event
WHERE message_id = ANY($1::bigint[]) AND id > (SELECT last_value FROM event_id) - $2 AND at >= $3 AND kind IN ('clicked', 'note')
ORDER BY id DESC LIMIT $4
