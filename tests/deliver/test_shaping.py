"""The engine under a shaping file, holds and replies that ask for something, against a real MX on loopback."""

from collections import Counter
from pathlib import Path

from estafette.clock import SystemClock, to_datetime
from tests.deliver.road import road
from tests.world import Moment

A, B = "127.0.0.61", "127.0.0.62"


async def test_sources_share_by_weight_and_a_refused_one_hands_over(tmp_path: Path) -> None:
    pools = f'[pool.default]\nsources = {{ "{A}" = 1, "{B}" = 1 }}\n[pool.letters]\nsources = ["{B}"]\ncampaigns = ["news-*"]\n'
    async with road(tmp_path, sources=(A, B), shaping=pools, pauses_s=(300.0,)) as r:
        await r.put(*(f"r{n}@dest.example" for n in range(40)))
        await r.settled()
        used = Counter(mail.client for mail in r.mx.mails)
        assert set(used) == {A, B} and min(used.values()) > 5
        r.mx.mails.clear()

        def refuses_a(moment: Moment) -> str | None:
            return "550 5.7.1 Service unavailable, client host blocked using zen.spamhaus.org" if moment.client == A else None

        r.mx.replies = {"mail": refuses_a}
        await r.put(*(f"s{n}@dest.example" for n in range(20)))
        assert set((await r.settled()).values()) == {"delivered"}
        assert {mail.client for mail in r.mx.mails} == {B}
        refused = sum(1 for m in await r.real.messages() if m.attempts > 1)
        assert 1 <= refused <= 10, "what was under way when the first refusal came, and nothing after it"


async def test_a_source_that_is_not_on_the_machine_is_set_aside(tmp_path: Path) -> None:
    pools = f'[pool.default]\nsources = ["192.0.2.77", "{A}"]\n'
    async with road(tmp_path, sources=("192.0.2.77", A), shaping=pools) as r:
        await r.put(*(f"r{n}@dest.example" for n in range(20)))
        assert set((await r.settled()).values()) == {"delivered"}
        assert {mail.client for mail in r.mx.mails} == {A}
        assert {m.attempts for m in await r.real.messages()} == {1}
        assert [source for source, _ in r.engine.shaper.set_aside(r.clock.monotonic())] == ["192.0.2.77"]


async def test_a_rate_is_kept_and_a_new_file_is_obeyed_without_a_restart(tmp_path: Path) -> None:
    async with road(tmp_path, shaping='[site."mx.dest.example"]\nmessage_rate = "1/min"\n') as r:
        await r.put(*(f"r{n}@dest.example" for n in range(6)))
        await r.put("r@other.example")
        await r.until(lambda states: states["r@other.example"] == "delivered" and "delivered" in [s for to, s in states.items() if "dest" in to])
        assert sum("dest" in mail.recipients[0] for mail in r.mx.mails) == 1
        r.shape("[site.\"mx.dest.example\"]\nmessage_rate = 7\n")
        await r.eventually(lambda: r.engine._sweeper.shaping.problems)
        assert ':2: site."mx.dest.example".message_rate: must be a rate such as "10/s"' in r.engine._sweeper.shaping.problems[0]
        assert r.engine.shaper.table.layers[-1].changes[0].value == 1 / 60, "what held before goes on"
        r.shape('[site."mx.dest.example"]\nmessage_rate = "none"\n')
        assert set((await r.settled(30.0)).values()) == {"delivered"}


async def test_a_held_campaign_and_destination_wait_and_a_purge_ends_them(tmp_path: Path) -> None:
    async with road(tmp_path) as r:
        now = r.clock.now_us()
        await r.real.holds.put(0, "", "dest.example", now, "asked for")
        await r.real.holds.put(r.account.id + 1, "", "other.example", now, "never mind")  # what another account does not send to is nothing to ours
        await r.real.holds.put(r.account.id, "", "same.example", now, "our own choice")
        await r.eventually(lambda: r.engine.stops.of(r.account.id, "", "same.example"))
        await r.put("a@dest.example", "b@same.example", "c@other.example")
        states = await r.until(lambda states: states["c@other.example"] == "delivered")
        assert {states["a@dest.example"], states["b@same.example"]} <= {"queued", "sent"}
        await r.until(lambda states: states["a@dest.example"] == states["b@same.example"] == "queued")
        await r.real.holds.lift(0, "", "dest.example")
        await r.real.holds.lift(r.account.id, "", "same.example")
        assert set((await r.settled()).values()) == {"delivered"}
        await r.real.holds.put(0, "", "dest.example", r.clock.now_us(), "")
        await r.eventually(lambda: r.engine.stops.of(r.account.id, "", "dest.example"))
        await r.put("x@dest.example")
        await r.real.holds.put(0, "", "dest.example", r.clock.now_us(), "wrong link", is_purge=True)
        states = await r.settled()
        assert states["x@dest.example"] == "blocked"
        assert len(r.mx.mails) == 3


async def test_a_source_that_warms_up_carries_its_cap_and_the_others_the_rest(tmp_path: Path) -> None:
    today = to_datetime(SystemClock().now_us()).date()
    text = f'[pool.default]\nsources = {{ "{A}" = 1, "{B}" = 1 }}\n[warmup."{B}"]\nstarted = {today.isoformat()}\nfirst_day = 7\n'
    async with road(tmp_path, sources=(A, B), shaping=text) as r:
        await r.put(*(f"r{n}@dest.example" for n in range(60)))
        assert set((await r.settled(60.0)).values()) == {"delivered"}
        used = Counter(mail.client for mail in r.mx.mails)
        assert used == {A: 53, B: 7}, "and nobody waited"
        await r.engine._warming.look()
        await r.put(*(f"s{n}@dest.example" for n in range(20)))
        await r.settled(60.0)
        assert Counter(mail.client for mail in r.mx.mails)[B] == 7, "what the events say was sent today counts"
