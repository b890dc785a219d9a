-- DKIM keys have a life: published first, then signing, then retired while their record stays in the DNS for mail that is under way.
-- waiting: made, its record is to be published; signing: one per algorithm; retired: signs no more.
ALTER TABLE dkim_key ADD COLUMN state TEXT NOT NULL DEFAULT 'signing' CHECK (state IN ('waiting', 'signing', 'retired'));
ALTER TABLE dkim_key ADD COLUMN since BIGINT NOT NULL DEFAULT 0;
