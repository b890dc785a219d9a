-- Whether a newsletter still waits is asked twice a second: that must not cost a walk through the queue. Bulk lanes only, so that other mail pays nothing.
CREATE INDEX queue_bulk ON queue (submission_id) WHERE lane >= 3;
