"""Events told to customers' endpoints (contract section 4), and the feed that they can be read from.

Takes: events as they were written. Gives: one parcel per event and endpoint, told at least once, in order per message. Owns: payloads, signatures,
the plan of repetitions. Never: delays mail; an endpoint that hangs or fails stops only itself.
"""
