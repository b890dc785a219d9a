"""Why a message waits: one sentence for each thing that can hold it."""

import pytest

from estafette.cli.reasons import why_waiting
from estafette.clock import SECOND_US
from estafette.model import Event, EventKind, MessageView, Reason, State
from estafette.store.seam import Waiting

NOW = 1_790_000_000 * SECOND_US
DEFERRED = Event(2, 1, 7, NOW - 60 * SECOND_US, EventKind.DEFERRED, reply="451 4.7.1 later", data={"attempt": 1, "host": "mx.a.example", "stage": "rcpt"})


def view(state: State) -> MessageView:
    return MessageView(7, 1, 7, "a@b.example", "c@d.example", "Hello", state, 0, Reason(), "", "", 0, NOW, NOW)


def waiting(due_in_s: int = 0, site: str = "mx.a.example", owner: int = 0, worker: str = "host:1", ahead: int = 3) -> Waiting:
    return Waiting(site, 1, NOW + due_in_s * SECOND_US, NOW + 3600 * SECOND_US, 1, owner, ahead, 2, worker)


@pytest.mark.parametrize(
    ("state", "where", "events", "what", "words"),
    [
        (State.DELIVERED, None, [], "finished", "waits for nothing: Delivered"),
        (State.SENT, waiting(owner=4), [], "attempt", "under way now"),
        (State.QUEUED, waiting(600), [], "schedule", "scheduled: its first attempt"),
        (State.DEFERRED, waiting(300), [DEFERRED], "retry", "451 4.7.1 later (mx.a.example, stage rcpt)"),
        (State.QUEUED, waiting(site=""), [], "routing", "looked up"),
        (State.QUEUED, waiting(worker=""), [], "worker", "is estafette serve running?"),
        (State.QUEUED, waiting(), [], "queue", "3 messages to mx.a.example go before it and 2 are being attempted"),
    ],
)
def test_what_holds_it(state: State, where: Waiting | None, events: list[Event], what: str, words: str) -> None:
    holds = why_waiting(view(state), where, events, NOW)
    assert holds.what == what
    assert words in " ".join(holds.sentences)
