"""How fast an account may hand in, and how much mail a process holds."""

import pytest

from estafette.accept.limits import Bucket, Budget, draw


def test_a_bucket_holds_one_second() -> None:
    bucket, wait_s = draw(None, 10, 10, 100.0)
    assert wait_s == 0
    again, wait_s = draw(bucket, 1, 10, 100.0)
    assert wait_s == pytest.approx(0.1) and again.level == 0  # nothing was taken
    _, wait_s = draw(again, 1, 10, 100.1)
    assert wait_s == 0
    full, _ = draw(bucket, 0, 10, 10_000.0)
    assert full.level == 10


def test_a_request_larger_than_the_burst_goes_when_the_bucket_is_full_and_is_paid_for_afterwards() -> None:
    bucket, wait_s = draw(None, 50, 10, 0.0)
    assert wait_s == 0 and bucket.level == -40
    assert draw(bucket, 1, 10, 4.0)[1] == pytest.approx(0.1)
    assert draw(bucket, 1, 10, 4.1)[1] == 0


def test_over_an_hour_no_more_than_the_rate() -> None:
    bucket: Bucket | None = None
    now_s, sent = 0.0, 0
    while now_s < 3600:
        bucket, wait_s = draw(bucket, 7, 3, now_s)
        sent += 0 if wait_s else 7
        now_s += max(wait_s, 0.001) if wait_s else 0.05
    assert 3 * 3600 * 0.99 <= sent <= 3 * 3600 + 10


def test_no_limit_and_then_one() -> None:
    bucket, wait_s = draw(None, 10**6, 0, 0.0)
    assert wait_s == 0
    bucket, wait_s = draw(bucket, 5, 5, 0.0)
    assert wait_s == 0 and bucket.level == 0


def test_the_budget() -> None:
    budget = Budget(100)
    assert budget.has_room(100) and not budget.has_room(101)
    assert budget.take(60) and not budget.take(41) and budget.take(40)
    budget.give_back(60)
    assert budget.has_room(60) and not budget.has_room(61)
