"""REST v3 (contract section 5): one description per resource, from which everything else comes.

Takes: requests under `/v3/REST`. Gives: rows in the contract's envelope, its errors, its self-description (`metadata`), docs/reference/rest.md.
Owns: what a resource looks like. Never: SQL, decisions about contacts, mail or accounts.

Read `resource.py` for what a description is, `serving.py` for how one is served, `table.py` for which there are.
"""
