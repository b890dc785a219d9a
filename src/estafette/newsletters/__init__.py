"""Writing to many: contacts and lists, imports, segments, campaigns. A customer of `accept`, with no sending path of its own.

Takes: what people and programs say about contacts and campaigns. Gives: submissions with their recipients.
Owns: the segment language, the reading of import files, the life of a campaign. Never: sends; decides whether an address is blocked.
"""
