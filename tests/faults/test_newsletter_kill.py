"""T1 for newsletters: kill -9 while the audience becomes messages and while they are sent. Everybody on the list has one message, and every mail came."""

import asyncio
import os
import random
import signal
import sys

import msgspec
import pytest

from estafette.audience import ContactChange, ListAction, PropertyKind, Trace
from estafette.clock import SystemClock
from estafette.newsletters.desk import NewsletterDesk
from estafette.nouns import Newsletter
from estafette.prepare.personal import Source
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from tests.faults.ledger import IS_LONG, settle_accounts
from tests.scenarios.conftest import World, small_world
from tests.scenarios.load import until
from tests.scenarios.platform import DOMAIN
from tests.world import Act

__all__ = ["small_world"]  # a fixture
PEOPLE = 10_000 if IS_LONG else 2200  # more than one piece of an audience
KILLS = 50 if IS_LONG else 10


async def started(store: Database, names: list[str]) -> Newsletter:
    """A newsletter to these, due now; its subject is the name of each."""
    clock = SystemClock()
    account = await store.account("shop")
    assert account is not None
    made = await store.contacts.create_list(account.id, "all", "abc", clock.now_us())
    nick = await store.contacts.add_property(account.id, "nick", PropertyKind.STR, clock.now_us())
    assert made is not None and nick is not None
    changes = [ContactChange(f"{name}@dest.example", f"{name}@dest.example", properties={nick.id: name}) for name in names]
    await store.contacts.apply(account.id, changes, {made.id: ListAction.ADD_FORCE}, Trace("test"), clock.now_us())
    letter = msgspec.json.encode(Source(author=f"news@{DOMAIN}", subject="{{data:nick}}", html="<p>Hello</p>")).decode()
    draft = await store.newsletters.create(Newsletter(0, account.id, "autumn", letter=letter, list_id=made.id), clock.now_us())
    return await NewsletterDesk(store, clock).send(draft, clock.now_us())


@pytest.mark.timeout(3600 if IS_LONG else 240)
async def test_kill_9_under_a_newsletter_loses_and_doubles_nobody(small_world: World, request: pytest.FixtureRequest) -> None:
    world, names = small_world, [f"p{n}" for n in range(PEOPLE)]
    chance = random.Random(os.environ.get("ESTAFETTE_TEST_SEED", request.node.name))
    world.mx.replies = {"body": lambda moment: Act(delay_s=0.02)}  # so that some attempts are past the final dot at any moment
    async with world.platform(workers=2, sections={"delivery": "connections = 8"}, own_group=True) as platform:
        store = await open_store(world.database_url, StatusPolicy(), SystemClock())
        try:
            one, states, killed = await started(store, names), [], 0

            async def now() -> Newsletter:
                found = await store.newsletters.find(one.account_id, one.id)
                assert found is not None
                return found

            async def is_begun() -> bool:
                return (await now()).frozen > 0

            await until("it is under way", is_begun, 60)
            while killed < KILLS:
                states.append((await now()).state)
                if killed % 5 == 0:
                    await platform.kill()  # supervisor and workers at once, the first time while the audience is frozen
                    await platform.start()
                elif workers := platform.worker_pids():
                    os.kill(chance.choice(workers), signal.SIGKILL)
                killed += 1
                await asyncio.sleep(chance.uniform(0.05, 0.4))

            async def is_over() -> bool:
                return (await now()).state == "finished"

            await until("everybody is settled", is_over, 1200 if IS_LONG else 150)
            assert (await now()).frozen == PEOPLE
        finally:
            await store.close()
        made = await settle_accounts(platform, names, world.mx.mails)
    print(f"\n{killed} kills, states {states}: {made}", file=sys.stderr)
    assert made.accepted == made.arrived == PEOPLE
    assert made.uncertain < killed * 8 * 2  # at most the connections that were open
