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
        (EventKind.HARD_BOUNCED, {"stage": "report", "error": "user unknown", "error_related_to": "recipient", "blocks_address": 1},
         "Permanent error, as a report says that came after the delivery (user unknown; related to: recipient); the address is blocked from now on"),
    ],
)  # fmt: skip
def test_sentences(kind: EventKind, data: dict[str, str | int], sentence: str) -> None:
    (line,) = timeline_lines([Event(1, 1, 1, 0, kind, data=data)])
    assert line.partition("  ")[2] == sentence
