-- name: campaigns_up
-- With the first and the last submission of each: of a name given to many mails the first one tells subject and author.
SELECT c.id, c.account_id, c.name, c.created_at, c.is_starred, c.is_deleted, COALESCE(f.id, 0), COALESCE(f.author, ''), COALESCE(f.subject, ''),
       COALESCE(f.accepted_at, c.created_at), COALESCE(l.accepted_at, c.created_at)
FROM (SELECT * FROM campaign WHERE account_id = $1 AND id > $2 AND (CAST($3 AS TEXT) IS NULL OR name = $3)
      AND (CAST($4 AS BIGINT) IS NULL OR created_at > $4) AND (CAST($5 AS BIGINT) IS NULL OR created_at <= $5) ORDER BY id LIMIT $6 OFFSET $7) c
LEFT JOIN submission f ON f.id = (SELECT min(id) FROM submission WHERE campaign_id = c.id AND campaign_id <> 0)
LEFT JOIN submission l ON l.id = (SELECT max(id) FROM submission WHERE campaign_id = c.id AND campaign_id <> 0)
ORDER BY c.id
-- name: campaigns_down
SELECT c.id, c.account_id, c.name, c.created_at, c.is_starred, c.is_deleted, COALESCE(f.id, 0), COALESCE(f.author, ''), COALESCE(f.subject, ''),
       COALESCE(f.accepted_at, c.created_at), COALESCE(l.accepted_at, c.created_at)
FROM (SELECT * FROM campaign WHERE account_id = $1 AND id > $2 AND (CAST($3 AS TEXT) IS NULL OR name = $3)
      AND (CAST($4 AS BIGINT) IS NULL OR created_at > $4) AND (CAST($5 AS BIGINT) IS NULL OR created_at <= $5) ORDER BY id DESC LIMIT $6 OFFSET $7) c
LEFT JOIN submission f ON f.id = (SELECT min(id) FROM submission WHERE campaign_id = c.id AND campaign_id <> 0)
LEFT JOIN submission l ON l.id = (SELECT max(id) FROM submission WHERE campaign_id = c.id AND campaign_id <> 0)
ORDER BY c.id DESC
-- name: campaigns_count
SELECT count(*) FROM campaign WHERE account_id = $1 AND (CAST($2 AS TEXT) IS NULL OR name = $2)
  AND (CAST($3 AS BIGINT) IS NULL OR created_at > $3) AND (CAST($4 AS BIGINT) IS NULL OR created_at <= $4)
-- name: campaign_set
UPDATE campaign SET is_starred = $3, is_deleted = $4 WHERE account_id = $1 AND id = $2 RETURNING id
