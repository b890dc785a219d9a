-- Choices of the message log that a person keeps under a name, per account. They are his alone.
CREATE TABLE saved_filter (
    user_id BIGINT NOT NULL REFERENCES dashboard_user (id),
    account_id BIGINT NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    query TEXT NOT NULL,                            -- as in the page's address
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, account_id, name)
);
