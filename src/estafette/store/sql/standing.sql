-- name: worker_report_put
INSERT INTO worker_report (worker_id, at, data) VALUES ($1, $2, $3) ON CONFLICT (worker_id) DO UPDATE SET at = excluded.at, data = excluded.data
-- name: worker_reports_forget
DELETE FROM worker_report WHERE worker_id NOT IN (SELECT id FROM worker)
-- name: worker_reports
SELECT w.name, r.at, r.data FROM worker_report r JOIN worker w ON w.id = r.worker_id ORDER BY r.worker_id
-- name: backlog_of_domain
-- For people: looks at the whole queue.
SELECT q.site, count(*), SUM(CASE WHEN q.due_at <= $2 AND q.owner = 0 THEN 1 ELSE 0 END), SUM(CASE WHEN q.attempts > 0 THEN 1 ELSE 0 END),
       SUM(CASE WHEN q.owner > 0 THEN 1 ELSE 0 END), min(q.accepted_at), min(q.due_at), max(CASE WHEN q.attempts > 0 THEN q.message_id ELSE 0 END)
FROM queue q WHERE q.domain = $1 GROUP BY q.site ORDER BY 2 DESC
-- name: backlog_by_stream
-- For people: looks at the whole queue.
SELECT CASE WHEN stream <> '' THEN stream WHEN lane <= 2 THEN 'transactional' ELSE 'bulk' END AS kind, count(*),
       SUM(CASE WHEN owner = 0 AND due_at <= $1 THEN 1 ELSE 0 END), min(CASE WHEN attempts = 0 AND due_at <= $1 THEN due_at ELSE NULL END)
FROM queue GROUP BY 1 ORDER BY 1
