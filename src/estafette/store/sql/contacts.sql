-- name: contact_get
SELECT id, account_id, address, address_key, name, is_excluded, excluded_at, properties, created_at, updated_at FROM contact
WHERE account_id = $1 AND (id = $2 OR address_key = $3)
-- name: contacts_among (sqlite)
SELECT id, account_id, address, address_key, name, is_excluded, excluded_at, properties, created_at, updated_at FROM contact
WHERE account_id = $1 AND address_key IN {texts:$2}
-- name: contacts_among (postgres)
-- Locked: what is read here is merged and written back.
SELECT id, account_id, address, address_key, name, is_excluded, excluded_at, properties, created_at, updated_at FROM contact
WHERE account_id = $1 AND address_key IN {texts:$2} ORDER BY id FOR UPDATE
-- name: contact_put
INSERT INTO contact (account_id, address, address_key, name, is_excluded, excluded_at, properties, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
-- name: contact_set
UPDATE contact SET name = $2, is_excluded = $3, excluded_at = $4, properties = $5, updated_at = $6 WHERE id = $1
-- name: contact_ids
SELECT id, address_key FROM contact WHERE account_id = $1 AND address_key IN {texts:$2}
-- name: contacts_up
SELECT id, account_id, address, address_key, name, is_excluded, excluded_at, properties, created_at, updated_at FROM contact
WHERE account_id = $1 AND id > $2 AND (CAST($3 AS BIGINT) IS NULL OR is_excluded = $3) ORDER BY id LIMIT $4 OFFSET $5
-- name: contacts_down
SELECT id, account_id, address, address_key, name, is_excluded, excluded_at, properties, created_at, updated_at FROM contact
WHERE account_id = $1 AND id > $2 AND (CAST($3 AS BIGINT) IS NULL OR is_excluded = $3) ORDER BY id DESC LIMIT $4 OFFSET $5
-- name: contacts_by_address_up
-- `id + 0`: the index on addresses is walked, not the one on ids, whose rows would have to be sorted.
SELECT id, account_id, address, address_key, name, is_excluded, excluded_at, properties, created_at, updated_at FROM contact
WHERE account_id = $1 AND id + 0 > $2 AND (CAST($3 AS BIGINT) IS NULL OR is_excluded = $3) ORDER BY address_key LIMIT $4 OFFSET $5
-- name: contacts_by_address_down
-- `id + 0`: the index on addresses is walked, not the one on ids, whose rows would have to be sorted.
SELECT id, account_id, address, address_key, name, is_excluded, excluded_at, properties, created_at, updated_at FROM contact
WHERE account_id = $1 AND id + 0 > $2 AND (CAST($3 AS BIGINT) IS NULL OR is_excluded = $3) ORDER BY address_key DESC LIMIT $4 OFFSET $5
-- name: contacts_of_list
SELECT c.id, c.account_id, c.address, c.address_key, c.name, c.is_excluded, c.excluded_at, c.properties, c.created_at, c.updated_at
FROM subscription s JOIN contact c ON c.id = s.contact_id
WHERE s.list_id = $2 AND c.account_id = $1 AND s.contact_id > $3 AND (CAST($4 AS BIGINT) IS NULL OR c.is_excluded = $4)
  AND (CAST($5 AS BIGINT) IS NULL OR s.is_unsubscribed = $5)
ORDER BY s.contact_id LIMIT $6 OFFSET $7
-- name: contacts_count
SELECT count(*) FROM contact WHERE account_id = $1 AND (CAST($2 AS BIGINT) IS NULL OR is_excluded = $2)
-- name: contacts_of_list_count
SELECT count(*) FROM subscription s JOIN contact c ON c.id = s.contact_id
WHERE s.list_id = $2 AND c.account_id = $1 AND (CAST($3 AS BIGINT) IS NULL OR c.is_excluded = $3) AND (CAST($4 AS BIGINT) IS NULL OR s.is_unsubscribed = $4)
-- name: contact_erase
UPDATE contact SET address = $3, address_key = $3, name = '', properties = '{}', language = '', updated_at = $4 WHERE account_id = $1 AND id = $2 RETURNING id
-- name: contact_leave_count
UPDATE contact_list SET subscribers = subscribers - 1
WHERE id IN (SELECT list_id FROM subscription WHERE contact_id = $1 AND is_unsubscribed = 0)
-- name: contact_leave
DELETE FROM subscription WHERE contact_id = $1
-- name: contact_messages_erase
UPDATE message SET recipient = $3, address_key = $3 WHERE account_id = $1 AND address_key = $2
  AND state IN ('delivered', 'soft_bounced', 'hard_bounced', 'blocked')
-- name: property_put
INSERT INTO contact_property (account_id, name, name_key, kind, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, name_key) WHERE dropped_at IS NULL DO NOTHING RETURNING id, account_id, name, kind, created_at, fallback
-- name: property_fallback
UPDATE contact_property SET fallback = $3 WHERE account_id = $1 AND id = $2 AND dropped_at IS NULL RETURNING id
-- name: properties
SELECT id, account_id, name, kind, created_at, fallback FROM contact_property WHERE account_id = $1 AND dropped_at IS NULL ORDER BY id
-- name: property_rename
UPDATE contact_property SET name = $3, name_key = $4 WHERE account_id = $1 AND id = $2 AND dropped_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM contact_property o WHERE o.account_id = $1 AND o.name_key = $4 AND o.id <> $2 AND o.dropped_at IS NULL) RETURNING id
-- name: property_drop
UPDATE contact_property SET dropped_at = $3 WHERE account_id = $1 AND id = $2 AND dropped_at IS NULL RETURNING id
-- name: list_put
INSERT INTO contact_list (account_id, name, address, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (account_id, name) WHERE deleted_at IS NULL DO NOTHING RETURNING id, account_id, name, address, subscribers, created_at, deleted_at
-- name: list_get
SELECT id, account_id, name, address, subscribers, created_at, deleted_at FROM contact_list WHERE account_id = $1 AND (id = $2 OR address = $3)
-- name: lists
SELECT id, account_id, name, address, subscribers, created_at, deleted_at FROM contact_list WHERE account_id = $1 ORDER BY id LIMIT $2
-- name: list_set
UPDATE contact_list SET name = $3, deleted_at = $4 WHERE account_id = $1 AND id = $2
  AND ($5 = 1 OR NOT EXISTS (SELECT 1 FROM contact_list o WHERE o.account_id = $1 AND o.name = $3 AND o.id <> $2 AND o.deleted_at IS NULL)) RETURNING id
-- name: list_lock
-- Nobody else changes the subscriptions of this list until the end of the transaction: `subscribers` stays exact.
UPDATE contact_list SET subscribers = subscribers WHERE account_id = $1 AND id = $2 AND deleted_at IS NULL RETURNING id
-- name: subscription_states
SELECT contact_id, is_unsubscribed FROM subscription WHERE list_id = $1 AND contact_id IN {ints:$2}
-- name: list_count_add
UPDATE contact_list SET subscribers = subscribers + $2 WHERE id = $1
-- name: subscription_force
INSERT INTO subscription (list_id, contact_id, is_unsubscribed, subscribed_at, source, evidence) VALUES ($1, $2, 0, $3, $4, $5)
ON CONFLICT (list_id, contact_id) DO UPDATE SET is_unsubscribed = 0, subscribed_at = excluded.subscribed_at, unsubscribed_at = NULL,
  source = excluded.source, evidence = excluded.evidence WHERE subscription.is_unsubscribed = 1
-- name: subscription_add
INSERT INTO subscription (list_id, contact_id, is_unsubscribed, subscribed_at, source, evidence) VALUES ($1, $2, 0, $3, $4, $5)
ON CONFLICT (list_id, contact_id) DO NOTHING
-- name: subscription_end
INSERT INTO subscription (list_id, contact_id, is_unsubscribed, subscribed_at, unsubscribed_at, source, evidence) VALUES ($1, $2, 1, $3, $3, $4, $5)
ON CONFLICT (list_id, contact_id) DO UPDATE SET is_unsubscribed = 1, unsubscribed_at = excluded.unsubscribed_at, source = excluded.source,
  evidence = excluded.evidence WHERE subscription.is_unsubscribed = 0
-- name: subscription_remove
DELETE FROM subscription WHERE list_id = $1 AND contact_id = $2
-- name: subscriber_get
SELECT s.id, s.list_id, s.contact_id, s.is_unsubscribed, s.subscribed_at, s.unsubscribed_at, s.source, s.evidence, c.address, c.name, c.is_excluded, l.name
FROM subscription s JOIN contact_list l ON l.id = s.list_id JOIN contact c ON c.id = s.contact_id
WHERE l.account_id = $1 AND ((CAST($2 AS BIGINT) IS NOT NULL AND s.id = $2) OR (s.list_id = $3 AND s.contact_id = $4))
-- name: subscribers
-- Of a whole account, in the order of ids. `account_id + 0`: subscriptions are walked by id, not list by list, which would have to be sorted.
SELECT s.id, s.list_id, s.contact_id, s.is_unsubscribed, s.subscribed_at, s.unsubscribed_at, s.source, s.evidence, c.address, c.name, c.is_excluded, l.name
FROM subscription s JOIN contact_list l ON l.id = s.list_id JOIN contact c ON c.id = s.contact_id
WHERE l.account_id + 0 = $1 AND s.id > $2 AND (CAST($3 AS BIGINT) IS NULL OR s.is_unsubscribed = $3) AND (CAST($4 AS BIGINT) IS NULL OR c.is_excluded = $4)
  AND l.deleted_at IS NULL
ORDER BY s.id LIMIT $5 OFFSET $6
-- name: subscribers_of_list
SELECT s.id, s.list_id, s.contact_id, s.is_unsubscribed, s.subscribed_at, s.unsubscribed_at, s.source, s.evidence, c.address, c.name, c.is_excluded, l.name
FROM subscription s JOIN contact_list l ON l.id = s.list_id JOIN contact c ON c.id = s.contact_id
WHERE s.list_id = $7 AND l.account_id = $1 AND s.id > $2 AND (CAST($3 AS BIGINT) IS NULL OR s.is_unsubscribed = $3)
  AND (CAST($4 AS BIGINT) IS NULL OR c.is_excluded = $4) ORDER BY s.id LIMIT $5 OFFSET $6
-- name: subscribers_of_contact
SELECT s.id, s.list_id, s.contact_id, s.is_unsubscribed, s.subscribed_at, s.unsubscribed_at, s.source, s.evidence, c.address, c.name, c.is_excluded, l.name
FROM subscription s JOIN contact_list l ON l.id = s.list_id JOIN contact c ON c.id = s.contact_id
WHERE s.contact_id = $7 AND l.account_id = $1 AND s.id > $2 AND (CAST($3 AS BIGINT) IS NULL OR s.is_unsubscribed = $3)
  AND (CAST($4 AS BIGINT) IS NULL OR c.is_excluded = $4) ORDER BY s.id LIMIT $5 OFFSET $6
-- name: upload_put
INSERT INTO upload (account_id, list_id, data, created_at) VALUES ($1, $2, $3, $4) RETURNING id
-- name: upload_get
SELECT data FROM upload WHERE account_id = $1 AND id = $2
-- name: upload_piece_put
INSERT INTO upload_piece (upload_id, position, data) VALUES ($1, $2, $3)
-- name: upload_piece_get
SELECT p.data FROM upload_piece p JOIN upload u ON u.id = p.upload_id WHERE u.account_id = $1 AND p.upload_id = $2 AND p.position = $3
-- name: upload_pieces_forget
DELETE FROM upload_piece WHERE upload_id IN (SELECT id FROM upload WHERE created_at < $1
  AND NOT EXISTS (SELECT 1 FROM contact_job j WHERE j.upload_id = upload.id AND j.status IN ('waiting', 'running')))
-- name: uploads_forget
DELETE FROM upload WHERE created_at < $1 AND NOT EXISTS (SELECT 1 FROM contact_job j WHERE j.upload_id = upload.id AND j.status IN ('waiting', 'running'))
-- name: job_put
INSERT INTO contact_job (account_id, kind, orders, upload_id, status, total, created_at) VALUES ($1, $2, $3, $4, 'waiting', $5, $6)
RETURNING id, account_id, kind, orders, upload_id, status, done, total, errors, problem, created_at, started_at, ended_at, is_paused
-- name: job_get
SELECT id, account_id, kind, orders, upload_id, status, done, total, errors, problem, created_at, started_at, ended_at, is_paused FROM contact_job
WHERE account_id = $1 AND id = $2
-- name: jobs
SELECT id, account_id, kind, orders, upload_id, status, done, total, errors, problem, created_at, started_at, ended_at, is_paused FROM contact_job
WHERE account_id = $1 AND id > $2 AND (CAST($3 AS TEXT) IS NULL OR kind = $3) ORDER BY id LIMIT $4
-- name: jobs_newest
SELECT id, account_id, kind, orders, upload_id, status, done, total, errors, problem, created_at, started_at, ended_at, is_paused FROM contact_job
WHERE account_id = $1 ORDER BY id DESC LIMIT $2
-- name: job_claim
-- The oldest that nobody works on, or whose worker's lease has run out.
UPDATE contact_job SET status = 'running', owner = $1, until = $3, started_at = COALESCE(started_at, $2)
WHERE id = (SELECT id FROM contact_job WHERE status IN ('waiting', 'running') AND is_paused = 0 AND (owner = 0 OR until < $2)
  AND (CAST($4 AS BIGINT) IS NULL OR id = $4) ORDER BY id LIMIT 1)
  AND status IN ('waiting', 'running') AND (owner = 0 OR until < $2)
RETURNING id, account_id, kind, orders, upload_id, status, done, total, errors, problem, created_at, started_at, ended_at, is_paused
-- name: job_move
-- Only its worker, only from where it stood, only while nobody has aborted it.
UPDATE contact_job SET done = $4, total = $5, errors = errors + $6, until = $7 WHERE id = $1 AND owner = $2 AND done = $3 AND status = 'running' AND is_paused = 0
RETURNING errors
-- name: job_end
UPDATE contact_job SET status = $3, problem = $4, ended_at = $5, owner = 0 WHERE id = $1 AND owner = $2 AND status = 'running' RETURNING id
-- name: job_abort
UPDATE contact_job SET status = 'aborted', ended_at = $3, owner = 0 WHERE account_id = $1 AND id = $2 AND status IN ('waiting', 'running') RETURNING id
-- name: job_pause
UPDATE contact_job SET is_paused = $3, owner = 0 WHERE account_id = $1 AND id = $2 AND status IN ('waiting', 'running') AND is_paused <> $3 RETURNING id
-- name: job_error_put
INSERT INTO contact_job_error (job_id, position, entry, reason) VALUES ($1, $2, $3, $4) ON CONFLICT (job_id, position) DO NOTHING
-- name: job_errors
SELECT e.position, e.entry, e.reason FROM contact_job_error e JOIN contact_job j ON j.id = e.job_id
WHERE j.account_id = $1 AND e.job_id = $2 AND e.position > $3 ORDER BY e.position LIMIT $4
-- name: segment_put
INSERT INTO segment (account_id, name, description, expression, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, name) WHERE deleted_at IS NULL DO NOTHING RETURNING id, account_id, name, expression, description, created_at, deleted_at
-- name: segment_set
UPDATE segment SET name = $3, description = $4, expression = $5, deleted_at = $6 WHERE account_id = $1 AND id = $2
  AND ($7 = 1 OR NOT EXISTS (SELECT 1 FROM segment o WHERE o.account_id = $1 AND o.name = $3 AND o.id <> $2 AND o.deleted_at IS NULL)) RETURNING id
-- name: segments
SELECT id, account_id, name, expression, description, created_at, deleted_at FROM segment WHERE account_id = $1 ORDER BY id LIMIT $2
-- name: job_move_back
UPDATE contact_job SET done = $2, errors = errors - $3 WHERE id = $1
-- name: subscribers_count
SELECT count(*) FROM subscription s JOIN contact_list l ON l.id = s.list_id JOIN contact c ON c.id = s.contact_id
WHERE l.account_id = $1 AND l.deleted_at IS NULL AND (CAST($2 AS BIGINT) IS NULL OR s.contact_id = $2)
  AND (CAST($3 AS BIGINT) IS NULL OR s.is_unsubscribed = $3) AND (CAST($4 AS BIGINT) IS NULL OR c.is_excluded = $4)
