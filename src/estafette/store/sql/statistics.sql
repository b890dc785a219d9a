-- name: event_views (sqlite)
SELECT e.id, e.account_id, e.message_id, e.at, e.kind, e.count, e.reply, e.data, 0, m.recipient, m.submission_id, s.door, s.author, s.subject,
       s.campaign_id, COALESCE(c.name, ''), s.custom_id, s.options, CASE WHEN s.due_at > s.accepted_at THEN s.due_at ELSE s.accepted_at END
FROM (SELECT * FROM event WHERE id > $1 ORDER BY id LIMIT $3) e
LEFT JOIN message m ON m.id = e.message_id LEFT JOIN submission s ON s.id = m.submission_id LEFT JOIN campaign c ON c.id = s.campaign_id
WHERE $2 >= 0 ORDER BY e.id
-- name: event_views (postgres)
-- Ids commit out of order with several writers: read in (transaction, id) order, behind the oldest running transaction.
SELECT e.id, e.account_id, e.message_id, e.at, e.kind, e.count, e.reply, e.data, e.xact::text::bigint, m.recipient, m.submission_id, s.door, s.author, s.subject,
       s.campaign_id, COALESCE(c.name, ''), s.custom_id, s.options, CASE WHEN s.due_at > s.accepted_at THEN s.due_at ELSE s.accepted_at END
FROM (SELECT * FROM event WHERE (xact, id) > (CAST($2::bigint::text AS xid8), $1) AND xact < pg_snapshot_xmin(pg_current_snapshot())
      ORDER BY xact, id LIMIT $3) e
LEFT JOIN message m ON m.id = e.message_id LEFT JOIN submission s ON s.id = m.submission_id LEFT JOIN campaign c ON c.id = s.campaign_id
ORDER BY e.xact, e.id
-- name: event_views_of (sqlite)
SELECT e.id, e.account_id, e.message_id, e.at, e.kind, e.count, e.reply, e.data, 0, m.recipient, m.submission_id, s.door, s.author, s.subject,
       s.campaign_id, COALESCE(c.name, ''), s.custom_id, s.options, CASE WHEN s.due_at > s.accepted_at THEN s.due_at ELSE s.accepted_at END
FROM (SELECT * FROM event WHERE account_id = $4 AND id > $1 ORDER BY id LIMIT $3) e
LEFT JOIN message m ON m.id = e.message_id LEFT JOIN submission s ON s.id = m.submission_id LEFT JOIN campaign c ON c.id = s.campaign_id
WHERE $2 >= 0 ORDER BY e.id
-- name: event_views_of (postgres)
SELECT e.id, e.account_id, e.message_id, e.at, e.kind, e.count, e.reply, e.data, e.xact::text::bigint, m.recipient, m.submission_id, s.door, s.author, s.subject,
       s.campaign_id, COALESCE(c.name, ''), s.custom_id, s.options, CASE WHEN s.due_at > s.accepted_at THEN s.due_at ELSE s.accepted_at END
FROM (SELECT * FROM event WHERE account_id = $4 AND (xact, id) > (CAST($2::bigint::text AS xid8), $1) AND xact < pg_snapshot_xmin(pg_current_snapshot())
      ORDER BY xact, id LIMIT $3) e
LEFT JOIN message m ON m.id = e.message_id LEFT JOIN submission s ON s.id = m.submission_id LEFT JOIN campaign c ON c.id = s.campaign_id
ORDER BY e.xact, e.id
-- name: follower_get
SELECT xact, id FROM follower WHERE name = $1
-- name: follower_lease
-- Free when nobody has it, when its lease has run out, or ours already.
INSERT INTO follower (name, owner, until) VALUES ($1, $2, $4)
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until WHERE follower.owner = excluded.owner OR follower.until < $3
RETURNING name
-- name: follower_release
UPDATE follower SET until = 0 WHERE name = $1 AND owner = $2
-- name: follower_start
INSERT INTO follower (name) VALUES ($1) ON CONFLICT (name) DO NOTHING
-- name: follower_move
-- Only from where the reader stood when it read: two readers of the same stretch cannot both have it counted.
UPDATE follower SET xact = $4, id = $5 WHERE name = $1 AND xact = $2 AND id = $3 RETURNING name
-- name: follower_reset
UPDATE follower SET xact = 0, id = 0 WHERE name = $1
-- name: counters_begin
-- Per account: the day of its first counter, and when its oldest submission was accepted of which the events are left (NULL: of none).
SELECT a.id, (SELECT min(c.bucket) FROM counter c WHERE c.account_id = a.id AND c.axis = 'account' AND c.source = '' AND c.timing = 'message' AND c.resolution = 'day'),
       (SELECT e.at FROM event e WHERE e.account_id = a.id AND e.kind = 'accepted' ORDER BY e.id LIMIT 1)
FROM account a ORDER BY a.id
-- name: counter_floors
SELECT account_id, since FROM counter_floor WHERE account_id IN {ints:$1}
-- name: counter_floor_put
INSERT INTO counter_floor (account_id, since) VALUES ($1, $2) ON CONFLICT (account_id) DO UPDATE SET since = excluded.since
-- name: counters_forget
DELETE FROM counter WHERE account_id = $1 AND bucket >= $2
-- name: reach_forget
DELETE FROM reach WHERE account_id = $1 AND bucket >= $2
-- name: reach_seen_forget
DELETE FROM reach_seen
-- name: counter_add
INSERT INTO counter (account_id, axis, source, timing, resolution, bucket, door, provider,
       processed, blocked, deferred, delivered, exhausted, hard_errors, opened, clicked, engaged, opened_by_persons, clicked_by_persons,
       engaged_by_persons, unsubscribed, spam, attempts, open_events, click_events, unsubscribe_events, spam_events, open_delay_s,
       click_delay_s, delivery_delay_s)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28,
       $29, $30)
ON CONFLICT (account_id, axis, source, timing, resolution, bucket, door, provider) DO UPDATE SET
       processed = counter.processed + excluded.processed, blocked = counter.blocked + excluded.blocked,
       deferred = counter.deferred + excluded.deferred, delivered = counter.delivered + excluded.delivered,
       exhausted = counter.exhausted + excluded.exhausted, hard_errors = counter.hard_errors + excluded.hard_errors,
       opened = counter.opened + excluded.opened, clicked = counter.clicked + excluded.clicked,
       engaged = counter.engaged + excluded.engaged, opened_by_persons = counter.opened_by_persons + excluded.opened_by_persons,
       clicked_by_persons = counter.clicked_by_persons + excluded.clicked_by_persons,
       engaged_by_persons = counter.engaged_by_persons + excluded.engaged_by_persons,
       unsubscribed = counter.unsubscribed + excluded.unsubscribed, spam = counter.spam + excluded.spam,
       attempts = counter.attempts + excluded.attempts, open_events = counter.open_events + excluded.open_events,
       click_events = counter.click_events + excluded.click_events,
       unsubscribe_events = counter.unsubscribe_events + excluded.unsubscribe_events,
       spam_events = counter.spam_events + excluded.spam_events, open_delay_s = counter.open_delay_s + excluded.open_delay_s,
       click_delay_s = counter.click_delay_s + excluded.click_delay_s,
       delivery_delay_s = counter.delivery_delay_s + excluded.delivery_delay_s
-- name: reach_seen_among
SELECT message_id, digest FROM reach_seen WHERE message_id IN {ints:$1}
-- name: reach_seen_put
INSERT INTO reach_seen (message_id, digest) VALUES ($1, $2) ON CONFLICT (message_id, digest) DO NOTHING
-- name: reach_add
INSERT INTO reach (account_id, campaign_id, kind, bucket, digest, is_click, name, detail, messages, events) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (account_id, campaign_id, kind, bucket, digest) DO UPDATE SET messages = reach.messages + excluded.messages, events = reach.events + excluded.events
-- name: counter_slices
SELECT source, bucket,
       SUM(processed), SUM(blocked), SUM(deferred), SUM(delivered), SUM(exhausted), SUM(hard_errors), SUM(opened), SUM(clicked),
       SUM(engaged), SUM(opened_by_persons), SUM(clicked_by_persons), SUM(engaged_by_persons), SUM(unsubscribed), SUM(spam), SUM(attempts),
       SUM(open_events), SUM(click_events), SUM(unsubscribe_events), SUM(spam_events), SUM(open_delay_s), SUM(click_delay_s),
       SUM(delivery_delay_s)
FROM counter WHERE account_id = $1 AND axis = $2 AND source IN {texts:$3} AND timing = $4 AND resolution = $5 AND bucket >= $6 AND bucket < $7
  AND (CAST($8 AS TEXT) IS NULL OR door = $8) AND (CAST($9 AS TEXT) IS NULL OR provider = $9)
GROUP BY source, bucket ORDER BY bucket, source
-- name: counter_sums
SELECT source,
       SUM(processed), SUM(blocked), SUM(deferred), SUM(delivered), SUM(exhausted), SUM(hard_errors), SUM(opened), SUM(clicked),
       SUM(engaged), SUM(opened_by_persons), SUM(clicked_by_persons), SUM(engaged_by_persons), SUM(unsubscribed), SUM(spam), SUM(attempts),
       SUM(open_events), SUM(click_events), SUM(unsubscribe_events), SUM(spam_events), SUM(open_delay_s), SUM(click_delay_s),
       SUM(delivery_delay_s)
FROM counter WHERE account_id = $1 AND axis = $2 AND source IN {texts:$3} AND timing = $4 AND resolution = $5 AND bucket >= $6 AND bucket < $7
  AND (CAST($8 AS TEXT) IS NULL OR door = $8) AND (CAST($9 AS TEXT) IS NULL OR provider = $9)
GROUP BY source
-- name: counter_sums_all
-- Every source of an axis: all campaigns, all senders.
SELECT source,
       SUM(processed), SUM(blocked), SUM(deferred), SUM(delivered), SUM(exhausted), SUM(hard_errors), SUM(opened), SUM(clicked),
       SUM(engaged), SUM(opened_by_persons), SUM(clicked_by_persons), SUM(engaged_by_persons), SUM(unsubscribed), SUM(spam), SUM(attempts),
       SUM(open_events), SUM(click_events), SUM(unsubscribe_events), SUM(spam_events), SUM(open_delay_s), SUM(click_delay_s),
       SUM(delivery_delay_s)
FROM counter WHERE account_id = $1 AND axis = $2 AND timing = $3 AND resolution = $4 AND bucket >= $5 AND bucket < $6
GROUP BY source ORDER BY source LIMIT $7
-- name: counter_by_provider
SELECT provider,
       SUM(processed), SUM(blocked), SUM(deferred), SUM(delivered), SUM(exhausted), SUM(hard_errors), SUM(opened), SUM(clicked),
       SUM(engaged), SUM(opened_by_persons), SUM(clicked_by_persons), SUM(engaged_by_persons), SUM(unsubscribed), SUM(spam), SUM(attempts),
       SUM(open_events), SUM(click_events), SUM(unsubscribe_events), SUM(spam_events), SUM(open_delay_s), SUM(click_delay_s),
       SUM(delivery_delay_s)
FROM counter WHERE account_id = $1 AND axis = $2 AND source IN {texts:$3} AND timing = $4 AND resolution = $5 AND bucket >= $6 AND bucket < $7
  AND (CAST($8 AS TEXT) IS NULL OR door = $8)
GROUP BY provider
-- name: in_flight
-- Messages whose first attempt, and whose later attempt, is under way; what workers hold is never much.
SELECT COALESCE(SUM(CASE WHEN q.attempts = 0 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN q.attempts > 0 THEN 1 ELSE 0 END), 0)
FROM queue q JOIN submission s ON s.id = q.submission_id
WHERE q.owner > 0 AND q.account_id = $1 AND (CAST($2 AS BIGINT) IS NULL OR s.campaign_id = $2) AND (CAST($3 AS TEXT) IS NULL OR s.door = $3)
  AND (CASE WHEN s.due_at > s.accepted_at THEN s.due_at ELSE s.accepted_at END) >= $4
  AND (CASE WHEN s.due_at > s.accepted_at THEN s.due_at ELSE s.accepted_at END) < $5
-- name: reach_sums
SELECT name, detail, SUM(messages), SUM(events) FROM reach
WHERE account_id = $1 AND campaign_id = $2 AND kind = $3 AND is_click = $4 AND bucket >= $5 AND bucket < $6
GROUP BY name, detail ORDER BY 4 DESC, name, detail LIMIT $7
-- name: recipient_counts
SELECT m.address_key, m.state, m.marks, count(*), max(m.updated_at) FROM message m JOIN submission s ON s.id = m.submission_id
WHERE m.address_key IN {texts:$2} AND m.account_id = $1 AND (CAST($3 AS BIGINT) IS NULL OR s.campaign_id = $3)
GROUP BY m.address_key, m.state, m.marks
-- name: happenings
-- The first condition on the kind is the index's own.
SELECT e.id, e.account_id, e.message_id, e.at, e.kind, e.count, e.reply, e.data, 0, m.recipient, m.submission_id, s.door, s.author, s.subject,
       s.campaign_id, COALESCE(c.name, ''), s.custom_id, s.options, CASE WHEN s.due_at > s.accepted_at THEN s.due_at ELSE s.accepted_at END
FROM event e JOIN message m ON m.id = e.message_id JOIN submission s ON s.id = m.submission_id LEFT JOIN campaign c ON c.id = s.campaign_id
WHERE e.kind IN ('opened', 'clicked', 'hard_bounced', 'soft_bounced') AND e.account_id = $1 AND e.kind IN {texts:$2} AND e.at > $3 AND e.at <= $4
  AND (CAST($5 AS BIGINT) IS NULL OR e.message_id = $5) AND (CAST($6 AS BIGINT) IS NULL OR s.campaign_id = $6)
ORDER BY e.at, e.id LIMIT $7
