-- name: secret_get
SELECT value FROM installation WHERE name = $1
-- name: secret_put
INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING

-- name: worker_slots
SELECT slot FROM worker ORDER BY slot
-- name: worker_next_id (sqlite)
-- SQLite has no sequences; a worker id must never be used again, so max(id) + 1 would not do.
UPDATE worker_id SET next = next + 1 RETURNING next - 1
-- name: worker_next_id (postgres)
SELECT nextval('worker_id')
-- name: worker_add
INSERT INTO worker (id, slot, name, lease_until, delivers) VALUES ($1, $2, $3, $4, $5)
-- name: worker_prolong
UPDATE worker SET lease_until = $2 WHERE id = $1 RETURNING id
-- name: worker_remove
DELETE FROM worker WHERE id = $1 RETURNING id
-- name: workers
SELECT id, slot, name, lease_until, delivers FROM worker ORDER BY id
-- name: workers_of (sqlite)
SELECT id FROM worker WHERE id IN {ints:$1}
-- name: workers_of (postgres)
-- The lock keeps a supervisor from retiring the worker between this look and the insertion of messages that it owns.
SELECT id FROM worker WHERE id IN {ints:$1} FOR KEY SHARE
-- name: reclaim
-- What a dead worker held goes back to the queue, due at once.
UPDATE queue SET owner = 0 WHERE owner = $1 AND owner <> 0 RETURNING message_id, account_id, attempts, claims, due_at, site
-- name: reclaim_some
UPDATE queue SET owner = 0 WHERE owner = $1 AND message_id IN {ints:$2} RETURNING message_id, account_id, attempts, claims, due_at, site
-- name: reclaim_state
UPDATE message SET state = $2, updated_at = $3 WHERE id = $1 AND state = 'sent'

-- name: path_take
-- A path is free when nobody holds it, when its lease has run out or when its holder is gone.
INSERT INTO path_lease (path, owner, until) VALUES ($1, $2, $4)
ON CONFLICT (path) DO UPDATE SET owner = excluded.owner, until = excluded.until
WHERE path_lease.owner = excluded.owner OR path_lease.until < $3
   OR NOT EXISTS (SELECT 1 FROM worker WHERE worker.id = path_lease.owner)
RETURNING path
-- name: path_release
DELETE FROM path_lease WHERE path = $1 AND owner = $2
-- name: paths_release_all
DELETE FROM path_lease WHERE owner = $1
-- name: path_leases
SELECT path, owner, until FROM path_lease ORDER BY path
