"""One worker process: everything built and joined together, run until SIGTERM, then stopped in the order in which nothing is lost.

Stopping: no new connections, no new claims → within one and the same time running SMTP transactions, HTTP requests and attempts end, and what is
held goes back to the queue → the worker takes leave of the store → the store closes. It stops at SIGTERM, and when the supervisor is gone.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import ssl
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
import uvloop
from starlette.routing import Route

from estafette import maillog
from estafette.accept.credentials import Doorkeeper
from estafette.accept.guarding import GuardBook
from estafette.accept.ids import IdMaker
from estafette.accept.limits import Bucket, Budget
from estafette.accept.reception import Reception
from estafette.accept.reports import Reporter
from estafette.accept.smtp import SubmissionProtocol
from estafette.accept.submit import SubmitDoor
from estafette.api.app import make_app
from estafette.app.beside import Beside
from estafette.app.ringer import Ringer
from estafette.app.sockets import BACKLOG, Listener
from estafette.app.wake import Bell, other_machines
from estafette.clock import SECOND_US, Clock, SystemClock
from estafette.config import Config
from estafette.deliver.attempt import Sending
from estafette.deliver.connection import Policy
from estafette.deliver.contents import Contents
from estafette.deliver.demand import Demand
from estafette.deliver.dns import DnsResolver
from estafette.deliver.domains import Domains
from estafette.deliver.engine import Engine
from estafette.deliver.flight_files import FlightFolder
from estafette.deliver.limits import Limits
from estafette.deliver.membership import BEATS, LeaseLost, Membership
from estafette.deliver.people import People
from estafette.deliver.router import Router
from estafette.deliver.shaping_watch import ShapingWatch
from estafette.deliver.signing import KeyCabinet, Workshop
from estafette.deliver.sts import PolicyKeeper
from estafette.deliver.tracking import Measures
from estafette.feedback.inbound import Inbound, inbound_of
from estafette.feedback.routes import feedback_routes, open_desks
from estafette.feedback.visits import Visits
from estafette.mail.smtp.server import ServerOptions
from estafette.mail.token import Keyring
from estafette.model import Account
from estafette.prepare.tokens import OpenMode
from estafette.prepare.tracking import Tracking
from estafette.queue.retry import RetryPlan
from estafette.signup.desk import SignUpDesk
from estafette.signup.endpoints import SignUpPages
from estafette.signup.own_data_endpoints import OwnDataPages
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from estafette.store.seam import Store, StoreFault, Worker
from estafette.vault import open_vault
from estafette.web.desk import WebDesk
from estafette.web.exporting import Exporter
from estafette.web.routes import web_routes

STOPPED: Final = 0
GC_THRESHOLDS: Final = (20_000, 20, 20)  # hardly anything here is part of a cycle: with Python's own the collector took 8 % of a busy worker's time
LEASE_LOST: Final = 75
NO_STORE: Final = 4
LAST_S: Final = 2.0
"""Clicks that wait to be written have so long at least, when the doors took all the time that there was."""


@dataclass(frozen=True, slots=True)
class Post:
    """Which of the workers this one is, and what it was given by the supervisor."""

    index: int
    workers: int
    listeners: Sequence[Listener]
    wake_folder: Path
    dead: Sequence[int] = ()  # incarnations of predecessors that did not take leave
    report: Callable[[int], None] = lambda worker_id: None  # called with the incarnation when ready
    lifeline_fd: int = -1  # a pipe that ends with the supervisor


def run(config: Config, post: Post) -> int:
    """The exit code of a worker's whole life."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_live(config, post))
    except StoreFault as fault:
        maillog.fault("worker", str(post.index), fault)
        return NO_STORE


async def _live(config: Config, post: Post) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if post.lifeline_fd >= 0:

        def orphaned() -> None:
            loop.remove_reader(post.lifeline_fd)
            stopping.set()

        loop.add_reader(post.lifeline_fd, orphaned)
    clock = SystemClock()
    policy = StatusPolicy(config.blocking.hard_bounce_days, config.blocking.soft_bounce_days, config.delivery.evidence_wait_s)
    store = await open_store(config.database.url, policy, clock, connections=config.database.connections)
    try:
        return await _work(config, post, clock, store, stopping)
    finally:
        await store.close()


async def _work(config: Config, post: Post, clock: Clock, store: Store, stopping: asyncio.Event) -> int:
    logs = FlightFolder(config.flights_path)
    for dead in post.dead:
        maillog.worker_retired(dead, "predecessor", await store.retire(dead, clock.now_us(), logs.of(dead)))
        logs.forget(dead)
    now = clock.now_us()
    name = f"{socket.gethostname()}:{os.getpid()}"
    delivers = "deliver" in config.server.roles
    me = await store.join(name, now, now + int(config.server.lease_s * SECOND_US), delivers=delivers)
    maillog.worker_started(me.id, me.slot, name)
    logs.sweep({worker.id for worker in await store.workers()})
    bell = Bell(post.wake_folder, post.index, post.workers)
    signers = ThreadPoolExecutor(config.delivery.signing_threads, thread_name_prefix="signer")
    keyring = Keyring(1, {1: await store.secret("tokens", clock.token_bytes(32))})
    engine = _engine(config, clock, store, me, bell, signers, keyring, logs) if delivers else None
    ids = IdMaker(me.slot, await store.newest_id())
    book = GuardBook(store)
    await book.refresh()
    doors = await _doors(config, post, clock, store, me, engine, bell, keyring, ids, book)
    hear = engine.hear if engine is not None else _nothing
    bell.listen(hear)
    telling = other_machines(config.database.url, bell, hear)
    beside = await Beside.start(config, clock, store, me.id, book, ids.next, engine.wake if engine is not None else bell.ring)
    working = asyncio.create_task(engine.run() if engine is not None else _stay_alive(store, clock, me, config.server.lease_s, logs))
    gc.freeze()  # the code and what was built at the start are looked at no more
    gc.set_threshold(*GC_THRESHOLDS)
    post.report(me.id)
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait([working, told], return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    within_s = config.server.drain_within_s
    await asyncio.gather(beside.stop(within_s), doors.close(within_s), *([engine.drain(within_s)] if engine is not None else []))
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
        maillog.fault("worker", name, lost)
        code = LEASE_LOST
    bell.close()
    telling.cancel()
    await store.retire(me.id, clock.now_us(), engine.flights.flights() if engine is not None else ())
    logs.forget(me.id)
    signers.shutdown(wait=False)
    maillog.worker_stopped(me.id, "stopped" if code == STOPPED else "lease lost")
    return code


def _nothing() -> None:
    """A worker that only accepts has nothing to do at a hint."""


async def _stay_alive(store: Store, clock: Clock, me: Worker, lease_s: float, logs: FlightFolder) -> None:
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


def _engine(config: Config, clock: Clock, store: Store, me: Worker, bell: Bell, signers: ThreadPoolExecutor, keyring: Keyring,
            logs: FlightFolder) -> Engine:  # fmt: skip
    d = config.delivery
    sources = tuple("" if s in ("0.0.0.0", "::") else s for s in d.sources)
    resolver = DnsResolver([(e.host, e.port) for e in d.dns], d.dns_timeout_s, clock)
    # a family without a source address of ours is not used: its mail would leave from an address that the operator has not named
    is_ours = [any(not s or (":" in s) is is_v6 for s in sources) for is_v6 in (False, True)]
    router = Router(resolver, clock, port=d.port, ipv4=is_ours[0], ipv6=is_ours[1] and d.ipv6)
    cabinet = KeyCabinet(store, open_vault(config, clock), clock)
    opens = OpenMode.FULL if config.tracking.opens else OpenMode.OFF
    tracking = Tracking(config.tracking.url.rstrip("/"), keyring, opens, config.tracking.clicks, unsubscribe_domain=config.inbound.domain,
                        sender_id=config.tracking.feedback_id)  # fmt: skip
    workshop = Workshop(cabinet, clock, signers, keyring, config.inbound.domain, Measures(store.privacy, clock, tracking),
                        People(store.newsletters, store.contacts, clock))  # fmt: skip
    authorities = ssl.create_default_context(cafile=d.tls_authorities or None)
    policy = Policy(config.server.hostname, d.connect_timeout_s, d.command_timeout_s, d.data_timeout_s, d.tls, strict_context=authorities)
    sending = Sending(policy, d.port, RetryPlan(d.retry_s, d.retry_jitter), sources, d.messages_per_connection, d.idle_timeout_s, d.transcripts, d.dane)
    floor = Demand(policy.tls_level, said_by="delivery.tls")
    policies = PolicyKeeper(store, resolver, clock, floor, is_on=d.mta_sts and d.tls != "never", port=d.mta_sts_port, context=authorities)
    limits = Limits(config.server.lease_s, d.connections, d.max_connections)
    contents = Contents(store, config.limits.bodies_bytes // 2)
    return Engine(store, clock, me.id, router, contents, workshop, sending, limits, logs, logs.open(me.id, limits.flights), bell.ring,
                  ShapingWatch(d.shaping_file), policies)  # fmt: skip


# -- taking -----------------------------------------------------------------------------------------------------------------


class _Http(uvicorn.Server):
    """uvicorn without signal handlers: the worker has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone."""
        yield


@dataclass(slots=True)
class Doors:
    """Everything that listens."""

    clock: Clock
    receptions: list[Reception | Inbound]
    visits: Visits
    servers: list[asyncio.Server]
    http: _Http | None
    serving: asyncio.Task[None] | None
    exporting: asyncio.Task[None] | None = None  # files that people ordered in the dashboard
    reporting: asyncio.Task[None] | None = None  # failure reports are made where mail is taken by SMTP

    def is_closing(self) -> bool:
        """Whether new requests are to be turned away."""
        return self.http is not None and self.http.should_exit

    async def close(self, within_s: float) -> None:
        """No new connections; those that are open may finish, all at the same time."""
        for beside in (self.reporting, self.exporting):
            if beside is not None:
                beside.cancel()
        for server in self.servers:
            server.close()
        if self.http is not None:
            self.http.should_exit = True
        serving = [self.serving] if self.serving is not None else []
        ends_s = self.clock.monotonic() + within_s
        await asyncio.gather(*(reception.close(within_s) for reception in self.receptions), *(asyncio.wait([one], timeout=within_s) for one in serving))
        for one in serving:
            one.cancel()
        await self.visits.close(max(LAST_S, ends_s - self.clock.monotonic()))


async def _doors(config: Config, post: Post, clock: Clock, store: Store, me: Worker, engine: Engine | None, bell: Bell,
                 keyring: Keyring, ids: IdMaker, book: GuardBook) -> Doors:  # fmt: skip
    keeper = Doorkeeper(store, clock)
    sender = engine if engine is not None else Ringer(bell)
    door = SubmitDoor(store, clock, ids, me.id, config.server.hostname, config.delivery.give_up_after_s, sender, book)
    budget = Budget(config.limits.bodies_bytes // 2)
    payer = await open_account(config, store)
    visits, leaving = open_desks(store, clock, keyring, config.tracking)
    desk = SignUpDesk(store, clock, door, keyring, config.tracking.url.rstrip("/"), config.tracking.keep_addresses)
    sign_up = [*SignUpPages(desk).routes(), *OwnDataPages(desk).routes()]
    doors = Doors(clock, [], visits, [], None, None)
    buckets: dict[int, Bucket] = {}
    loop = asyncio.get_running_loop()
    tls = tls_context(config)
    for listener in post.listeners:
        sock = listener.sockets[post.index]
        maillog.listening(listener.role, str(listener.endpoint))
        if listener.role == "http":
            app = make_app(
                store, keeper, door, clock, public_url=config.http.public_url, max_body_bytes=config.http.max_body_bytes, is_closing=doors.is_closing,
                buckets=buckets, budget=budget, has_disk=_disk_watch(config, clock),
                domains=Domains(store, clock, config, open_vault(config, clock), _resolver_maker(config, clock)), inbound_domain=config.inbound.domain,
                links_url=config.tracking.url.rstrip("/"), tracks_opens=config.tracking.opens,
                routes=[*feedback_routes(visits, leaving), *sign_up, *_dashboard(config, clock, store, door, doors)],
            )
            server_config = uvicorn.Config(
                app, loop="none", lifespan="off", log_config=None, access_log=False, proxy_headers=True, forwarded_allow_ips=list(config.http.trusted_proxies),
                timeout_graceful_shutdown=int(config.server.drain_within_s), server_header=False,
            )  # fmt: skip
            doors.http = _Http(server_config)
            doors.serving = loop.create_task(doors.http.serve([sock]))
            continue
        if listener.role == "inbound":
            inbound = inbound_of(config, clock, store, keyring, budget, tls, _disk_watch(config, clock))
            doors.receptions.append(inbound)
            doors.servers.append(await loop.create_server(inbound.protocol, sock=sock, backlog=BACKLOG))
            continue
        reception = _reception(config, listener, clock, door, keeper, budget, buckets, tls, payer)
        is_tls = listener.role == "submissions"
        doors.receptions.append(reception)
        doors.servers.append(
            await loop.create_server(
                _protocol(reception, is_tls), sock=sock, backlog=BACKLOG, ssl=tls if is_tls else None, ssl_handshake_timeout=30 if is_tls else None
            )
        )
    submitting = [reception for reception in doors.receptions if isinstance(reception, Reception)]
    if submitting:

        def offer(is_wanted: bool) -> None:
            for reception in submitting:
                reception.offer_dsn(is_wanted)

        doors.reporting = loop.create_task(Reporter(store, clock, door, config.server.hostname, offer).run())
    return doors


def _resolver_maker(config: Config, clock: Clock) -> Callable[[], DnsResolver]:
    """Makes resolvers that remember nothing from before."""
    return lambda: DnsResolver([(e.host, e.port) for e in config.delivery.dns], config.delivery.dns_timeout_s, clock)


def _dashboard(config: Config, clock: Clock, store: Store, door: SubmitDoor, doors: Doors) -> list[Route]:
    if "web" not in config.server.roles:
        return []
    exporter = Exporter(store, clock, config.tracking)
    doors.exporting = asyncio.create_task(exporter.run())
    vault = open_vault(config, clock)
    return web_routes(WebDesk(store, clock, config, vault, _resolver_maker(config, clock), door, doors.is_closing, wake_exports=exporter.wake))


def _protocol(reception: Reception, is_tls: bool) -> Callable[[], SubmissionProtocol]:
    return lambda: SubmissionProtocol(reception, implicit_tls=is_tls)


def _reception(config: Config, listener: Listener, clock: Clock, door: SubmitDoor, keeper: Doorkeeper, budget: Budget, buckets: dict[int, Bucket],
               tls: ssl.SSLContext | None, open_account: Account | None) -> Reception:  # fmt: skip
    s = config.submission
    plain_auth = s.allow_plain_auth == "always" or (s.allow_plain_auth == "loopback" and listener.endpoint.is_loopback)
    options = ServerOptions(
        config.server.hostname, s.max_size_bytes, s.max_recipients, offers_starttls=tls is not None and listener.role == "submission",
        plain_auth=plain_auth, requires_auth=s.require_auth, bare_newlines="fix" if s.bare_newlines == "fix" else "refuse",
        max_errors=s.max_protocol_errors,
    )  # fmt: skip
    return Reception(
        options, clock, door, keeper, budget, config.limits.body_in_memory_bytes, s.max_connections, s.max_connections_per_address,
        s.max_login_failures, s.timeout_s, tls, open_account, _disk_watch(config, clock), buckets=buckets,
    )  # fmt: skip


def tls_context(config: Config) -> ssl.SSLContext | None:
    """The certificate of the submission listeners; None without one. Raises OSError (ssl.SSLError) and ValueError."""
    s = config.submission
    if not s.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(s.tls_cert, s.tls_key)
    return context


async def open_account(config: Config, store: Store) -> Account | None:
    """The account that pays for sessions without login; None when everybody logs in. Raises StoreFault when it does not exist."""
    if config.submission.require_auth:
        return None
    account = await store.account(config.submission.open_account)
    if account is None:
        raise StoreFault(f"submission.open_account: there is no account {config.submission.open_account!r} (estafette account add makes one)")
    return account


def _disk_watch(config: Config, clock: Clock) -> Callable[[], bool]:
    """Whether the disk of the database has room, looked at once a second. A PostgreSQL server says so itself."""
    path = config.database.sqlite_path
    if path is None:
        return lambda: True
    seen = [-10.0, 1.0]

    def has_disk() -> bool:
        now_s = clock.monotonic()
        if now_s - seen[0] > 1.0:
            with contextlib.suppress(OSError):
                disk = os.statvfs(path.parent)
                seen[1] = float(disk.f_bavail * disk.f_frsize >= config.limits.min_free_disk_bytes)
            seen[0] = now_s
        return bool(seen[1])

    return has_disk
