-- name: dsn_put
INSERT INTO dsn (message_id, notify, orcpt) VALUES ($1, $2, $3)
-- name: dsn_drop
DELETE FROM dsn WHERE message_id = $1
-- name: report_put
-- A report is due when the account wants reports and the submitter can be told; what was asked for with DSN comes before the default.
INSERT INTO report (message_id, action, at, status, host, reply)
SELECT m.id, CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS TEXT) FROM message m
JOIN submission s ON s.id = m.submission_id JOIN account a ON a.id = m.account_id LEFT JOIN dsn d ON d.message_id = m.id
WHERE m.id = $1 AND a.failure_reports = 1 AND s.door = 'smtp' AND s.reverse_path <> ''
  AND (CAST($2 AS TEXT) = 'relayed' OR COALESCE(d.notify, '') = '' OR d.notify LIKE '%FAILURE%')
ON CONFLICT (message_id, action) DO NOTHING
-- name: reports_due
SELECT r.message_id, r.action, r.at, r.status, r.host, r.reply, m.recipient, COALESCE(d.orcpt, ''), a.id, a.name,
       s.id, s.reverse_path, s.options, s.accepted_at
FROM report r JOIN message m ON m.id = r.message_id JOIN submission s ON s.id = m.submission_id JOIN account a ON a.id = m.account_id
LEFT JOIN dsn d ON d.message_id = m.id ORDER BY r.at, r.message_id LIMIT $1
-- name: report_take
DELETE FROM report WHERE message_id = $1 AND action = $2 RETURNING message_id
