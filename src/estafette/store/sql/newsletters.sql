-- name: newsletter_put
INSERT INTO newsletter (account_id, title, state, letter, list_id, segment_id, rate_per_hour, is_starred, edit_mode, mjml, template_id, created_at, updated_at)
VALUES ($1, $2, 'draft', $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) RETURNING id
-- name: newsletter_set
-- Only a draft can be changed: what is scheduled is called back first. The title names the campaign of the messages, so it stays as well.
UPDATE newsletter SET title = $3, letter = $4, list_id = $5, segment_id = $6, rate_per_hour = $7, is_archived = $8, is_starred = $9, edit_mode = $10,
  mjml = $11, template_id = $12, updated_at = $13
WHERE account_id = $1 AND id = $2 AND (state = 'draft' OR (title = $3 AND letter = $4 AND list_id = $5 AND segment_id = $6)) RETURNING id
-- name: newsletter_get
SELECT id, account_id, title, state, is_archived, letter, list_id, segment_id, rate_per_hour, start_at, submission_id, cursor, frozen, started_at, ended_at,
  created_at, updated_at, is_starred, edit_mode, mjml, template_id FROM newsletter WHERE account_id = $1 AND id = $2
-- name: newsletter_list
SELECT id, account_id, title, state, is_archived, letter, list_id, segment_id, rate_per_hour, start_at, submission_id, cursor, frozen, started_at, ended_at,
  created_at, updated_at, is_starred, edit_mode, mjml, template_id FROM newsletter WHERE account_id = $1 AND id > $2 ORDER BY id LIMIT $3
-- name: newsletter_newest
SELECT id, account_id, title, state, is_archived, letter, list_id, segment_id, rate_per_hour, start_at, submission_id, cursor, frozen, started_at, ended_at,
  created_at, updated_at, is_starred, edit_mode, mjml, template_id FROM newsletter WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3
-- name: newsletter_open
SELECT id, account_id, title, state, is_archived, letter, list_id, segment_id, rate_per_hour, start_at, submission_id, cursor, frozen, started_at, ended_at,
  created_at, updated_at, is_starred, edit_mode, mjml, template_id FROM newsletter WHERE state IN ('scheduled', 'freezing', 'sending') ORDER BY id
-- name: newsletter_turn
-- From the state in which the order was given, and from no other.
UPDATE newsletter SET state = $4, start_at = $5, updated_at = $6, started_at = COALESCE(started_at, $7), ended_at = $8
WHERE account_id = $1 AND id = $2 AND state = $3 RETURNING id
-- name: newsletter_advance
-- The cursor moves in the transaction that writes the recipients up to it, and only from where the writer saw it.
UPDATE newsletter SET cursor = $3, frozen = frozen + $4, submission_id = $5, updated_at = $6
WHERE id = $1 AND cursor = $2 AND state = 'freezing' RETURNING id
-- name: audience
SELECT c.id, c.address, c.address_key, c.name, c.properties FROM subscription s JOIN contact c ON c.id = s.contact_id
WHERE s.list_id = $1 AND s.contact_id > $2 AND s.is_unsubscribed = 0 AND c.is_excluded = 0 ORDER BY s.contact_id LIMIT $3
-- name: contacts_of_keys
SELECT address_key, name, properties FROM contact WHERE account_id = $1 AND address_key IN {texts:$2}
-- name: last_visits
-- When people last opened or clicked, of those who did since.
-- (The events are asked for message by message, never joined: PostgreSQL could choose to read every day's partition.)
SELECT v.address_key, MAX(v.at) FROM (
    SELECT m.address_key, (SELECT MAX(e.at) FROM event e WHERE e.message_id = m.id AND e.kind = $3 AND e.at >= $4) AS at
    FROM message m WHERE m.account_id = $1 AND m.address_key IN {texts:$2}) v
WHERE v.at IS NOT NULL GROUP BY v.address_key
-- name: submission_waiting
-- Whether a newsletter still has messages in the queue; they wait in bulk lanes only (index queue_bulk).
SELECT 1 FROM queue WHERE submission_id = $1 AND lane >= 3 LIMIT 1
-- name: submission_counts
SELECT state, marks, COUNT(*) FROM message WHERE submission_id = $1 GROUP BY state, marks
-- name: newsletter_discard
DELETE FROM newsletter WHERE account_id = $1 AND id = $2 AND state = 'draft' RETURNING id
