-- name: consent_act_put
INSERT INTO consent_act (account_id, contact_id, list_id, act, source, evidence, ip, words, reason, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
-- name: consent_acts
SELECT a.id, a.account_id, a.contact_id, a.list_id, a.act, a.source, a.evidence, a.ip, a.words, a.reason, a.at, COALESCE(l.name, '')
FROM consent_act a LEFT JOIN contact_list l ON l.id = a.list_id AND l.account_id = a.account_id
WHERE a.contact_id = $2 AND a.account_id = $1 AND a.id < $3 ORDER BY a.id DESC LIMIT $4
-- name: consent_acts_forget
DELETE FROM consent_act WHERE contact_id = $1
-- name: opt_ins_forget
DELETE FROM opt_in WHERE account_id = $1 AND address_key = $2
-- name: consent_forget
DELETE FROM consent WHERE account_id = $1 AND address_key = $2
-- name: last_open_forget
DELETE FROM last_open WHERE account_id = $1 AND address_key = $2
-- name: opt_in_contacts
SELECT c.id FROM contact c WHERE c.account_id = $1 AND c.id IN {ints:$2}
  AND EXISTS (SELECT 1 FROM opt_in o WHERE o.account_id = $1 AND o.address_key = c.address_key AND o.confirmed_at IS NULL AND o.expires_at > $3)
-- name: unsubscriptions_of
SELECT s.contact_id, s.unsubscribed_at, s.source FROM subscription s JOIN contact_list l ON l.id = s.list_id
WHERE s.contact_id IN {ints:$2} AND l.account_id = $1 AND l.deleted_at IS NULL AND s.is_unsubscribed = 1 AND s.unsubscribed_at <= $3
-- name: unsubscribe_blocks_of
-- Without those that end by themselves: a pause is no unsubscribe.
SELECT c.id, b.since, 'link' FROM contact c JOIN block b ON b.address_key = c.address_key AND b.account_id = $1
WHERE c.account_id = $1 AND c.id IN {ints:$2} AND b.cause = 'unsubscribe' AND b.lifted_at IS NULL AND b.until IS NULL AND b.since <= $3
-- name: complaint_blocks_of
SELECT c.id FROM contact c JOIN block b ON b.address_key = c.address_key AND b.account_id = $1
WHERE c.account_id = $1 AND c.id IN {ints:$2} AND b.cause = 'complaint' AND b.lifted_at IS NULL AND (b.until IS NULL OR b.until > $3)
-- name: opt_in_put
INSERT INTO opt_in (account_id, list_id, form_id, address, address_key, name, properties, language, ip, words, asked_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id
-- name: opt_in_get
SELECT id, account_id, list_id, form_id, address, address_key, name, properties, language, ip, words, asked_at, expires_at, confirmed_at
FROM opt_in WHERE id = $1
-- name: opt_ins_waiting
SELECT id, account_id, list_id, form_id, address, address_key, name, properties, language, ip, words, asked_at, expires_at, confirmed_at
FROM opt_in WHERE account_id = $1 AND (CAST($2 AS TEXT) IS NULL OR address_key = $2) AND (CAST($3 AS BIGINT) IS NULL OR list_id = $3)
  AND id > $4 AND confirmed_at IS NULL AND expires_at > $5 ORDER BY id LIMIT $6
-- name: opt_in_confirm
-- Once, and in time; who comes second finds nothing to do.
UPDATE opt_in SET confirmed_at = $2 WHERE id = $1 AND confirmed_at IS NULL AND expires_at > $2
RETURNING id, account_id, list_id, form_id, address, address_key, name, properties, language, ip, words, asked_at, expires_at, confirmed_at
-- name: opt_ins_prune
DELETE FROM opt_in WHERE id IN (SELECT id FROM opt_in WHERE expires_at < $1 ORDER BY expires_at LIMIT $2) RETURNING id
-- name: unsubscribe_blocks
SELECT since, until FROM block WHERE account_id = $1 AND address_key = $2 AND cause = 'unsubscribe' AND scope = '' AND lifted_at IS NULL
  AND (until IS NULL OR until > $3) ORDER BY id
-- name: places_of
SELECT s.list_id, l.name, s.is_unsubscribed FROM subscription s JOIN contact_list l ON l.id = s.list_id
WHERE s.contact_id = $1 AND l.deleted_at IS NULL ORDER BY l.name, s.list_id LIMIT $2
-- name: contact_language
SELECT language FROM contact WHERE id = $1
-- name: contact_language_set
UPDATE contact SET language = $2 WHERE id = $1 AND language <> $2
-- name: last_act_about_all
SELECT act FROM consent_act WHERE contact_id = $1 AND list_id = 0 AND act IN ('unsubscribed', 'paused', 'resumed') ORDER BY id DESC LIMIT 1
