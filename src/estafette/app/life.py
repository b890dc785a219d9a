"""A worker's life, whatever it is made of: everything joined together, run until it is told to stop, then stopped in the order in which nothing is lost.

Stopping: no new connections, no new claims → within one and the same time running SMTP transactions, HTTP requests and attempts end, and what is
held goes back to the queue → the worker takes leave of the store. The simulation (tests/simulation) lives the same life with other parts.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from estafette import maillog
from estafette.accept.guarding import GuardBook
from estafette.accept.ids import IdMaker
from estafette.app.beside import Beside
from estafette.app.doors import open_doors
from estafette.app.parts import Logs, Parts
from estafette.app.ringer import Ringer
from estafette.app.sockets import Listener
from estafette.clock import SECOND_US, Clock
from estafette.config import Config
from estafette.deliver.attempt import Sending
from estafette.deliver.connection import Policy
from estafette.deliver.contents import Contents
from estafette.deliver.demand import Demand
from estafette.deliver.engine import Engine
from estafette.deliver.limits import Limits
from estafette.deliver.membership import BEATS, LeaseLost, Membership
from estafette.deliver.people import People
from estafette.deliver.router import Router
from estafette.deliver.shaping_watch import ShapingWatch
from estafette.deliver.signing import KeyCabinet, Workshop
from estafette.deliver.sts import PolicyKeeper
from estafette.deliver.tracking import Measures
from estafette.mail.token import Keyring
from estafette.prepare.tokens import OpenMode
from estafette.prepare.tracking import Tracking
from estafette.queue.retry import RetryPlan
from estafette.store.seam import Store, Worker

STOPPED: Final = 0
LEASE_LOST: Final = 75


@dataclass(frozen=True, slots=True)
class Post:
    """Which of the workers this one is, and what it was given by the supervisor."""

    index: int
    workers: int
    listeners: Sequence[Listener]
    dead: Sequence[int] = ()  # incarnations of predecessors that did not take leave
    report: Callable[[int], None] = lambda worker_id: None  # called with the incarnation when ready


async def live(config: Config, post: Post, parts: Parts, stopping: asyncio.Event) -> int:
    """A worker's life from its entry to its leave; the exit code. Raises StoreFault when it cannot begin."""
    clock, store, logs, bell = parts.clock, parts.store, parts.logs, parts.bell
    for dead in post.dead:
        maillog.worker_retired(dead, "predecessor", await store.retire(dead, clock.now_us(), logs.of(dead)))
        logs.forget(dead)
    now = clock.now_us()
    delivers = "deliver" in config.server.roles
    me = await store.join(parts.name, now, now + int(config.server.lease_s * SECOND_US), delivers=delivers)
    maillog.worker_started(me.id, me.slot, parts.name)
    logs.sweep({worker.id for worker in await store.workers()})
    keyring = Keyring(1, {1: await store.secret("tokens", clock.token_bytes(32))})
    engine = _engine(config, parts, me, keyring) if delivers else None
    ids = IdMaker(me.slot, await store.newest_id())
    book = GuardBook(store)
    await book.refresh()
    doors = await open_doors(config, post.listeners, post.index, parts, me, engine if engine is not None else Ringer(bell), keyring, ids, book)
    hear = engine.hear if engine is not None else _nothing
    bell.listen(hear)
    wake = engine.wake if engine is not None else bell.ring
    beside = await Beside.start(config, clock, store, me.id, book, ids.next, wake) if parts.follows else None
    working = asyncio.create_task(engine.run() if engine is not None else _stay_alive(store, clock, me, config.server.lease_s, logs))
    post.report(me.id)
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait([working, told], return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    within_s = config.server.drain_within_s
    ending = [doors.close(within_s)]
    ending += [beside.stop(within_s)] if beside is not None else []
    ending += [engine.drain(within_s)] if engine is not None else []
    await asyncio.gather(*ending)
    if engine is not None:
        await engine.end()
    else:
        working.cancel()
    code = STOPPED
    try:
        await working
    except asyncio.CancelledError:
        pass
    except LeaseLost as lost:
        maillog.fault("worker", parts.name, lost)
        code = LEASE_LOST
    bell.close()
    await store.retire(me.id, clock.now_us(), engine.flights.flights() if engine is not None else ())
    logs.forget(me.id)
    maillog.worker_stopped(me.id, "stopped" if code == STOPPED else "lease lost")
    return code


def _nothing() -> None:
    """A worker that only accepts has nothing to do at a hint."""


async def _stay_alive(store: Store, clock: Clock, me: Worker, lease_s: float, logs: Logs) -> None:
    """Heartbeats of a worker without an engine."""
    membership = Membership(store, clock, me.id, lease_s, logs)
    while True:
        try:
            await membership.beat()
        except LeaseLost:
            raise
        except Exception as fault:
            maillog.fault("leases", str(me.id), fault)
        await asyncio.sleep(lease_s / BEATS)


# -- sending ----------------------------------------------------------------------------------------------------------------


def _engine(config: Config, parts: Parts, me: Worker, keyring: Keyring) -> Engine:
    clock, store = parts.clock, parts.store
    d = config.delivery
    sources = tuple("" if s in ("0.0.0.0", "::") else s for s in d.sources)
    resolver = parts.resolver()
    # a family without a source address of ours is not used: its mail would leave from an address that the operator has not named
    is_ours = [any(not s or (":" in s) is is_v6 for s in sources) for is_v6 in (False, True)]
    router = Router(resolver, clock, port=d.port, ipv4=is_ours[0], ipv6=is_ours[1] and d.ipv6)
    cabinet = KeyCabinet(store, parts.vault, clock)
    opens = OpenMode.FULL if config.tracking.opens else OpenMode.OFF
    tracking = Tracking(config.tracking.url.rstrip("/"), keyring, opens, config.tracking.clicks, unsubscribe_domain=config.inbound.domain,
                        sender_id=config.tracking.feedback_id)  # fmt: skip
    workshop = Workshop(cabinet, clock, parts.signers, keyring, config.inbound.domain, Measures(store.privacy, clock, tracking),
                        People(store.newsletters, store.contacts, clock))  # fmt: skip
    policy = Policy(config.server.hostname, d.connect_timeout_s, d.command_timeout_s, d.data_timeout_s, d.tls, strict_context=parts.authorities)
    sending = Sending(policy, d.port, RetryPlan(d.retry_s, d.retry_jitter), sources, d.messages_per_connection, d.idle_timeout_s, d.transcripts, d.dane)
    floor = Demand(policy.tls_level, said_by="delivery.tls")
    policies = PolicyKeeper(store, resolver, clock, floor, is_on=d.mta_sts and d.tls != "never", port=d.mta_sts_port, context=parts.authorities)
    limits = Limits(config.server.lease_s, d.connections, d.max_connections)
    contents = Contents(store, config.limits.bodies_bytes // 2)
    return Engine(store, clock, me.id, router, contents, workshop, sending, limits, parts.logs, parts.logs.open(me.id, limits.flights), parts.bell.ring,
                  ShapingWatch(d.shaping_file), policies)  # fmt: skip
