"""Subscribing: forms on the web, and the second word of the owner of an address (double opt-in). A customer of `accept`, like the newsletters.

Takes: forms that strangers fill in, and the link in the mail that asks to confirm. Gives: subscriptions with their proofs, by the one way in which they change.
Owns: what a form is, how often something may be asked, the public pages `/f/` and `/s/`, and `/m/` and `/d/`, where a person asks for a copy of what is kept or
to be forgotten. Never: saying to a stranger whether an address is known.
"""
