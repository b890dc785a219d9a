-- name: idempotency_get
SELECT account_id, key, fingerprint, answer FROM idempotency WHERE key IN {texts:$1} AND created_at > $2
-- name: idempotency_forget
DELETE FROM idempotency WHERE created_at <= $1
-- name: idempotency_put
-- No ON CONFLICT: a second writer with the same key must fail, so that its unit runs again and finds the first answer.
INSERT INTO idempotency (account_id, key, fingerprint, answer, created_at) VALUES ($1, $2, $3, $4, $5)
-- name: blocks_running
SELECT account_id, address_key, cause FROM block
WHERE address_key IN {texts:$1} AND lifted_at IS NULL AND scope = '' AND (until IS NULL OR until > $2)
-- name: campaign_put
INSERT INTO campaign (account_id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (account_id, name) DO NOTHING
-- name: campaign_get
SELECT id FROM campaign WHERE account_id = $1 AND name = $2
-- name: campaign_first
-- Returns a row only for the first copy to this address in this campaign.
INSERT INTO campaign_recipient (campaign_id, address_key, message_id) VALUES ($1, $2, $3)
ON CONFLICT (campaign_id, address_key) DO NOTHING RETURNING message_id
-- name: submission_put (sqlite)
INSERT INTO submission (id, account_id, door, reverse_path, author, subject, campaign_id, custom_id, options, smtputf8, size_bytes, accepted_at, due_at,
                        deadline_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
-- name: submission_put (postgres)
INSERT INTO submission (id, account_id, door, reverse_path, author, subject, campaign_id, custom_id, options, smtputf8, size_bytes, accepted_at, due_at,
                        deadline_at)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::text[], $10::smallint[],
                     $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[])
-- name: content_put (sqlite)
INSERT INTO content (submission_id, codec, data) VALUES ($1, $2, $3)
-- name: content_put (postgres)
INSERT INTO content (submission_id, codec, data) SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[])
-- name: message_put (sqlite)
INSERT INTO message (id, submission_id, account_id, recipient, address_key, state, related_to, error, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
-- name: message_put (postgres)
INSERT INTO message (id, submission_id, account_id, recipient, address_key, state, related_to, error, created_at, updated_at)
SELECT id, submission_id, account_id, recipient, address_key, state, related_to, error, created_at, created_at
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[])
    AS v (id, submission_id, account_id, recipient, address_key, state, related_to, error, created_at)
-- name: queue_put (sqlite)
INSERT INTO queue (message_id, submission_id, account_id, recipient, domain, site, lane, accepted_at, due_at, deadline_at, owner, notify, campaign_id, stream)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
-- name: queue_put (postgres)
INSERT INTO queue (message_id, submission_id, account_id, recipient, domain, site, lane, accepted_at, due_at, deadline_at, owner, notify, campaign_id, stream)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],
                     $11::bigint[], $12::text[], $13::bigint[], $14::text[])
-- name: event_put (sqlite)
INSERT INTO event (account_id, message_id, at, kind, count, reply, data) VALUES ($1, $2, $3, $4, $5, $6, $7)
-- name: event_put (postgres)
INSERT INTO event (account_id, message_id, at, kind, count, reply, data)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::text[])
