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

-- name: lease_lock (sqlite)
SELECT 1
-- name: lease_lock (postgres)
-- Leases of one path are several rows: whoever writes one looks at the others first, and nobody else may write between. SQLite has one writer anyway.
SELECT pg_advisory_xact_lock(1818583924)
-- name: paths_drop_dead
-- A lease that has run out, or whose holder is gone, keeps nobody off.
DELETE FROM path_lease WHERE path IN {texts:$1} AND owner <> $2
  AND (until < $3 OR NOT EXISTS (SELECT 1 FROM worker WHERE worker.id = path_lease.owner))
-- name: path_take
-- Prolongs what the worker holds of a path, else takes the whole when nobody holds any of it.
INSERT INTO path_lease (path, owner, until) SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS BIGINT)
WHERE NOT EXISTS (SELECT 1 FROM path_lease WHERE path = $1 AND owner <> $2) OR EXISTS (SELECT 1 FROM path_lease WHERE path = $1 AND owner = $2)
ON CONFLICT (path, owner) DO UPDATE SET until = excluded.until
RETURNING path
-- name: path_overlap
SELECT owner FROM path_lease WHERE path = $1 AND owner <> $2 AND low < $4 AND high > $3
-- name: path_share
INSERT INTO path_lease (path, owner, until, low, high, holders, words) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (path, owner) DO UPDATE SET until = excluded.until, low = excluded.low, high = excluded.high, holders = excluded.holders, words = excluded.words
-- name: paths_shared
SELECT path, owner, until, low, high, holders, words FROM path_lease WHERE holders > 1 ORDER BY path, owner
-- name: path_release
DELETE FROM path_lease WHERE path = $1 AND owner = $2
-- name: paths_release_all
DELETE FROM path_lease WHERE owner = $1
-- name: path_leases
SELECT path, owner, until, low, high, holders, words FROM path_lease ORDER BY path, owner
