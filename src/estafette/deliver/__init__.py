"""Mail goes out: DNS, route, connection, one outcome for every attempt.

Takes: claims from the store and messages just accepted by this worker. Gives: settled outcomes. Owns: the paths that this worker has leased,
their connections, the memory of hosts that do badly. Never: decides a status (the store asks status/), reads a clock of its own.
"""
