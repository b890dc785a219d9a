-- Imports of long files: a file is kept in pieces, and a job can be told to wait.

-- The second and further pieces of an upload; the first stands in `upload.data`.
CREATE TABLE upload_piece (
    upload_id BIGINT NOT NULL REFERENCES upload (id),
    position BIGINT NOT NULL,                       -- from 1
    data BYTEA NOT NULL,
    PRIMARY KEY (upload_id, position)
);
ALTER TABLE contact_job ADD COLUMN is_paused SMALLINT NOT NULL DEFAULT 0 CHECK (is_paused IN (0, 1));  -- nobody takes it up; a worker that has it stops
