-- Uncertain attempts: a worker disappeared, or a connection broke, between the final dot and the answer to it.

-- What is done then, unless the submission says otherwise.
ALTER TABLE account ADD COLUMN after_uncertain TEXT NOT NULL DEFAULT 'repeat' CHECK (after_uncertain IN ('repeat', 'hold', 'wait'));

-- Attempts of which it is not known whether they arrived. owner = -1: held, a person decides.
ALTER TABLE queue ADD COLUMN uncertain BIGINT NOT NULL DEFAULT 0;

-- The deadline counts for held messages too.
DROP INDEX queue_deadline;
CREATE INDEX queue_deadline ON queue (deadline_at) WHERE owner <= 0;
