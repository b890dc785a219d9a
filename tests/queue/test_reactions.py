"""What replies make us do for a while, and for whom."""

from dataclasses import replace

import pytest

from estafette.queue import reactions
from estafette.queue.reactions import Heard, Reaction, Watch, listens, lowered, rest_s
from estafette.queue.shaping_file import shipped

REPLY = Heard(1000.0, "192.0.2.1", "mx.big.example", "big", "mx1.big.example", "7", "news", 421, "4.7.0", "4.7.0 [TSS04] Deferred", "rate_limited", "mail")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, True),
        ({"providers": ("big", "other")}, True),
        ({"providers": ("other",)}, False),
        ({"hosts": ("big.example",)}, True),
        ({"hosts": ("mx1.big.example",)}, True),
        ({"hosts": ("ig.example",)}, False),
        ({"text": ("nothing", "[tss04]")}, True),
        ({"text": ("[tss05]",)}, False),
        ({"codes": ("42",)}, True),
        ({"codes": ("5",)}, False),
        ({"enhanced": ("4.7.0",)}, True),
        ({"enhanced": ("4.7.1",)}, False),
        ({"categories": ("rate_limited",)}, True),
        ({"categories": ("greylisted",)}, False),
        ({"stages": ("mail", "rcpt")}, True),
        ({"stages": ("body",)}, False),
        ({"text": ("[tss04]",), "codes": ("5",)}, False),
    ],
)
def test_all_conditions_must_hold(conditions: dict[str, tuple[str, ...]], expected: bool) -> None:
    assert listens(Reaction("r", 60.0, "path", **conditions), REPLY) is expected  # type: ignore[arg-type]


SPARED = {"path": ("source", "site"), "source": ("source",), "site": ("site",), "account": ("account", "site"), "campaign": ("account", "campaign", "site")}


@pytest.mark.parametrize("scope", reactions.SCOPES)
def test_a_suspension_stops_exactly_what_it_speaks_of(scope: str) -> None:
    watch = Watch([Reaction("r", 60.0, scope)])
    assert len(watch.hear(REPLY)) == 1
    here = {"source": REPLY.source, "site": REPLY.site, "account": REPLY.account, "campaign": REPLY.campaign}
    elsewhere = {"source": "192.0.2.2", "site": "mx.elsewhere.example", "account": "8", "campaign": "other"}
    assert rest_s(watch.in_force(1010.0, **here), 1010.0) == 50.0
    for what, other in elsewhere.items():
        stops = bool(watch.in_force(1010.0, **{**here, what: other}))
        assert stops is (what not in SPARED[scope]), what
    assert watch.in_force(1060.0, **here) == [], "and ends"


def test_a_campaign_rule_does_not_hear_mail_without_one() -> None:
    assert Watch([Reaction("r", 60.0, "campaign")]).hear(replace(REPLY, campaign="")) == []


def test_it_takes_so_many_within_the_time_on_the_same_path() -> None:
    watch = Watch([Reaction("r", 60.0, "path", count=3, within_s=100.0)])
    assert watch.hear(REPLY) == []
    assert watch.hear(replace(REPLY, at_s=1050.0)) == []
    assert watch.hear(replace(REPLY, at_s=1060.0, source="192.0.2.2")) == [], "another path counts for itself"
    assert watch.hear(replace(REPLY, at_s=1110.0)) == [], "the first is too long ago"
    assert [m.until_s for m in watch.hear(replace(REPLY, at_s=1120.0))] == [1180.0]
    assert watch.hear(replace(REPLY, at_s=1121.0)) == [], "counting begins anew"


def test_a_reply_during_a_measure_prolongs_it() -> None:
    watch = Watch([Reaction("r", 60.0, "path")])
    watch.hear(REPLY)
    measure = watch.hear(replace(REPLY, at_s=1030.0))[0]
    assert (measure.since_s, measure.until_s) == (1000.0, 1090.0)
    later = watch.hear(replace(REPLY, at_s=1200.0))[0]
    assert later.since_s == 1200.0
    assert len(watch.all_in_force(1201.0)) == 1
    assert watch.all_in_force(1260.0) == []


def test_a_rule_that_lowers_limits_lets_mail_go() -> None:
    watch = Watch([Reaction("a", 60.0, lower=(("messages_per_s", 1.0), ("connections", 3))), Reaction("b", 60.0, lower=(("connections", 1),))])
    measures = watch.hear(REPLY)
    assert rest_s(measures, 1000.0) == 0
    assert lowered(watch.in_force(1001.0, REPLY.source, REPLY.site)) == {"messages_per_s": 1.0, "connections": 1}


def test_a_person_can_lift_a_measure() -> None:
    watch = Watch([Reaction("a", 60.0, "path"), Reaction("b", 60.0, "path")])
    first, _ = watch.hear(REPLY)
    watch.lift(first)
    assert [m.reaction.name for m in watch.all_in_force(1001.0)] == ["b"]


def test_after_a_reload_what_is_in_force_goes_on_and_counts_are_kept() -> None:
    counting = Reaction("counting", 60.0, "path", count=2, within_s=100.0)
    watch = Watch([Reaction("gone", 60.0, "source"), counting])
    watch.hear(REPLY)
    fresh = watch.with_reactions([counting])
    assert [m.reaction.name for m in fresh.all_in_force(1001.0)] == ["gone"]
    assert [m.reaction.name for m in fresh.hear(replace(REPLY, at_s=1002.0))] == ["counting"]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reactions, "MAX_KEYS", 10)
    watch = Watch([Reaction("a", 1e6, "path"), Reaction("b", 1e6, "path", count=2, within_s=1e6)])
    for n in range(50):
        watch.hear(replace(REPLY, source=f"192.0.2.{n}"))
    assert len(watch.all_in_force(1001.0)) == 10
    assert [m.reaction.name for m in watch.hear(replace(REPLY, source="192.0.2.0"))] == ["a"], "the oldest count was forgotten"
    assert [m.reaction.name for m in watch.hear(replace(REPLY, source="192.0.2.49"))] == ["a", "b"]


REAL = [
    ("yahoo", 421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints", 2, "yahoo_complaints"),
    ("yahoo", 421, "4.7.0 [TSS05] Messages from 192.0.2.1 temporarily deferred due to user complaints", 2, "yahoo_complaints_again"),
    ("yahoo", 421, "4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred", 3, "yahoo_unusual"),
    ("google", 421, "4.7.28 Our system has detected an unusual rate of unsolicited mail originating from your IP address.", 2, "google_unusual_rate"),
    ("microsoft", 451, "4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.", 1, "microsoft_rate_limited"),
    ("icloud", 421, "4.7.1 [HCM1] Your mail from 192.0.2.1 was deferred.", 3, "icloud_deferred"),
    ("orange", 421, "mwinf5c04 ME Trop de connexions, veuillez verifier votre configuration. OFR004_104", 2, "orange_connections"),
    ("gmx", 421, "gmx.net (mxgmx104) Nemesis ESMTP Service not available. Too many connections", 3, "gmx_connections"),
    ("qq", 550, "Ip frequency limited [MIAAAA]. http://service.mail.qq.com/", 5, "qq_frequency"),
    ("qq", 550, "Domain frequency limited.", 5, "qq_sender_frequency"),
    ("mimecast", 451, "Internal resource temporarily unavailable - https://community.mimecast.com/", 3, "mimecast_busy"),
]


@pytest.mark.parametrize(("provider", "code", "text", "times", "rule"), REAL, ids=[r[4] for r in REAL])
def test_shipped_rules_hear_what_they_are_for(provider: str, code: int, text: str, times: int, rule: str) -> None:
    watch = Watch(shipped().reactions)
    heard = replace(REPLY, provider=provider, code=code, text=text)
    begun = [watch.hear(replace(heard, at_s=1000.0 + n)) for n in range(times)]
    assert begun[:-1] == [[]] * (times - 1)
    assert [m.reaction.name for m in begun[-1]] == [rule]


def test_every_shipped_rule_is_heard_by_a_test() -> None:
    assert {r[4] for r in REAL} == {reaction.name for reaction in shipped().reactions}
