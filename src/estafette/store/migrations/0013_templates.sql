-- Templates: what a mail is made from when it is sent by TemplateID.

-- A template of an account, as lists show it.
CREATE TABLE template (
    id BIGINT PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    author TEXT NOT NULL DEFAULT '',
    description TEXT NOT NULL DEFAULT '',
    copyright TEXT NOT NULL DEFAULT '',
    locale TEXT NOT NULL DEFAULT 'en_US',
    edit_mode SMALLINT NOT NULL CHECK (edit_mode BETWEEN 1 AND 4),  -- 1 drag and drop, 2 HTML, 3 saved section, 4 MJML
    is_starred SMALLINT NOT NULL DEFAULT 0 CHECK (is_starred IN (0, 1)),
    makes_text SMALLINT NOT NULL DEFAULT 0 CHECK (makes_text IN (0, 1)),
    categories TEXT NOT NULL DEFAULT '[]',          -- JSON array of words
    purposes TEXT NOT NULL DEFAULT '[]',            -- JSON array of words
    presets TEXT NOT NULL DEFAULT '',               -- what the editor keeps, as given
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (account_id, name)
);
--pg CREATE SEQUENCE template_id AS BIGINT;
--pg ALTER TABLE template ALTER COLUMN id SET DEFAULT nextval('template_id');

-- The parts of a template; NULL = never set.
CREATE TABLE template_content (
    template_id BIGINT PRIMARY KEY REFERENCES template (id),
    headers TEXT NOT NULL DEFAULT '{}',             -- JSON object: From, Subject, Reply-to, ...; a send call may override them
    html TEXT,
    text TEXT,
    mjml TEXT,
    updated_at BIGINT NOT NULL
);
