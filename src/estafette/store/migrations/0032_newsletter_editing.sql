-- What an editor keeps of a newsletter beside the texts that are sent.

ALTER TABLE newsletter ADD COLUMN is_starred SMALLINT NOT NULL DEFAULT 0 CHECK (is_starred IN (0, 1));
ALTER TABLE newsletter ADD COLUMN edit_mode TEXT NOT NULL DEFAULT 'html2';  -- EditMode of contract 5.5; no meaning here
ALTER TABLE newsletter ADD COLUMN mjml TEXT NOT NULL DEFAULT '';            -- source of the HTML
ALTER TABLE newsletter ADD COLUMN template_id BIGINT NOT NULL DEFAULT 0;    -- whose parts were taken over, 0 = none
