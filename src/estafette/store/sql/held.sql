-- name: held_list
SELECT q.message_id, q.account_id, q.recipient, s.subject, q.attempts, q.uncertain, m.updated_at, q.deadline_at
FROM queue q JOIN message m ON m.id = q.message_id JOIN submission s ON s.id = q.submission_id
WHERE q.owner = -1 AND q.message_id > $1 AND (CAST($2 AS BIGINT) IS NULL OR q.account_id = $2) ORDER BY q.message_id LIMIT $3
-- name: held_release
UPDATE queue SET owner = 0, due_at = $2 WHERE owner = -1 AND message_id IN {ints:$1} RETURNING message_id, account_id
-- name: held_drop
DELETE FROM queue WHERE owner = -1 AND message_id IN {ints:$1} RETURNING message_id, account_id, attempts
-- name: message_sites
SELECT id, site FROM message WHERE id IN {ints:$1}
-- name: uncertain_ways
SELECT m.id, a.after_uncertain, s.options FROM message m JOIN account a ON a.id = m.account_id JOIN submission s ON s.id = m.submission_id
WHERE m.id IN {ints:$1}
-- name: uncertain_waiting (sqlite)
SELECT message_id, attempts FROM queue WHERE owner <= 0 AND uncertain > 0 AND message_id IN {ints:$1}
-- name: uncertain_waiting (postgres)
-- Locked: a worker that claims it now waits, and then finds it gone.
SELECT message_id, attempts FROM queue WHERE owner <= 0 AND uncertain > 0 AND message_id IN {ints:$1} ORDER BY message_id FOR UPDATE
-- name: queue_uncertain
UPDATE queue SET owner = $2, attempts = $3, due_at = $4, uncertain = uncertain + 1 WHERE message_id = $1
-- name: queue_not_held
SELECT message_id, account_id, attempts, claims, due_at, site FROM queue WHERE owner <> -1 ORDER BY message_id LIMIT $1
-- name: worker_forget
DELETE FROM worker
-- name: worker_skip_ids (sqlite)
UPDATE worker_id SET next = next + $1
-- name: worker_skip_ids (postgres)
SELECT setval('worker_id', nextval('worker_id') + $1)
