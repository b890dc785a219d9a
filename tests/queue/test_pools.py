"""From which address a message leaves."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.mail.reply_rules import classify
from estafette.queue.pools import (
    ASIDE_S,
    BLAMED_S,
    Aside,
    Pool,
    Pooled,
    after_blame,
    after_failure,
    blames_source,
    by_preference,
    choose,
    default_pool,
    defers_elsewhere,
    fits,
    pool_for,
)

A, B, C = "192.0.2.1", "192.0.2.2", "2001:db8::3"
POOL = Pool("p", (Pooled(A, 3), Pooled(B, 1)))
KEYS = [str(n) for n in range(4000)]


def test_sources_carry_the_share_of_their_weight() -> None:
    counts = Counter(choose(POOL, key) for key in KEYS)
    assert counts[A] / len(KEYS) == pytest.approx(0.75, abs=0.03)


@given(st.text(), st.dictionaries(st.sampled_from([A, B, C, ""]), st.floats(0, 100), min_size=1))
def test_the_same_message_has_the_same_preference_and_every_source_once(key: str, weights: dict[str, float]) -> None:
    pool = Pool("p", tuple(Pooled(a, w) for a, w in weights.items()))
    again = Pool("p", tuple(reversed(pool.sources)))
    assert by_preference(pool, key) == by_preference(again, key)
    assert sorted(by_preference(pool, key)) == sorted(a for a, w in weights.items() if w > 0)


def test_only_the_messages_of_a_source_set_aside_move() -> None:
    pool = Pool("p", (Pooled(A), Pooled(B), Pooled(C)))
    for key in KEYS[:500]:
        usual = choose(pool, key)
        now = choose(pool, key, lambda address: address != A)
        assert now == (usual if usual != A else by_preference(pool, key)[1])
    assert choose(pool, "x", lambda address: False) is None


@pytest.mark.parametrize(
    ("account", "stream", "campaign", "expected"),
    [
        ("shop", "", "", "shops"),
        ("shop", "letters", "", "streams"),
        ("shop", "letters", "news-2026-11", "news"),
        ("shop", "letters", "other", "streams"),
        ("else", "", "", "fallback"),
        ("", "", "", "fallback"),
    ],
)
def test_campaign_before_stream_before_account(account: str, stream: str, campaign: str, expected: str) -> None:
    source = (Pooled(A),)
    pools = [Pool("shops", source, accounts=("sh*",)), Pool("streams", source, streams=("letters",)), Pool("news", source, campaigns=("news-*",))]
    assert pool_for(pools, Pool("fallback", source), account, stream, campaign).name == expected


def test_a_pool_called_default_takes_the_rest() -> None:
    pools = [Pool("default", (Pooled(B),)), Pool("shops", (Pooled(A),), accounts=("shop",))]
    assert pool_for(pools, default_pool([A]), "other").name == "default"
    assert [s.address for s in pool_for([], default_pool([A, B]), "other").sources] == [A, B]


def test_a_failing_source_rests_longer_and_longer() -> None:
    aside, now, rests = Aside(), 0.0, []
    for _ in range(6):
        aside = after_failure(aside, now, "cannot bind")
        rests.append(aside.until_s - now)
        assert after_failure(aside, now + 1, "again") == aside, "attempts under way count once"
        now = aside.until_s
    assert rests == [*ASIDE_S, ASIDE_S[-1], ASIDE_S[-1]]


def test_blame_is_for_a_while() -> None:
    aside = after_blame(Aside(), 100.0, "listed")
    assert aside.is_aside(100.0 + BLAMED_S - 1) and not aside.is_aside(100.0 + BLAMED_S)
    assert after_blame(aside, 50.0, "listed").until_s == aside.until_s, "never shorter"


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "expected"),
    [
        (550, "5.7.1", "Client host [192.0.2.1] blocked using zen.spamhaus.org", True),
        (451, "4.7.650", "The mail server [192.0.2.1] has been rejected due to IP reputation", True),
        (550, "5.1.1", "user unknown", False),
        (554, "5.7.1", "Message rejected as spam", False),
        (421, "4.7.0", "Too many connections, slow down", False),
    ],
)
def test_only_replies_about_our_address_blame_it(code: int, enhanced: str, text: str, expected: bool) -> None:
    verdict = classify(code, enhanced, text, "rcpt")
    assert blames_source(verdict) is expected
    assert defers_elsewhere(verdict, POOL, {A}) is expected
    assert not defers_elsewhere(verdict, POOL, {A, B}), "no other is left"


def test_families_must_fit() -> None:
    assert fits("", C) and fits(C, "2001:db8::1") and fits(A, B)
    assert not fits(A, C) and not fits(C, A)
