"""Mail comes in: the SMTP submission listener, and the one `submit` door that SMTP, HTTP and newsletters use.

Takes: a request (envelope, options, content) of an authenticated account. Gives: one commit and one reply.
Owns: credentials at the door, who may write as whom, limits, the platform's own headers, message ids.
Never: sending. A 250 or 200 is given only after the commit.
"""
