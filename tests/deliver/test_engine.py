"""The engine on a real store and real sockets: nothing is lost, doubled or forgotten."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from estafette.clock import SECOND_US
from estafette.deliver import attempt, engine, path
from estafette.deliver.connection import Policy
from estafette.deliver.membership import LeaseLost
from estafette.model import LANES, BlockCause
from estafette.queue.paths import preferred_worker
from estafette.store.seam import StoreFault, Want
from tests.deliver.road import GONE, Shifted, road
from tests.world import Act
from tests.world.dns import How


async def test_the_whole_way(tmp_path: Path) -> None:
    async with road(tmp_path) as r:
        await r.put("a@dest.example", "b@same.example", "c@two.example")
        assert set((await r.settled()).values()) == {"delivered"}
        assert len(r.mx.mails) == 3
        with sqlite3.connect(next(tmp_path.glob("*.db"))) as connection:
            sites = dict(connection.execute("SELECT recipient, site FROM message"))
        assert sites == {"a@dest.example": "mx.dest.example", "b@same.example": "mx.dest.example", "c@two.example": sites["c@two.example"]}
        assert sites["c@two.example"], "a message that was routed in memory says where it went, or no figure knows its provider"


async def test_a_fault_of_ours_while_connecting_gives_the_message_back(tmp_path: Path) -> None:
    """It was popped from the path and nobody held it any more."""
    async with road(tmp_path) as r:
        (message_id,) = await r.put("a@dest.example", site="mx.dest.example")
        asked, troubles = r.engine.router.addresses, [RuntimeError("a bug")]

        async def addresses(*args: object) -> object:
            if troubles:
                raise troubles.pop()
            return await asked(*args)  # type: ignore[arg-type]

        r.engine.router.addresses = addresses  # type: ignore[assignment, method-assign]
        assert set((await r.settled()).values()) == {"delivered"}
        assert await r.kinds(message_id) == ["accepted", "delivered"]


async def test_an_outcome_survives_the_end_of_its_sender(tmp_path: Path) -> None:
    """The drain is over while the first outcome is being written and the second waits behind it: both mails were taken, both say so."""
    async with road(tmp_path, connections=1) as r:
        is_open = asyncio.Event()

        async def later(write: object) -> object:
            await is_open.wait()
            return await write()  # type: ignore[operator]

        r.store.fail("settle", later, later)
        ids = await r.put("a@dest.example", "b@dest.example")
        await r.mx.wait_for(2)
        asyncio.get_running_loop().call_later(0.6, is_open.set)
        await r.stop(0.2)
        assert set((await r.states()).values()) == {"delivered"}
        assert [await r.kinds(i) for i in ids] == [["accepted", "delivered"]] * 2


async def test_claims_are_given_back_when_the_block_list_cannot_be_asked(tmp_path: Path) -> None:
    """Whatever kind of exception it is."""
    async with road(tmp_path) as r:
        r.store.fail("still_blocked", RuntimeError("a bug"), GONE)
        (message_id,) = await r.put("a@dest.example")
        assert set((await r.settled()).values()) == {"delivered"}
        assert await r.kinds(message_id) == ["accepted", "delivered"]


@pytest.mark.parametrize("verb", ["due_sites", "lease_paths", "claim", "still_blocked", "contents", "settle", "heartbeat", "workers", "expire"])
async def test_a_store_that_fails_for_a_while_costs_nothing(tmp_path: Path, verb: str) -> None:
    async with road(tmp_path) as r:
        r.store.fail(verb, GONE, RuntimeError("a bug"), GONE)
        ids = await r.put("a@dest.example", "b@dest.example", "c@two.example")
        assert set((await r.settled()).values()) == {"delivered"}
        assert len(r.mx.mails) == 3
        assert [await r.kinds(i) for i in ids] == [["accepted", "delivered"]] * 3


async def test_stopping_ends_though_the_store_never_answers_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What was sent and could not be written is told of: it may come twice."""
    monkeypatch.setattr(path, "CUT_S", 0.2)
    monkeypatch.setattr(engine, "LAST_S", 0.2)
    async with road(tmp_path, connections=1) as r:
        r.store.fail("settle", *[GONE] * 1000)
        await r.put("a@dest.example", "b@dest.example", "c@dest.example", "d@dead.example")
        await r.mx.wait_for(2)
        started_s = r.clock.monotonic()
        async with asyncio.timeout(30):
            await r.stop(0.3)
        assert r.clock.monotonic() - started_s < 20  # the drain and two ends: it was for ever
        arrived = {m.recipients[0] for m in r.mx.mails}
        assert await r.held() == 0
        assert {to for to, state in (await r.states()).items() if state == "delivered"} == arrived  # as the flight log knew
        assert set((await r.states()).values()) <= {"queued", "deferred", "delivered"}
        assert sum("claim lost" in record.getMessage() for record in caplog.records) >= 2


@pytest.mark.parametrize("verb", ["claim", "accept_many"])
async def test_what_was_committed_although_we_were_told_otherwise_is_found_again(tmp_path: Path, verb: str) -> None:
    """A connection to the database that ends inside COMMIT: nobody knows. Nothing may stay claimed by us and be forgotten."""

    async def committed(write: object) -> object:
        await write()  # type: ignore[operator]
        raise GONE

    async with road(tmp_path, lease_s=0.9) as r:
        if verb == "accept_many":
            await r.put("first@dest.example")  # the path is known from here on, and ours
            await r.settled()
        r.store.fail(verb, committed)
        if verb == "claim":
            await r.put("a@dest.example")
        else:
            with pytest.raises(StoreFault):
                await r.submit("a@dest.example")
            assert (await r.states())["a@dest.example"] == "sent"
        assert set((await r.settled()).values()) == {"delivered"}
        assert "reclaimed" in await r.kinds(max(m.id for m in await r.real.messages()))


async def test_a_submit_that_was_cancelled_is_handed_over_all_the_same(tmp_path: Path) -> None:
    """The client's HTTP request was cut while its mail was being committed as ours."""
    async with road(tmp_path, lease_s=60) as r:
        await r.put("first@dest.example")
        await r.settled()
        committed = asyncio.Event()

        async def late(write: object) -> object:
            made = await write()  # type: ignore[operator]
            committed.set()
            await asyncio.sleep(0.1)
            return made

        r.store.fail("accept_many", late)
        task = asyncio.create_task(r.submit("a@dest.example"))
        await committed.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert set((await r.settled()).values()) == {"delivered"}


async def test_nothing_is_begun_while_others_may_think_us_dead(tmp_path: Path) -> None:
    """The lease could not be prolonged (or we were stopped for longer than it lasts): no attempt begins until it is."""
    async with road(tmp_path, lease_s=0.6) as r:
        await r.until(lambda _: "workers" in r.store.calls)
        r.store.fail("heartbeat", *[GONE] * 10_000)
        await asyncio.sleep(0.7)
        await r.put("a@dest.example")
        await asyncio.sleep(1.5)
        assert r.mx.connections == 0 and (await r.states()) == {"a@dest.example": "queued"}
        r.store.fail("heartbeat")
        assert set((await r.settled()).values()) == {"delivered"}


async def test_a_worker_that_was_declared_dead_sends_nothing_of_what_it_holds(tmp_path: Path) -> None:
    is_open = asyncio.Event()

    async def stuck(beat: object) -> object:
        await is_open.wait()
        return await beat()  # type: ignore[operator]

    async with road(tmp_path, lease_s=0.9, connections=1) as r:
        r.mx.replies = {"connect": Act(delay_s=1.2)}
        await r.until(lambda _: "workers" in r.store.calls)
        r.store.fail("heartbeat", *[stuck] * 1000)
        await r.put("a@dest.example", "b@dest.example")
        await r.until(lambda states: set(states.values()) == {"sent"})
        await r.real.retire(r.worker_id, r.clock.now_us(), ())
        await asyncio.sleep(1.5)
        assert r.mx.mails == [] and set((await r.states()).values()) == {"queued"}
        is_open.set()
        assert r.running is not None
        with pytest.raises(LeaseLost):
            await r.running
        await r.stop()
        assert r.mx.mails == [] and await r.held() == 0


async def test_a_dead_worker_claims_nothing(tmp_path: Path) -> None:
    """Its messages were given back once; what it claimed afterwards would be nobody's for ever."""
    async with road(tmp_path, runs=False) as r:
        await r.put("a@dest.example", site="mx.dest.example")
        await r.real.retire(r.worker_id, r.clock.now_us(), ())
        assert await r.real.claim(r.worker_id, [Want("mx.dest.example", (10,) * LANES)], r.clock.now_us()) == []
        assert await r.states() == {"a@dest.example": "queued"}


async def test_a_worker_is_dead_when_it_was_seen_unchanged_several_times(tmp_path: Path) -> None:
    async with road(tmp_path, lease_s=0.6) as r:
        now = r.clock.now_us()
        dead = await r.real.join("dead", now, now + SECOND_US // 10)
        await asyncio.sleep(0.35)
        assert dead.id in [w.id for w in await r.real.workers()]  # its lease ran out, but the clock alone is no witness
        await r.until(lambda _: True)
        async with asyncio.timeout(30):
            while dead.id in [w.id for w in await r.real.workers()]:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.05)


async def test_a_clock_that_jumps_kills_nobody(tmp_path: Path) -> None:
    """An hour forward: every lease of the others seems to have run out."""
    async with road(tmp_path, lease_s=0.9) as r:
        now = r.clock.now_us()
        other = await r.real.join("other", now, now + SECOND_US)

        async def beats() -> None:
            while True:
                await r.real.heartbeat(other.id, r.clock.now_us() + SECOND_US)
                await asyncio.sleep(0.2)

        beating = asyncio.create_task(beats())
        await asyncio.sleep(0.5)
        r.engine._membership._clock = Shifted(r.clock, 3600)
        await asyncio.sleep(2.0)
        assert other.id in [w.id for w in await r.real.workers()]
        beating.cancel()


async def test_a_site_that_is_anothers_now_is_left_under_steady_traffic(tmp_path: Path) -> None:
    """The path never came to rest while the door handed mail over, and what waited in its queue was claimed by nobody."""
    async with road(tmp_path, lease_s=0.9, idle_s=5.0) as r:
        await r.put("first@dest.example")
        await r.settled()
        now = r.clock.now_us()
        while preferred_worker("mx.dest.example", [r.worker_id, (other := await r.real.join("other", now, now + 60 * SECOND_US)).id]) == r.worker_id:
            pass
        sending, count = True, 0

        async def traffic() -> None:
            nonlocal count
            while sending:
                count += 1
                await r.submit(f"r{count}@dest.example")
                await asyncio.sleep(0.005)

        task = asyncio.create_task(traffic())
        async with asyncio.timeout(30):
            while not await r.real.lease_paths(other.id, ["mx.dest.example"], r.clock.now_us(), r.clock.now_us() + 60 * SECOND_US):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        sending = False
        await task


async def test_a_block_that_comes_while_a_message_waits_for_its_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "LOOK_AGAIN_S", 0.2)
    async with road(tmp_path) as r:
        r.mx.replies = {"connect": Act(delay_s=0.8)}
        await r.put("a@dest.example")
        await r.until(lambda states: set(states.values()) == {"sent"})
        await r.real.add_block(r.account.id, "a@dest.example", BlockCause.MANUAL, r.clock.now_us(), None)
        assert await r.settled() == {"a@dest.example": "blocked"}
        assert r.mx.mails == []


async def test_a_deadline_that_passes_behind_a_slow_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The messages that wait for the one connection go back into the queue, where the sweep finds them."""
    monkeypatch.setattr(path, "STALE_S", 0.5)
    async with road(tmp_path, connections=1, policy=Policy("relay.test", 60.0, 60.0, 60.0)) as r:
        r.mx.replies = {"body": Act(delay_s=50.0)}
        await r.put("a@dest.example", "b@dest.example", "c@dest.example", deadline_s=2.0)
        states = await r.until(lambda states: sorted(states.values()) == ["sent", "soft_bounced", "soft_bounced"], 40.0)
        assert r.mx.most_open == 1, states


async def test_sites_beyond_the_first_look_get_their_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two dead sites with a backlog fill the look at the due sites: those behind them in the alphabet starved."""
    monkeypatch.setattr(engine, "MAX_SITES", 2)
    async with road(tmp_path, pauses_s=(300.0,)) as r:
        for name in ("a.example", "b.example", "z.example"):
            r.dns.zone[name, "MX"] = [f"10 mx.{name}"]
            r.dns.zone[f"mx.{name}", "A"] = ["127.0.0.1" if name == "z.example" else "127.0.0.9"]
        for name in ("a.example", "b.example"):
            await r.put(*(f"r{i}@{name}" for i in range(100)), site=f"mx.{name}")
        await r.put("r@z.example", site="mx.z.example")
        await r.until(lambda states: states["r@z.example"] == "delivered")


async def test_a_site_that_does_not_answer_holds_one_connection(tmp_path: Path) -> None:
    """And its failure is counted once, not once per connection of the window."""
    async with road(tmp_path, pauses_s=(30.0, 60.0)) as r:
        r.mx.replies = {"connect": Act(silent=True)}
        await r.put(*(f"r{i}@dest.example" for i in range(20)), site="mx.dest.example")
        await r.until(lambda states: set(states.values()) == {"deferred"})
        assert r.mx.connections == 1
        assert r.engine._sites["mx.dest.example"].paths[""].way.flow.failures == 1


async def test_a_free_connection_goes_to_a_path_that_can_use_it(tmp_path: Path) -> None:
    async with road(tmp_path, max_connections=1, idle_s=0.0) as r:
        await r.put("a@dest.example", "b@other.example", "c@two.example")
        assert set((await r.settled()).values()) == {"delivered"}
        assert r.mx.most_open <= 1
        async with asyncio.timeout(30):  # an outcome is written a moment before its sender has ended
            while r.engine.slots.taken:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.01)


async def test_domains_whose_dns_is_silent_hold_up_no_transactional_mail_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A campaign to dead domains had taken all the places where routes are looked up."""
    monkeypatch.setattr(engine, "UNROUTED", 10)
    async with road(tmp_path, pauses_s=(300.0,)) as r:
        r.engine.router.resolver._timeout_s = 60.0  # type: ignore[attr-defined]
        for n in range(30):
            r.dns.behaviours[f"dead{n}.example"] = How.TIMEOUT
        await r.put(*(f"a@dead{n}.example" for n in range(30)), lane=4)
        await r.until(lambda states: sum(state == "sent" for state in states.values()) == 10)
        await r.put("urgent@dest.example", lane=0)
        states = await r.until(lambda states: states["urgent@dest.example"] == "delivered", 25.0)
        assert sum(state == "sent" for state in states.values()) == 10 and "deferred" not in states.values()


async def test_an_idle_connection_gives_way_to_another_site(tmp_path: Path) -> None:
    async with road(tmp_path, max_connections=1, idle_s=30.0) as r:
        await r.put("a@dest.example")
        await r.settled()
        await r.put("b@other.example")
        assert set((await r.settled()).values()) == {"delivered"}


async def test_transactional_mail_does_not_wait_behind_a_campaign(tmp_path: Path) -> None:
    """Also when both came straight from the door."""
    async with road(tmp_path, connections=1) as r:
        await r.put("first@dest.example")
        await r.settled()
        r.mx.replies = {"body": Act(delay_s=0.05)}
        for n in range(30):
            await r.submit(f"bulk{n}@dest.example", priority=0)
        await r.submit("urgent@dest.example", priority=3)
        await r.until(lambda states: states["urgent@dest.example"] == "delivered")
        assert sum(state == "delivered" for to, state in (await r.states()).items() if to.startswith("bulk")) < 10
        await r.settled()


async def test_transactional_mail_from_elsewhere_is_claimed_by_a_path_that_is_full_of_bulk(tmp_path: Path) -> None:
    """The campaign came straight from the door and filled the path; another worker put the urgent mail into the queue: it waited until the path ran low."""
    async with road(tmp_path, connections=1, per_connection=1000) as r:
        await r.put("first@dest.example")
        await r.settled()
        r.mx.replies = {"body": Act(delay_s=0.05)}
        await r.submit(*(f"bulk{n}@dest.example" for n in range(300)), priority=0)
        await r.put("urgent@dest.example", site="mx.dest.example", lane=0)
        states = await r.until(lambda states: states["urgent@dest.example"] == "delivered")
        assert sum(state == "delivered" for state in states.values()) < 150
        r.mx.replies = {}
        assert set((await r.settled()).values()) == {"delivered"}
