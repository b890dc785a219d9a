-- What the dashboard pages through, newest first.

CREATE INDEX message_account ON message (account_id, id);
-- Failures and complaints are rare: looking for them must not mean reading what went well.
CREATE INDEX message_troubled ON message (account_id, id) WHERE state IN ('deferred', 'soft_bounced', 'hard_bounced', 'blocked');
CREATE INDEX message_complained ON message (account_id, id) WHERE (marks & 12) <> 0;
CREATE INDEX block_account ON block (account_id, id) WHERE lifted_at IS NULL;
CREATE INDEX block_end ON block (account_id, until) WHERE lifted_at IS NULL AND until IS NOT NULL;
CREATE INDEX campaign_account ON campaign (account_id, id);
