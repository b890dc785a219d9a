"""Sites, their names and owners."""

from estafette.queue.paths import MAX_SITE_NAME, is_unrouted, parked, preferred_worker, site_name


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


def test_what_is_parked_is_routed_anew() -> None:
    assert [is_unrouted(site) for site in ("", parked("slow.example"), "mx.slow.example", "[192.0.2.1]")] == [True, True, False, False]
