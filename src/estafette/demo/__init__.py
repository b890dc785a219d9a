"""A simulated Internet on loopback: DNS, a dozen mailbox providers, and the people who read their mail there.

Takes: mail over real sockets. Gives: replies, bounces, complaints, opens, clicks, unsubscribes, and a ledger of all that really happened.
Owns: the providers' behaviour, which depends on nothing but the seed and the address. Never: knows anything of the platform but its public doors.
"""
