-- What the reputation guard holds is asked every few seconds: that must not cost a walk through the queue. Other mail pays nothing.
CREATE INDEX queue_guarded ON queue (account_id, due_at) WHERE lane >= 6;
