"""Why a message waits: one sentence for each thing that can hold it."""

from dataclasses import replace

import pytest

from estafette.cli.reasons import forecast_s, held_words, why_domain, why_waiting
from estafette.clock import SECOND_US
from estafette.model import Event, EventKind, MessageView, Reason, State
from estafette.nouns import DomainBacklog, Hold, PathReport
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


def test_what_holds_a_domain_is_told_with_who_said_so_and_when_it_goes_on() -> None:
    now = 1_790_000_000 * 1_000_000
    path = PathReport("mx.big.example", "192.0.2.1", "big", 2, 2, 20, 0.5, 2.0, 10, 2, now + 600_000_000, "suspended",
                      "rule yahoo_complaints (shipped)", "421 [TSS04]")  # fmt: skip
    backlog = DomainBacklog("mx.big.example", 100, 90, 5, 2, now, now, 0)
    said = " ".join(why_domain("big.example", [backlog], [path], [Hold(1, 0, "", "", "big.example", False, now, "asked for")], [], now))
    for words in ("100 messages wait for big.example: 90 are due", "A person paused the mail to big.example", "asked for", "rule yahoo_complaints",
                  "for 10 min more", "421 [TSS04]", "done in about 11 min"):  # fmt: skip
        assert words in said, said
    assert why_domain("big.example", [], [], [], [], now) == ["Nothing waits for big.example."]
    assert forecast_s([backlog], [], now) is None
    for held_by in ("dead", "asked", "lowered", "rate", "window", "connections", ""):
        assert "mx.big.example" in held_words(replace(path, held_by=held_by), now)
