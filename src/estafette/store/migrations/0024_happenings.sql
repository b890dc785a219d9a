-- Openings, clicks and bounces of an account by time: the older statistics resources list them one by one.
CREATE INDEX event_happening ON event (account_id, at) WHERE kind IN ('opened', 'clicked', 'hard_bounced', 'soft_bounced');
