"""The fold: what each event moves, and the worked example of the screens' design made from ten thousand histories."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from estafette.clock import DAY_US, SECOND_US
from estafette.facts import COUNTS, Axis, EventView, Resolution, Timing
from estafette.model import Event, EventKind, Mark, PersonMark
from estafette.stats.agents import agent_of
from estafette.stats.api_rates import ESP_RATES, Definitions, rates_by
from estafette.stats.folding import changes_of, fold
from estafette.stats.periods import pieces
from estafette.stats.providers import names, provider_of
from estafette.stats.rates import Figures, figures_of_counters
from estafette.stats.statcounters import added, averages, esp_row, legacy_counts, statcounters

NOW = 1_790_000_000 * SECOND_US
O, C, U, S = int(Mark.OPENED), int(Mark.CLICKED), int(Mark.UNSUBSCRIBED), int(Mark.SPAM)
SITE = "gmail-smtp-in.l.google.com"


def view(kind: EventKind, count: int = 1, *, at: int = NOW, message: int = 1, **data: Any) -> EventView:
    return EventView(Event(1, 7, message, at, kind, count, "", data), "jo@gmail.com", 1, "smtp", "a@acme.test", "Hello", 0, "", "", "", NOW)


def moved(one: EventView, timing: Timing = Timing.MESSAGE) -> dict[str, dict[str, int]]:
    """Provider → changes, zeros left out."""
    found: dict[str, dict[str, int]] = {}
    for is_happening, provider, changes in changes_of(one):
        if is_happening is (timing is Timing.EVENT):
            for name, number in changes.items():
                row = found.setdefault(provider, {})
                row[name] = row.get(name, 0) + number
    return {provider: kept for provider, row in found.items() if (kept := {name: n for name, n in row.items() if n})}


@pytest.mark.parametrize(
    ("one", "by_message", "by_event"),
    [
        (view(EventKind.ACCEPTED, 5), {"": {"processed": 5}}, {"": {"processed": 5}}),
        (view(EventKind.BLOCKED), {"": {"blocked": 1}}, {"": {"blocked": 1}}),
        (view(EventKind.DELIVERED, at=NOW + 9 * SECOND_US, site=SITE, attempt=1), {"gmail": {"delivered": 1, "attempts": 1, "delivery_delay_s": 9}}, ...),
        (view(EventKind.DEFERRED, site=SITE), {"gmail": {"deferred": 1, "attempts": 1}}, ...),
        (view(EventKind.UNCERTAIN, site=SITE), {"gmail": {"deferred": 1, "attempts": 1}}, ...),
        (view(EventKind.DELIVERED, was="deferred", stage="evidence", site=SITE), {"gmail": {"deferred": -1, "delivered": 1}}, {"gmail": {"delivered": 1}}),
        # a second deferral moves nothing, but it was an attempt
        (view(EventKind.DEFERRED, was="deferred", site=SITE), {"gmail": {"attempts": 1}}, ...),
        (view(EventKind.DELIVERED, was="deferred", site=SITE), {"gmail": {"deferred": -1, "delivered": 1, "attempts": 1}},
         {"gmail": {"delivered": 1, "attempts": 1}}),
        # the first attempt found no route: it was counted under no provider
        (view(EventKind.DELIVERED, was="deferred", site=SITE, site_is_new=1), {"": {"deferred": -1}, "gmail": {"delivered": 1, "attempts": 1}},
         {"gmail": {"delivered": 1, "attempts": 1}}),
        (view(EventKind.SOFT_BOUNCED, was="deferred", site=SITE), {"gmail": {"deferred": -1, "exhausted": 1, "attempts": 1}},
         {"gmail": {"exhausted": 1, "attempts": 1}}),
        (view(EventKind.SOFT_BOUNCED, stage="deadline"), {"": {"exhausted": 1}}, {"": {"exhausted": 1}}),
        # stopped by a block after an attempt: "never attempted" would not be true
        (view(EventKind.BLOCKED, was="deferred", site=SITE), {"gmail": {"deferred": -1, "exhausted": 1}}, {"gmail": {"exhausted": 1}}),
        # a late bounce takes the marks out of the sets inside delivered; a complaint stays
        (view(EventKind.HARD_BOUNCED, was="delivered", site=SITE, marks=O | C | S | PersonMark.OPENED),
         {"gmail": {"delivered": -1, "opened": -1, "clicked": -1, "engaged": -1, "opened_by_persons": -1, "engaged_by_persons": -1, "hard_errors": 1}},
         {"gmail": {"hard_errors": 1}}),
        (view(EventKind.OPENED, site=SITE, marked=O, after_s=60), {"gmail": {"opened": 1, "engaged": 1, "open_events": 1, "open_delay_s": 60}}, ...),
        (view(EventKind.OPENED, site=SITE, marks=O), {"gmail": {"open_events": 1}}, ...),
        (view(EventKind.CLICKED, site=SITE, marks=O, marked=C, after_s=5), {"gmail": {"clicked": 1, "click_events": 1, "click_delay_s": 5}}, ...),
        (view(EventKind.CLICKED, site=SITE, marks=O | C | PersonMark.CLICKED, unmarked=int(PersonMark.CLICKED)),
         {"gmail": {"clicked_by_persons": -1, "engaged_by_persons": -1, "click_events": 1}}, {"gmail": {"click_events": 1}}),
        (view(EventKind.UNSUBSCRIBED, site=SITE, marked=U), {"gmail": {"unsubscribed": 1, "unsubscribe_events": 1}}, ...),
        (view(EventKind.NOTE, site=SITE, marks=U, unmarked=U), {"gmail": {"unsubscribed": -1}}, {}),
        (view(EventKind.NOTE, site=SITE, marks=U, unmarked=U, was="hard_bounced"), {}, {}),
        (view(EventKind.COMPLAINED, site=SITE, marked=S), {"gmail": {"spam": 1, "spam_events": 1}}, ...),
        (view(EventKind.RECLAIMED, worker=3), {}, {}),
        (view(EventKind.REQUEUED), {}, {}),
        (view(EventKind.NOTE, refused="opened", state="blocked"), {}, {}),
    ],
)  # fmt: skip
def test_what_an_event_moves(one: EventView, by_message: dict[str, dict[str, int]], by_event: Any) -> None:
    assert moved(one) == by_message
    assert moved(one, Timing.EVENT) == (by_message if by_event is ... else by_event)


def worked_example() -> Iterator[EventView]:
    yield view(EventKind.ACCEPTED, 10_000)
    yield from (view(EventKind.BLOCKED) for _ in range(400))
    yield from (view(EventKind.DELIVERED, site=SITE) for _ in range(9_216 - 30))
    yield from (view(EventKind.DEFERRED, site=SITE) for _ in range(200 + 20 + 30))
    yield from (view(EventKind.DELIVERED, site=SITE, was="deferred") for _ in range(30))
    yield from (view(EventKind.SOFT_BOUNCED, site=SITE, was="deferred") for _ in range(20))
    yield from (view(EventKind.HARD_BOUNCED, site=SITE) for _ in range(68 - 1))
    yield from (view(EventKind.OPENED, site=SITE, marked=O, after_s=10) for _ in range(2_304))
    yield from (view(EventKind.CLICKED, site=SITE, marks=O, marked=C, after_s=2) for _ in range(460))
    yield from (view(EventKind.UNSUBSCRIBED, site=SITE, marks=O | C, marked=U) for _ in range(23))
    yield from (view(EventKind.COMPLAINED, site=SITE, marks=O, marked=S) for _ in range(9))
    # one that was delivered, opened and clicked came back
    yield view(EventKind.DELIVERED, site=SITE)
    yield view(EventKind.OPENED, site=SITE, marked=O)
    yield view(EventKind.CLICKED, site=SITE, marks=O, marked=C)
    yield view(EventKind.HARD_BOUNCED, site=SITE, was="delivered", marks=O | C)


def test_the_worked_example_from_its_events() -> None:
    made = fold(list(worked_example()))
    whole = [dict(zip(COUNTS, row, strict=True)) for key, row in made.counters.items()
             if (key.axis, key.timing, key.resolution) == (Axis.ACCOUNT, Timing.MESSAGE, Resolution.DAY)]  # fmt: skip
    counts = added(whole)
    f = figures_of_counters(counts, click_implies_open=True, in_flight=(96, 0))
    assert f == Figures(0, 400, 96, 200, 20, 68, 9_216, 2_304, 460, 23, 9)
    assert (f.processed, f.sent) == (10_000, 9_600)
    assert rates_by(Definitions.STATUS_PAGE, f) == {
        "delivered": 0.96, "opened": 0.25, "clicked": 0.049913, "unsubscribed": 0.009983, "spam": 0.000937, "errors": 0.03,
        "soft_errors": 0.022917, "hard_errors": 0.007083, "in_flight": 0.01, "blocked": 0.04}  # fmt: skip
    assert rates_by(Definitions.API, f) == {
        "delivered": 0.9216, "opened": 0.25, "clicked": 0.199653, "clicked_of_delivered": 0.049913, "unsubscribed": 0.002496, "spam": 0.000977,
        "soft_bounced": 0.002, "hard_bounced": 0.0068, "deferred": 0.02, "blocked": 0.04}  # fmt: skip
    assert statcounters(counts, click_implies_open=True) == {
        "Total": 10_000, "MessageSentCount": 9_216, "MessageQueuedCount": 96, "MessageDeferredCount": 200, "MessageBlockedCount": 400,
        "MessageSoftBouncedCount": 20, "MessageHardBouncedCount": 68, "MessageOpenedCount": 2_304, "MessageClickedCount": 460,
        "MessageUnsubscribedCount": 23, "MessageSpamCount": 9, "MessageWorkFlowExitedCount": 0, "EventOpenedCount": 2_305, "EventClickedCount": 461,
        "EventUnsubscribedCount": 23, "EventSpamCount": 9, "EventWorkflowExitedCount": 0, "EventOpenDelay": 23_040, "EventClickDelay": 920}  # fmt: skip
    assert averages(counts, f) == {"AverageOpenDelay": 10.0, "AverageOpenedCount": 1.0004, "AverageClickDelay": 0.3993, "AverageClickedCount": 1.0022}
    legacy = legacy_counts(f)
    assert (legacy["BouncedCount"], legacy["QueuedCount"], legacy["ProcessedCount"]) == (88, 96, 10_000)


def test_the_providers_rates() -> None:
    row = esp_row("", Figures(queued=5, blocked=7, in_flight=3, deferred=2, exhausted=4, hard_errors=4, delivered=90, opened=40, clicked=10, unsubscribed=9,
                              spam=3))  # fmt: skip
    assert row["ESPName"] == "others"
    assert row["AttemptedMessagesCount"] == 100
    assert {name: row[name] for name in ESP_RATES} == {
        "OpenRate": 0.4, "ClickThroughRate": 0.25, "SoftBouncedRate": 0.04, "HardBouncedRate": 0.04, "UnsubscribedRate": 0.1, "SpamReportsRate": 0.0333,
        "DeferredRate": 0.02}  # fmt: skip
    assert set(esp_row("gmail", Figures()).values()) == {"gmail", 0}  # nothing to divide by


@pytest.mark.parametrize(
    ("site", "domain", "name"),
    [
        ("", "gmail.com", ""),
        ("alt1.gmail-smtp-in.l.google.com,gmail-smtp-in.l.google.com", "gmail.com", "gmail"),
        ("aspmx.l.google.com", "acme.test", "gsuite"),
        ("aspmx.l.google.com,mx.acme.test", "acme.test", "others"),
        ("mx-eu.mail.am0.yahoodns.net", "yahoo.fr", "yahoo"),
        ("mx-eu.mail.am0.yahoodns.net", "aol.com", "aol"),
        ("mx00.gmx.net", "web.de", "web.de"),
        ("acme-fr.mail.protection.outlook.com", "acme.fr", "microsoft"),
        ("smtp-in.orange.fr", "orange.fr", "orange"),
        ("mx.notgoogle.com", "notgoogle.com", "others"),
    ],
)
def test_which_provider(site: str, domain: str, name: str) -> None:
    assert provider_of(site, domain) == name


def test_every_name_of_the_contract_is_known() -> None:
    assert sorted(names(), key=str.lower) == [
        "aol", "bnet", "comcast", "euskaltel", "free", "freenet", "gmail", "gmx", "gsuite", "jazztel", "KPN", "laposte", "messagelabs", "microsoft", "movistar",
        "mundo-r", "ono", "orange", "others", "ovh", "sapo", "sfr", "swisscom", "t-online", "telenet", "vodafone", "web.de", "yahoo", "zoho"]  # fmt: skip


@pytest.mark.parametrize(
    ("agent", "read"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", ("Firefox 140", "Windows")),
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", ("GmailImageProxy", "Windows")),
        ("", ("unknown", "unknown")),
        ("\0\x7f" * 300, ("unknown", "unknown")),
    ],
)
def test_which_program(agent: str, read: tuple[str, str]) -> None:
    assert agent_of(agent) == read


@pytest.mark.parametrize(("since", "until"), [(0, 1), (NOW + 17, NOW + 3 * DAY_US + 5), (NOW, NOW), (NOW, NOW + 3600 * SECOND_US), (NOW - 40 * DAY_US, NOW)])
def test_pieces_cover_a_period_once(since: int, until: int) -> None:
    found = pieces(since, until)
    for before, after in itertools.pairwise(found):
        assert before.until == after.since
    if since == until:
        assert found == [] or found[0].until - found[-1].since == 300 * SECOND_US
    else:
        assert found[0].since <= since < found[0].since + 300 * SECOND_US
        assert found[-1].until - 300 * SECOND_US < until <= found[-1].until
    assert len(found) <= 5
