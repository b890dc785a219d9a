"""Everything that listens in one worker: submission, reports from the world, and HTTP with the API, links and the dashboard."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final

import uvicorn
from starlette.routing import Route

from estafette import maillog
from estafette.accept.credentials import Doorkeeper
from estafette.accept.guarding import GuardBook
from estafette.accept.ids import IdMaker
from estafette.accept.limits import Bucket, Budget
from estafette.accept.reception import Reception
from estafette.accept.reports import Reporter
from estafette.accept.smtp import SubmissionProtocol
from estafette.accept.submit import Sender, SubmitDoor
from estafette.api.app import make_app
from estafette.app.parts import Parts
from estafette.app.sockets import BACKLOG, Listener
from estafette.clock import Clock
from estafette.config import Config
from estafette.deliver.domains import Domains
from estafette.feedback.inbound import Inbound, inbound_of
from estafette.feedback.routes import feedback_routes, open_desks
from estafette.feedback.visits import Visits
from estafette.mail.smtp.server import ServerOptions
from estafette.mail.token import Keyring
from estafette.model import Account
from estafette.signup.desk import SignUpDesk
from estafette.signup.endpoints import SignUpPages
from estafette.signup.own_data_endpoints import OwnDataPages
from estafette.store.seam import Store, StoreFault, Worker
from estafette.web.desk import WebDesk
from estafette.web.exporting import Exporter
from estafette.web.routes import web_routes

LAST_S: Final = 2.0
"""Clicks that wait to be written have so long at least, when the doors took all the time that there was."""


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


async def open_doors(config: Config, listeners: Sequence[Listener], index: int, parts: Parts, me: Worker, sender: Sender, keyring: Keyring, ids: IdMaker,
                     book: GuardBook) -> Doors:  # fmt: skip
    """Listen on the socket of worker `index` of every listener. Raises StoreFault."""
    clock, store = parts.clock, parts.store
    keeper = Doorkeeper(store, clock)
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
    for listener in listeners:
        sock = listener.sockets[index]
        maillog.listening(listener.role, str(listener.endpoint))
        if listener.role == "http":
            app = make_app(
                store, keeper, door, clock, public_url=config.http.public_url, max_body_bytes=config.http.max_body_bytes, is_closing=doors.is_closing,
                buckets=buckets, budget=budget, has_disk=_disk_watch(config, clock),
                domains=Domains(store, clock, config, parts.vault, parts.resolver), inbound_domain=config.inbound.domain,
                links_url=config.tracking.url.rstrip("/"), tracks_opens=config.tracking.opens,
                routes=[*feedback_routes(visits, leaving), *sign_up, *_dashboard(config, parts, door, doors)],
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


def _dashboard(config: Config, parts: Parts, door: SubmitDoor, doors: Doors) -> list[Route]:
    if "web" not in config.server.roles:
        return []
    exporter = Exporter(parts.store, parts.clock, config.tracking)
    doors.exporting = asyncio.create_task(exporter.run())
    return web_routes(WebDesk(parts.store, parts.clock, config, parts.vault, parts.resolver, door, doors.is_closing, wake_exports=exporter.wake))


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
