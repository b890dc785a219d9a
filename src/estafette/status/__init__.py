"""What is true now: the one transition table, and what stops an address.

Takes: events, running blocks, options. Gives: the next state, the reason of a block, the end of a new block, the status to show.
Owns: the life of a message (architecture section 3) and the rules of the block list. Never: I/O; the store asks through `store.seam.Policy`.
"""
