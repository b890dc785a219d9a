"""What we know about mail, all pure: addresses, headers, byte-preserving MIME, DKIM, replies, reports, signed tokens.

Takes: bytes. Gives: facts about them, or other bytes. Owns: every rule of RFC 5321/5322/2045-2049/6376 that we obey.
Never: I/O, the clock, randomness, configuration (they come in as arguments).
"""
