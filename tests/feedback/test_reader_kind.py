"""Who asked for an image or a link, and why we think so: a labelled table."""

import time
from dataclasses import replace

import pytest

from estafette.clock import SECOND_US
from estafette.feedback.reader_kind import ReaderKind, Seen, Visit, judge
from estafette.feedback.visit_records import Request, kept_address, records, shown_agent
from estafette.model import Event, EventKind, Mark, PersonMark, Visited
from estafette.prepare.tokens import TRAP_LINK
from tests.feedback.ground import BROWSER

NOW = 1_790_000_000 * SECOND_US
HOUR_AGO = NOW - 3600 * SECOND_US
OPEN = Visit(NOW, agent=BROWSER, address="192.0.2.7", kept_address="192.0.2.0")
CLICK = replace(OPEN, is_click=True, link=1)
H, M, U = ReaderKind.HUMAN, ReaderKind.MACHINE, ReaderKind.UNKNOWN

AGENTS = [
    (BROWSER, H),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", H),
    ("Mozilla/5.0 (Linux; Android 14; CUBOT NOTE 50) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36", H),  # no bot
    ("Mozilla/5.0 (Windows NT 10.0; Microsoft Outlook 16.0.18000; Pro)", H),
    ("Mozilla/4.0 (compatible; ms-office; MSOffice 16)", H),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0", H),
    ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", H),
    ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", H),
    ("Mozilla/5.0", M),  # Apple Mail privacy
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0", M),
    ("BarracudaCentral/1.0", M),
    ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", M),
    ("Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5", M),
    ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0 Safari/537.36", M),
    ("python-requests/2.32", M),
    ("curl/8.5.0", M),
    ("okhttp/4.12.0", U),
    ("Something Else 1.0", U),
    ("", U),
]


@pytest.mark.parametrize(("agent", "kind"), AGENTS, ids=[a[:40] or "none" for a, _ in AGENTS])
@pytest.mark.parametrize("visit", [OPEN, CLICK], ids=["open", "click"])
def test_agents(agent: str, kind: ReaderKind, visit: Visit) -> None:
    judgement = judge(replace(visit, agent=agent), HOUR_AGO, ())
    assert judgement.kind is kind
    assert judgement.why


@pytest.mark.parametrize(
    ("visit", "delivered_at", "kind", "why"),
    [
        (replace(OPEN, is_head=True), HOUR_AGO, M, "HEAD"),
        (replace(CLICK, is_head=True), HOUR_AGO, M, "HEAD"),
        (replace(OPEN, is_prefetch=True), HOUR_AGO, M, "in advance"),
        (replace(CLICK, is_trap=True), HOUR_AGO, M, "hidden link"),
        (replace(OPEN, address="64.235.150.9"), HOUR_AGO, M, "Barracuda"),
        (replace(OPEN, address="2001:db8::1"), HOUR_AGO, H, "browser"),
        (replace(OPEN, address="no address"), HOUR_AGO, H, "browser"),
        (CLICK, NOW - 2_900_000, M, "2.9 s after the delivery"),
        (CLICK, NOW - 3_000_000, H, "browser"),
        (OPEN, NOW - 900_000, M, "0.9 s after the delivery"),
        (OPEN, NOW - 1_000_000, H, "browser"),
        (OPEN, NOW + 5_000_000, M, "0.0 s after"),  # clocks of two machines
        (CLICK, None, H, "browser"),
    ],
)
def test_signs_that_hold_for_every_agent(visit: Visit, delivered_at: int | None, kind: ReaderKind, why: str) -> None:
    judgement = judge(visit, delivered_at, ())
    assert judgement.kind is kind and why in judgement.why


def seen(link: int, ago_s: float, *, marked: bool = False, trap: bool = False, address: str = "192.0.2.0") -> Seen:
    return Seen(NOW - int(ago_s * SECOND_US), True, link, trap, address, marked)


@pytest.mark.parametrize(
    ("earlier", "is_machine", "takes_back"),
    [
        ([seen(2, 1), seen(3, 2)], True, False),
        ([seen(2, 1), seen(3, 2, marked=True)], True, True),
        ([seen(2, 1), seen(3, 2.1)], False, False),  # a quick reader
        ([seen(1, 1), seen(1, 1), seen(1, 1)], False, False),  # the same link again and again: impatient, not a scanner
        ([seen(2, 1), seen(3, 2), seen(9, 30, marked=True)], True, False),  # a person had clicked before the burst
        ([seen(n, n * 1.8) for n in range(2, 6)], False, False),
        ([seen(n, n * 1.6) for n in range(2, 7)], True, False),  # six within ten seconds
        ([seen(TRAP_LINK, 30, trap=True)], True, False),
        ([seen(TRAP_LINK, 30, trap=True, address="198.51.100.0")], False, False),
        ([seen(TRAP_LINK, 61, trap=True)], False, False),
    ],
)
def test_bursts_and_the_hidden_link(earlier: list[Seen], is_machine: bool, takes_back: bool) -> None:
    judgement = judge(CLICK, HOUR_AGO, earlier)
    assert (judgement.is_machine, judgement.takes_back) == (is_machine, takes_back)


def test_openings_do_not_make_a_burst() -> None:
    assert judge(OPEN, HOUR_AGO, [seen(2, 1), seen(3, 1)]).kind is H


def test_a_batch_is_judged_in_its_order() -> None:
    """A scanner that follows five links at once: the first two count as a person's until the third betrays them, then the mark is taken back."""
    requests = [Request(1, 7, replace(CLICK, at=NOW + n, link=n), f"https://x/{n}") for n in range(5)]
    made = records(requests, {1: Visited(1, 7, 0, HOUR_AGO)})
    person = Mark.CLICKED | PersonMark.CLICKED
    assert [(r.marks, r.unmarks) for r in made] == [(person, 0), (person, 0), (2, 32), (2, 32), (2, 32)]
    assert {r.kind for r in made} == {EventKind.CLICKED}
    assert [r.data["reader"] for r in made] == ["human", "human", "machine", "machine", "machine"]
    assert made[0].data == {"reader": "human", "why": "a browser", "ip": "192.0.2.0", "agent": BROWSER, "geo": "", "url": "https://x/0", "what": "", "link": 0}
    assert {r.account_id for r in made} == {7}


def test_earlier_events_are_read_back() -> None:
    events = tuple(
        Event(n, 7, 1, NOW - SECOND_US, EventKind.CLICKED, data={"link": n, "ip": "192.0.2.0", **({"marked": 34} if n == 2 else {})}) for n in (2, 3)
    )
    (made,) = records([Request(1, 7, CLICK)], {1: Visited(1, 7, 34, HOUR_AGO, events)})
    assert (made.data["reader"], made.unmarks) == ("machine", PersonMark.CLICKED)
    note = Event(4, 7, 1, NOW - SECOND_US, EventKind.NOTE, data={"what": "hidden link", "link": TRAP_LINK, "ip": "192.0.2.0"})
    (made,) = records([Request(1, 7, OPEN)], {1: Visited(1, 7, 0, HOUR_AGO, (note,))})
    assert made.data["why"] == "it followed the hidden link too" and made.marks == Mark.OPENED


def test_head_requests_and_the_hidden_link_mark_nothing() -> None:
    trap = replace(CLICK, link=TRAP_LINK, is_trap=True)
    made = records([Request(1, 7, replace(OPEN, is_head=True)), Request(1, 7, trap), Request(404, 7, OPEN)], {1: Visited(1, 7, 0, HOUR_AGO)})
    assert [(r.kind, r.marks) for r in made] == [(EventKind.NOTE, 0), (EventKind.NOTE, 0), (EventKind.OPENED, 17)]


@pytest.mark.parametrize(
    ("address", "cut", "whole"),
    [
        ("203.0.113.77", "203.0.113.0", "203.0.113.77"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::", "2001:db8:1:2:3:4:5:6"),
        ("::ffff:203.0.113.77", "203.0.113.0", "203.0.113.77"),
        ("fe80::1%eth0", "fe80::", "fe80::1"),
        ("unknown", "", ""),
        ("203.0.113.77\r\nX: y", "", ""),
    ],
)
def test_addresses_are_cut_to_their_network(address: str, cut: str, whole: str) -> None:
    assert (kept_address(address, is_whole=False), kept_address(address, is_whole=True)) == (cut, whole)


def test_agents_are_kept_on_one_line() -> None:
    assert shown_agent('A\r\n{"level":"info"}\x00' + "x" * 900) == ('A  {"level":"info"} ' + "x" * 900)[:500]


def test_a_link_that_is_followed_without_end_costs_no_more_and_more() -> None:
    requests = [Request(1, 7, replace(CLICK, at=NOW + n, link=n % 2)) for n in range(20_000)]
    began = time.perf_counter()
    made = records(requests, {1: Visited(1, 7, 0, HOUR_AGO)})
    assert time.perf_counter() - began < 10
    assert {r.data["reader"] for r in made} == {"human"}
