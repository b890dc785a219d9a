"""Where things are kept: the one seam, on SQLite and on PostgreSQL.

Takes: meaningful sentences (about thirty verbs, each one transaction). Gives: the nouns of `model.py`.
Owns: SQL (named queries in `sql/`), the schema and its migrations, group commit.
Never: policy. What a reply means, whether an address is blocked and which transition is legal are decided above and handed in (`Policy`).

Read `seam.py` first (the verbs), then `unit.py` (how a verb runs on both databases), then `sqlite.py` or `postgres.py`.
"""
