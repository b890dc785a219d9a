"""What came back, matched, never guessed.

Takes: mail to the return paths and to the service addresses (reports, complaints, replies, unsubscribes), and requests for images, links and
unsubscribe pages. Gives: facts about messages to the store, each by a token with a valid MAC; whatever lacks one leaves a note at most.
Owns: the inbound SMTP session, the tracking and unsubscribe endpoints, who is a person and who a machine. Never: deciding a status (the table
does), changing a state for a report that names no message of ours, redirecting to what is not inside a token, acting on a GET.
"""
