-- Campaigns are read in lists: their first and last submission are found at once, and a customer may star or hide them.
ALTER TABLE campaign ADD COLUMN is_starred SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE campaign ADD COLUMN is_deleted SMALLINT NOT NULL DEFAULT 0;
DROP INDEX submission_campaign;
CREATE INDEX submission_campaign ON submission (campaign_id, id) WHERE campaign_id <> 0;
CREATE INDEX campaign_order ON campaign (account_id, id);
