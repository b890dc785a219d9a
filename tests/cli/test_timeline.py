"""What came back, in the words of a timeline."""

import pytest

from estafette.cli.timeline import timeline_lines
from estafette.model import Event, EventKind


@pytest.mark.parametrize(
    ("kind", "data", "sentence"),
    [
        (EventKind.OPENED, {"reader": "human", "why": "a browser", "first": 1}, "Opened (a browser)"),
        (EventKind.OPENED, {"reader": "human", "why": "a browser"}, "Opened again (a browser)"),
        (EventKind.OPENED, {"reader": "machine", "why": "a HEAD request"}, "Opened again, by a machine (a HEAD request)"),
        (EventKind.CLICKED, {"reader": "unknown", "url": "https://x/", "why": "w", "first": 1}, "Clicked: https://x/, by a person or a machine (w)"),
        (EventKind.OPENED, {}, "Opened"),
        (EventKind.UNSUBSCRIBED, {"by": "one-click"}, "Unsubscribed (by the mail program's button)"),
        (EventKind.COMPLAINED, {}, "Marked as spam"),
        (EventKind.NOTE, {"what": "auto-reply", "from": "jo@x.example"}, "Note: auto-reply from jo@x.example"),
        (EventKind.UNCERTAIN, {"attempt": 1, "host": "mx.x", "stage": "body", "way": "hold"},
         "Attempt 1: uncertain at mx.x: the mail was sent and no answer came; held until a person decides (estafette queue release, estafette queue drop)"),
        (EventKind.UNCERTAIN, {"attempt": 2, "worker": 7, "way": "repeat"},
         "Attempt 2: uncertain: the worker disappeared after it had sent the mail and before it noted the answer; next attempt at once"),
        (EventKind.UNCERTAIN, {"attempt": 2, "worker": 7, "way": "wait", "guess": 1, "retry_at": 0},
         "Attempt 2: uncertain: the worker that held the message disappeared, and whether it had sent the mail is not known here; "
         "waiting for evidence, then the next attempt at 1970-01-01T00:00:00.000Z"),
        (EventKind.DELIVERED, {"attempt": 1, "host": "mx.x", "known_by": "flight log"},
         "Attempt 1: delivered at mx.x; the worker that sent it disappeared before it could write this down"),
        (EventKind.DELIVERED, {"attempt": 1, "known_by": "opened"}, "Attempt 1: delivered; something came back that only a mail that arrived can bring"),
        (EventKind.HARD_BOUNCED, {"stage": "report", "error": "user unknown", "error_related_to": "recipient", "blocks_address": 1},
         "Permanent error, as a report says that came after the delivery (user unknown; related to: recipient); the address is blocked from now on"),
    ],
)  # fmt: skip
def test_sentences(kind: EventKind, data: dict[str, str | int], sentence: str) -> None:
    (line,) = timeline_lines([Event(1, 1, 1, 0, kind, data=data)])
    assert line.partition("  ")[2] == sentence
