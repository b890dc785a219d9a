"""SMTP as a protocol, sans-IO: bytes in, events and bytes out.

Takes: octets from a peer, answers from the shell. Gives: events, octets for the peer, deadlines as plain numbers.
Owns: command grammar (`grammar.py`), reply grammar (`replies.py`), what ends a mail and what a line end is (`data.py`, the only place), both state
tables (`states.py`). Read `states.py` first, then `server.py` with its parts (`server_events.py`, `command_input.py`, `intake.py`, `auth.py`) or
`client.py` with `client_events.py`; tests/dialogues shows every rule as a conversation.
Never: sockets, TLS, time, policy. `accept/` and `feedback/` drive `ServerSession`, `deliver/` drives `ClientSession`.
"""
