-- name: policy_get
SELECT opens, clicks, text_links, hides_client, content_days, event_days FROM account_policy WHERE account_id = $1
-- name: policy_put
INSERT INTO account_policy (account_id, opens, clicks, text_links, hides_client, content_days, event_days, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (account_id) DO UPDATE SET opens = excluded.opens, clicks = excluded.clicks, text_links = excluded.text_links,
  hides_client = excluded.hides_client, content_days = excluded.content_days, event_days = excluded.event_days, updated_at = excluded.updated_at
-- name: consent_any
SELECT 1 FROM consent WHERE account_id = $1 LIMIT 1
-- name: consents_of
SELECT address_key, opens, clicks FROM consent WHERE account_id = $1 AND address_key IN {texts:$2}
-- name: consents_of_messages
-- What the people agreed to who are asked about by message; only those who said something.
SELECT m.id, c.opens, c.clicks FROM message m JOIN consent c ON c.account_id = m.account_id AND c.address_key = m.address_key WHERE m.id IN {ints:$1}
-- name: consent_put
INSERT INTO consent (account_id, address_key, opens, clicks, source, at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account_id, address_key) DO UPDATE SET opens = excluded.opens, clicks = excluded.clicks, source = excluded.source, at = excluded.at
-- name: consent_list
SELECT address_key, opens, clicks, source, at FROM consent WHERE account_id = $1 AND address_key > $2 ORDER BY address_key LIMIT $3
-- name: last_open_put
INSERT INTO last_open (account_id, address_key, day) SELECT account_id, address_key, $2 FROM message WHERE id = $1
ON CONFLICT (account_id, address_key) DO UPDATE SET day = excluded.day WHERE last_open.day < excluded.day
-- name: last_open_get
SELECT day FROM last_open WHERE account_id = $1 AND address_key = $2
-- name: revocation_put
INSERT INTO revocation (account_id, kind, value, reason, at) VALUES ($1, $2, $3, $4, $5) RETURNING id
-- name: revocations
SELECT id, kind, value, reason, at FROM revocation WHERE account_id = $1 AND lifted_at IS NULL ORDER BY id
-- name: revocation_lift
UPDATE revocation SET lifted_at = $3 WHERE account_id = $1 AND id = $2 AND lifted_at IS NULL RETURNING id
-- name: contents_past
-- Contents of an account that nobody will send any more, oldest first.
SELECT s.id FROM submission s
WHERE s.account_id = $1 AND s.id > $2 AND s.accepted_at < $3 AND (SELECT count(*) FROM content c WHERE c.submission_id = s.id) = 1
  AND NOT EXISTS (SELECT 1 FROM queue q JOIN message m ON m.id = q.message_id WHERE m.submission_id = s.id)
ORDER BY s.id LIMIT $4
-- name: content_drop
DELETE FROM content WHERE submission_id = $1
-- name: history_past
-- Messages of an account whose whole submission is finished and old, oldest first. Ids follow time: the primary key gives the order.
SELECT m.submission_id, m.id FROM message m JOIN submission s ON s.id = m.submission_id
WHERE m.account_id = $1 AND s.accepted_at < $2 AND m.submission_id IN (
  SELECT s.id FROM submission s WHERE s.account_id = $1 AND s.accepted_at < $2
  AND NOT EXISTS (SELECT 1 FROM queue q JOIN message o ON o.id = q.message_id WHERE o.submission_id = s.id) ORDER BY s.id LIMIT $3)
-- name: event_drop
DELETE FROM event WHERE message_id = $1
-- name: message_drop
DELETE FROM message WHERE id = $1
-- name: submission_drop
DELETE FROM submission WHERE id = $1
