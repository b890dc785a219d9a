"""What a proposed table would have changed, on recorded attempts."""

import pytest

from estafette.model import Event, EventKind
from estafette.queue.rehearsal import Attempt, attempt_of, rehearse
from estafette.queue.shaping import Table, limits_for
from estafette.queue.shaping_file import read, shipped

YAHOO = "mta5.am0.yahoodns.net"


def story(*moments: tuple[float, bool], text: str = "4.7.0 [TSS04] temporarily deferred", host: str = YAHOO, account: str = "1") -> list[Attempt]:
    return [Attempt(at, account, "192.0.2.1", host, is_good, 250 if is_good else 421, "", "ok" if is_good else text) for at, is_good in moments]


def proposed(text: str) -> Table:
    return read(text, "new.toml", shipped())


def test_a_new_rule_spares_failures_and_holds_deliveries() -> None:
    table = proposed('[[rule]]\nname = "mine"\nproviders = ["yahoo"]\ntext = ["busy"]\nafter = "2/h"\nsuspend = "path"\nfor = "10m"')
    attempts = story((0, True), (1, False), (2, False), (3, True), (4, False), (500, False), (602, True), (700, True), text="busy")
    found = rehearse(attempts, shipped(), table)
    assert (found.attempts, found.failed, found.first_s, found.last_s) == (8, 4, 0, 700)
    rule = next(r for r in found.rules if r.name == "mine")
    # 4 counts one, 500 counts two: prolonged to 1100
    assert (rule.change, rule.begun, rule.begun_before, rule.in_force_s, rule.spared, rule.held, rule.example) == ("new", 1, 0, 1098.0, 2, 3, "busy")


def test_rules_that_stay_change_or_go_are_told_apart() -> None:
    table = proposed('[[rule]]\nname = "qq_frequency"\noff = true\n'
                     '[[rule]]\nname = "yahoo_complaints"\nproviders = ["yahoo"]\ntext = ["[tss04]"]\nsuspend = "path"\nfor = "1h"')  # fmt: skip
    found = rehearse(story((0, False), (1, False)), shipped(), table)
    changes = {r.name: (r.change, r.begun_before, r.begun) for r in found.rules}
    assert changes["qq_frequency"] == ("gone", 0, 0)
    assert changes["yahoo_complaints"] == ("changed", 1, 1)
    assert changes["gmx_connections"] == ("same", 0, 0)


def test_hosts_of_one_site_count_together_and_other_accounts_are_not_held() -> None:
    table = proposed('[[rule]]\nname = "mine"\ntext = ["blocked account"]\nafter = "2/h"\nsuspend = "account"\nfor = "10m"')
    attempts = [*story((0, False), text="blocked account", host="mx1.a.example"),
                *story((1, False), text="blocked account", host="mx2.a.example"),
                *story((2, True), host="mx3.a.example"),
                *story((3, True), host="mx1.a.example", account="2"), *story((4, True), host="mx1.b.example")]  # fmt: skip
    rule = next(r for r in rehearse(attempts, shipped(), table).rules if r.name == "mine")
    assert (rule.begun, rule.held) == (1, 1)


def test_a_lower_rate_holds_what_came_too_fast() -> None:
    table = proposed('[provider.yahoo]\nmessage_rate = "1/s"\nburst = 2\nconnections = 3')
    found = rehearse(story((0, True), (0, True), (0, True), (0, True), (10, True)), shipped(), table)
    rows = {row.field: row for row in found.limits}
    assert (rows["messages_per_s"].attempts, rows["messages_per_s"].held, rows["messages_per_s"].after) == (5, 2, 1.0)
    assert (rows["connections"].before, rows["connections"].after, rows["connections"].held) == (20, 3, 0)
    assert rows["connections"].site == "mta.am0.yahoodns.net"


def test_messages_that_wait_make_others_wait() -> None:
    table = proposed('[provider.yahoo]\nmessage_rate = "1/s"')
    found = rehearse(story(*[(n / 2, True) for n in range(10)]), shipped(), table)
    assert found.limits[0].held == 9, "each is half a second further behind"


def test_the_same_table_changes_nothing() -> None:
    found = rehearse(story((0, False), (1, False), (2, True)), shipped(), shipped())
    assert found.limits == ()
    assert {r.change for r in found.rules} == {"same"}
    assert rehearse([], shipped(), shipped()).attempts == 0


@pytest.mark.parametrize(
    ("kind", "host", "expected"),
    [
        (EventKind.DELIVERED, "mx.a.example", True),
        (EventKind.DEFERRED, "mx.a.example", False),
        (EventKind.HARD_BOUNCED, "mx.a.example", False),
        (EventKind.SOFT_BOUNCED, "mx.a.example", False),
        (EventKind.SOFT_BOUNCED, "", None),  # given up at its deadline: nobody was spoken to
        (EventKind.ACCEPTED, "mx.a.example", None),
        (EventKind.OPENED, "mx.a.example", None),
    ],
)
def test_which_events_are_attempts(kind: EventKind, host: str, expected: bool | None) -> None:
    data: dict[str, str | int] = {"host": host, "source": "192.0.2.1", "code": 421, "stage": "mail", "category": "x", "enhanced": ""}
    event = Event(1, 7, 3, 5_000_000, kind, reply="421 4.7.0 no", data=data)
    attempt = attempt_of(event)
    if expected is None:
        assert attempt is None
    else:
        assert attempt == Attempt(5.0, "7", "192.0.2.1", host, expected, 421, "", "421 4.7.0 no", "x", "mail")


def test_an_address_literal_is_its_own_site() -> None:
    assert Attempt(0, "1", "", "192.0.2.25", True).site == "192.0.2.25"
    assert limits_for(["192.0.2.25"], "[192.0.2.25]", shipped()).provider == ""
