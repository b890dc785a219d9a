"""The machines' face: a REST interface that Mailjet's own clients work on unmodified.

Takes: HTTP requests with an API key and its secret. Gives: submissions to `accept`, answers in the contract's shapes.
Owns: the contract's error table, its property names, what a key may see.
Never: SQL, sending. A 200 is given only after the commit.
"""
