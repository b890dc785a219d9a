"""The short form of `make simulate`: a few seeds, the kept regressions, and some lives that are told rather than drawn."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from estafette.clock import DAY_US
from estafette.model import LANES
from estafette.store.seam import Want
from tests.simulation.network import Faults
from tests.simulation.providers import Manners
from tests.simulation.reporters import Habits
from tests.simulation.run import KEPT, kind_of, settings_of, shrink, story
from tests.simulation.senders import Order
from tests.simulation.store import Entry, StoreFaults
from tests.simulation.workers import Plan
from tests.simulation.world import Report, Settings, World, draw, live

SEEDS = int(os.environ.get("ESTAFETTE_TEST_SEEDS", "24"))
ROOT = Path(__file__).parents[2]


def assert_nothing_is_violated(report: Report) -> None:
    assert report.violations == [], story(report)


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_every_invariant_holds_whatever_the_weather(seed: int) -> None:
    assert_nothing_is_violated(live(draw(seed)))


def _cases() -> list[Any]:
    cases = json.loads(KEPT.read_text())
    marks = [[pytest.mark.xfail(strict=True, reason=case["known"])] if "known" in case else [] for case in cases]
    return [pytest.param(case, marks=mark, id=f"{case['settings']['seed']}-{case['violates'][:2]}") for case, mark in zip(cases, marks, strict=True)]


@pytest.mark.parametrize("case", _cases())
def test_what_failed_once(case: dict[str, Any]) -> None:
    assert_nothing_is_violated(live(settings_of(case["settings"])))


def test_a_calm_life_delivers_everything_that_can_be_delivered() -> None:
    report = live(Settings())
    assert_nothing_is_violated(report)
    assert report.copies == report.states["delivered"] > 20
    assert set(report.states) <= {"delivered", "hard_bounced", "soft_bounced", "blocked"}


def test_what_comes_back_is_written() -> None:
    """Late bounces, complaints and auto-replies of every third mail, while workers are killed and the database fails."""
    habits = Habits(late_bounce=0.2, complaint=0.2, auto_reply=0.2, within_s=900.0)
    settings = Settings(orders=60, kills=6, outages=1, habits=habits, store=StoreFaults(fault=0.02, unknown=0.02), plan=Plan(workers=2))
    report = live(settings)
    assert_nothing_is_violated(report)
    witness = report.witness
    assert {kind for _, kind in witness.reporters.taken} == {"bounce", "complaint", "reply"}
    assert len(witness.reporters.taken) > 15
    bounced = {m for m, kind in witness.reporters.taken if kind == "bounce"}
    assert {state for (state,) in witness.disk.ask("SELECT state FROM message WHERE id IN (SELECT value FROM json_each(?))", json.dumps(sorted(bounced)))} == {
        "hard_bounced"}  # fmt: skip
    assert witness.disk.ask("SELECT count(*) > 0 FROM block WHERE cause = 'complaint'") == [(1,)]


# -- I8: one seed, one trace ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [2, 12])
def test_two_runs_of_one_seed_are_the_same_run(seed: int) -> None:
    first, second = live(draw(seed)), live(draw(seed))
    assert (first.trace, first.steps, first.simulated_s, first.states) == (second.trace, second.steps, second.simulated_s, second.states)


def test_another_process_with_other_hashes_runs_the_same() -> None:
    code = "from tests.simulation.world import draw, live; r = live(draw(12)); print(r.trace, r.steps)"
    told = {subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": n}, capture_output=True, text=True, check=True).stdout
            for n in ("1", "2")}  # fmt: skip
    assert len(told) == 1


def test_different_seeds_are_different_lives() -> None:
    assert live(draw(12)).trace != live(draw(13)).trace


# -- the simulation itself finds what is broken -----------------------------------------------------------------------------


class Forgetful(World):
    """A platform on a disk that syncs nothing."""

    async def open_up(self) -> None:
        await super().open_up()
        await asyncio.sleep(1)
        self.disk.is_lying = True


def test_a_missing_sync_is_found() -> None:
    report = Forgetful(Settings(power_cuts=2, orders=30)).run()
    assert {kind_of(v)[:2] for v in report.violations} & {"I1", "I2", "I4"}


class Careless(World):
    """A platform whose workers leave no flight log that tells anything."""

    async def open_up(self) -> None:
        await super().open_up()
        self.supervisor.logs.of = lambda worker_id: ()  # type: ignore[method-assign]


def test_a_duplicate_that_nobody_was_told_of_is_found() -> None:
    """The same life with and without the log: with it every copy too many has an uncertain attempt."""
    settings = Settings(kills=60, orders=60, span_s=60.0, manners=Manners(slow=0.3, slow_s=4.0), plan=Plan(give_up_s=600.0, retry_s=(5.0, 10.0)))
    assert {kind_of(v)[:2] for v in Careless(settings).run().violations} == {"I4"}
    report = World(settings).run()
    assert_nothing_is_violated(report)
    assert max(report.witness.copies.values()) > 1


@pytest.mark.parametrize("seed", range(100, 106))
def test_without_a_kill_and_without_a_lost_answer_nothing_arrives_twice(seed: int) -> None:
    """Workers that stop in order, a database that fails and whose answers are lost, DNS, deferrals, a full disk: no copy too many, not even a marked one."""
    drawn = draw(seed)
    report = live(replace(drawn, kills=0, stops=0, power_cuts=0, terms=4, outages=2, fulls=1, jumps=0, orders=40, network=Faults(split=0.5),
                          store=StoreFaults(0.01, 0.03, 0.03), manners=Manners(defer=0.2, refuse=0.02, busy=0.1),
                          plan=replace(drawn.plan, data_s=600.0, drain_s=30.0)))  # fmt: skip
    assert_nothing_is_violated(report)
    assert max(report.witness.copies.values()) == 1
    assert report.witness.disk.ask("SELECT count(*) FROM event WHERE kind = 'uncertain'") == [(0,)]


def test_a_failing_life_is_made_small_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.simulation.invariants.ATTEMPT_SLACK_S", -1e9)  # every attempt is too late
    report = live(draw(2))
    assert report.violations
    small = shrink(report, 12)
    assert kind_of(small.violations[0]) == kind_of(report.violations[0])
    assert small.settings.orders < report.settings.orders
    assert "begins an attempt" in story(small) and '"seed": 2' in story(small)


class Miscounted(World):
    """A platform that counted one delivery too many, and sent a newsletter to somebody twice."""

    async def _life(self) -> None:
        settle = self.letters.settle_accounts

        def settle_after() -> None:
            sql = self.disk.connection.execute
            sql("UPDATE counter SET delivered = delivered + 1 WHERE rowid = (SELECT min(rowid) FROM counter)")
            sql("UPDATE message SET recipient = 'twice' WHERE submission_id = (SELECT min(submission_id) FROM newsletter WHERE frozen > 1)")
            settle()

        self.letters.settle_accounts = settle_after  # type: ignore[method-assign]
        await super()._life()


def test_newsletters_and_counters_survive_what_kills_workers() -> None:
    """Both are looked at: a counter that is wrong and a recipient that is doubled are found in the same life."""
    settings = Settings(kills=8, power_cuts=2, newsletters=3, store=StoreFaults(fault=0.02, unknown=0.02), plan=Plan(workers=2, follows=True))
    report = live(settings)
    assert_nothing_is_violated(report)
    assert report.witness.disk.ask("SELECT count(*), sum(frozen) > 4 FROM newsletter WHERE state = 'finished'") == [(3, 1)]
    assert report.witness.disk.ask("SELECT sum(delivered) > 20 FROM counter") == [(1,)]
    found = {kind_of(v)[:2] for v in Miscounted(settings).run().violations}
    assert found == {"I4", "I7"}


# -- lives that are told ----------------------------------------------------------------------------------------------------


class NinetyDays(World):
    """A mailbox that does not exist, and exists later."""

    async def _life(self) -> None:
        self.told: dict[str, list[str]] = {}
        provider, address = self.providers[0], f"nobody-1@{self.providers[0].domain}"
        await self.open_up()
        await asyncio.sleep(1)
        for day, number in ((0, 1000), (1, 1001), (90, 1002), (91, 1003)):  # on day 90 a second is missing yet
            await asyncio.sleep(max(0.0, day * 86_400 - self.loop.now_s))
            provider.moved_in = {address} if day else set()
            order = Order(number, "shop", 0.0, (address,))
            await self.bring(order)
            await asyncio.sleep(3600)
            self.witness.look()
            self.told[f"day {day}"] = self.state_of(order)
        self.blocks = self.disk.ask("SELECT cause, until - since FROM block")
        await self.supervisor.stop()
        self.witness.settle_accounts(self.orders)


def test_a_hard_bounced_address_is_blocked_for_ninety_days_and_free_on_the_next() -> None:
    world = NinetyDays(Settings(orders=0, poll_s=900.0, plan=Plan(workers=2, lease_s=7200.0)))
    report = world.run()
    assert_nothing_is_violated(report)
    assert report.simulated_s > 91 * 86_400
    assert world.told == {"day 0": ["hard_bounced"], "day 1": ["blocked"], "day 90": ["blocked"], "day 91": ["delivered"]}
    assert world.blocks == [("hard_bounce", 90 * DAY_US)]


class Waiting(World):
    """One account with a heap of mail for a slow provider, and a single mail of another account behind it."""

    async def _life(self) -> None:
        await self.open_up()
        await asyncio.sleep(1)
        domain = self.providers[0].domain
        heap = [Order(1000 + n, "shop", 0.0, (f"good-{n}@{domain}",), priority=2) for n in range(150)]
        alone = Order(2000, "bank", 60.0, (f"good-1@{domain}",), priority=2)
        await self.bring(*heap, alone)
        await self.until_empty()
        at = dict(self.disk.ask("SELECT s.subject, e.at FROM event e JOIN message m ON m.id = e.message_id JOIN submission s ON s.id = m.submission_id "
                                "WHERE e.kind = 'delivered' ORDER BY e.at"))  # fmt: skip
        self.rank = sorted(at, key=lambda subject: at[subject]).index(alone.subject)
        self.count = len(at)
        await self.supervisor.stop()


def test_no_account_waits_longer_than_twice_its_fair_share() -> None:
    world = Waiting(Settings(orders=0, providers=1, manners=Manners(slow=1.0, slow_s=2.0, extensions=()), plan=Plan(connections=1)))
    assert_nothing_is_violated(world.run())
    assert world.count == 151
    assert world.rank < 50  # some 15 were delivered when it came; of the following, every second one could have been its


class Bounced(World):
    """Many mails to one mailbox that does not exist, over one slow connection."""

    async def _life(self) -> None:
        await self.open_up()
        await asyncio.sleep(1)
        await self.bring(*(Order(1000 + n, "shop", 0.0, (f"nobody-1@{self.providers[0].domain}",)) for n in range(30)))
        await self.until_empty()
        await self.supervisor.stop()


def test_a_message_that_waited_behind_a_bounce_is_not_attempted() -> None:
    world = Bounced(Settings(orders=0, providers=1, manners=Manners(slow=1.0, slow_s=30.0, extensions=()), plan=Plan(connections=1)))
    assert_nothing_is_violated(world.run())


class Unheard(World):
    """The answer to one claim is lost; the claim was committed (a PostgreSQL connection that breaks during COMMIT)."""

    async def _life(self) -> None:
        await self.open_up()
        is_lost = []

        def written(entries: list[Entry]) -> None:
            self.witness.written(entries)
            if not is_lost and any(name == "mark_sent" for name, _, _ in entries):
                is_lost.append(True)
                raise TimeoutError("simulated: the answer to COMMIT is lost")

        self.disk.written = written
        await self.bring(Order(1000, "shop", 1.0, (f"good-1@{self.providers[0].domain}",)))
        await asyncio.sleep(self.settings.plan.give_up_s + 3600)
        self.witness.overdue(1800.0)
        assert is_lost
        await self.supervisor.stop()


def test_a_claim_whose_answer_is_lost_does_not_hold_its_message_for_ever() -> None:
    report = Unheard(Settings(orders=0, providers=1, network=Faults())).run()
    assert [v for v in report.violations if not v.startswith("I0: a fault in claim: TimeoutError")] == [], story(report)


class Ghost(World):
    """A worker that stood still until it was declared dead wakes up and claims what came meanwhile."""

    async def _life(self) -> None:
        await self.open_up()
        await asyncio.sleep(1)
        me = await self.desk.join("ghost", self.clock.now_us(), self.clock.now_us() + 1, delivers=False)
        await self.desk.retire(me.id, self.clock.now_us(), ())
        bringing = asyncio.create_task(self.bring(Order(1000, "shop", 0.0, (f"good-1@{self.providers[0].domain}",))))
        self.claimed, self.asked = [], 0
        while not bringing.done():
            self.claimed += await self.desk.claim(me.id, [Want("", (100,) * LANES)], self.clock.now_us())
            self.asked += 1
        await asyncio.sleep(60)
        self.held = self.disk.ask("SELECT owner FROM queue")
        await self.supervisor.stop()


def test_a_worker_that_was_declared_dead_claims_nothing() -> None:
    world = Ghost(Settings(orders=0, providers=1))
    assert_nothing_is_violated(world.run())
    assert world.asked > 50
    assert (world.claimed, world.held) == ([], [])
