"""Sites, their names and owners, and the arithmetic of a window."""

from dataclasses import replace

import pytest

from estafette.queue.paths import (
    MAX_PAUSE_S,
    MAX_SITE_NAME,
    START,
    Window,
    after_dead,
    after_refused_connection,
    after_slow_down,
    after_success,
    opened,
    preferred_worker,
    site_name,
)


def test_a_site_is_the_set_of_its_hosts() -> None:
    assert site_name(["b.test", "a.test", "b.test"]) == site_name(["a.test", "b.test"]) == "a.test,b.test"
    many = [f"mx{n}.provider.test" for n in range(60)]
    assert len(site_name(many)) <= MAX_SITE_NAME
    assert site_name(many) == site_name(many[::-1]) != site_name(many[:-1])


def test_few_sites_move_when_a_worker_comes_or_goes() -> None:
    sites = [f"mx{n}.test" for n in range(2000)]
    before = {site: preferred_worker(site, [1, 2, 3]) for site in sites}
    after = {site: preferred_worker(site, [2, 3]) for site in sites}
    assert all(after[site] == owner for site, owner in before.items() if owner != 1)
    assert all(500 < sum(owner == w for owner in before.values()) < 850 for w in (1, 2, 3))
    assert preferred_worker("mx.test", [3, 1, 2]) == preferred_worker("mx.test", [1, 2, 3])
    assert preferred_worker("mx.test", []) == 0


@pytest.mark.parametrize(("limit", "size"), [(1, 1), (3, 3), (20, START)])
def test_a_window_opens_small(limit: int, size: int) -> None:
    assert opened(limit) == Window(limit, size)


@pytest.mark.parametrize(
    ("size", "open_connections", "after"),
    [
        (5, 5, 6),  # full
        (5, 4, 5),  # not the limit
        (5, 9, 5),  # more are open than allowed, just after a slow-down: their answers are its echo
        (20, 20, 20),  # the ceiling
    ],
)
def test_success(size: int, open_connections: int, after: int) -> None:
    assert after_success(Window(20, size), open_connections).size == after


def test_success_ends_the_memory_of_failures_and_their_pause() -> None:
    assert after_success(Window(20, 1, failures=3, paused_until_s=500.0), 1) == Window(20, 2)


def test_a_mail_taken_on_another_connection_does_not_end_the_pause_that_the_server_asked_for() -> None:
    window = after_slow_down(Window(20, 8), 100.0, 120.0)
    assert window == Window(20, 4, paused_until_s=220.0)
    for open_connections in (8, 6, 4):
        window = after_success(window, open_connections)
        assert window.paused_until_s == 220.0 and window.size <= 5


@pytest.mark.parametrize(("hint_s", "until_s"), [(0.0, 100.0), (60.0, 160.0), (9999.0, 100.0 + MAX_PAUSE_S)])
def test_slow_down(hint_s: float, until_s: float) -> None:
    assert after_slow_down(Window(20, 9), 100.0, hint_s) == Window(20, 4, paused_until_s=until_s)
    assert after_slow_down(Window(20, 1), 100.0, hint_s).size == 1
    assert after_slow_down(Window(20, 9, paused_until_s=1000.0), 100.0, hint_s).paused_until_s == 1000.0


def test_a_refused_connection_shows_the_limit() -> None:
    assert after_refused_connection(Window(20, 9), 4).size == 4
    assert after_refused_connection(Window(20, 3), 7).size == 3
    assert after_refused_connection(Window(20, 3), 0).size == 1


def test_a_dead_site_rests_longer_every_time() -> None:
    window, pauses = opened(20), []
    for _ in range(5):
        window = after_dead(window, 1000.0, (10.0, 60.0, 900.0))
        pauses.append(window.paused_until_s - 1000.0)
        assert window.size == 1
    assert pauses == [10.0, 60.0, MAX_PAUSE_S, MAX_PAUSE_S, MAX_PAUSE_S]
    assert window.is_paused(1000.0) and not window.is_paused(window.paused_until_s)
    assert replace(window, failures=0).is_paused(1000.0)
