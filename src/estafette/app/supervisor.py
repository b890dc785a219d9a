"""`estafette serve`: binds the listeners, starts the workers, restarts those that die, and ends them all at SIGTERM.

The supervisor itself takes no mail and never touches the database after the start. It forks before anything else of the program runs (no
threads, no event loop), so that a worker is ready within a fraction of a second and shares the memory of the code.
"""

import asyncio
import contextlib
import os
import selectors
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

from estafette import log, maillog
from estafette.app import worker
from estafette.app.doors import open_account, tls_context
from estafette.app.life import STOPPED, Post
from estafette.app.sockets import Listener, close_listeners, open_listeners
from estafette.clock import SystemClock
from estafette.config import Config
from estafette.feedback.countries import CountriesError, open_countries
from estafette.settings import ConfigError
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from estafette.store.seam import Store
from estafette.vault import VaultError, open_vault
from estafette.web.first_admin import NAME as ADMIN
from estafette.web.first_admin import make_first_admin

T = TypeVar("T")

RESTART_S: Final = 0.2
"""A worker that was ready is restarted at once, but not more often than this: what it held waits for its successor."""
MAX_PAUSE_S: Final = 10.0
"""The pause before one that cannot get ready grows from half a second to this."""
KILL_AFTER_S: Final = 15.0
"""How long after the end of the drain a worker that does not stop is killed."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


@dataclass(slots=True)
class Child:
    """One place for a worker process, with the process that fills it now."""

    index: int
    pid: int = 0
    report_fd: int = -1  # the worker writes its incarnation here when it is ready
    worker_id: int = 0  # 0 = not ready yet
    started_s: float = 0.0
    restart_at_s: float = 0.0
    failures: int = 0
    dead: list[int] = field(default_factory=list)  # incarnations that the next process retires


def serve(config: Config, announce: Callable[[Sequence[Listener]], None] | None = None) -> int:
    """Run until SIGTERM or SIGINT; the exit code. Raises ConfigError, StoreFault and MigrationError before anything was started.

    `announce` is called with the listeners when all workers are ready; by default it prints the line that begins with `ready`.
    """
    log.configure(config.log.level, config.log.format)
    _check(config)
    workers = config.server.workers or os.cpu_count() or 1
    listeners = open_listeners(config, workers)
    config = _with_real_port(config, listeners)
    password = asyncio.run(_first_admin(config)) if "web" in config.server.roles else ""

    def told(listeners: Sequence[Listener]) -> None:
        (announce or _print_ready)(listeners)
        if password:
            print(f"dashboard {config.http.public_url}/app/  sign in as {ADMIN} with {password} (shown this once)", flush=True)

    with tempfile.TemporaryDirectory(prefix="estafette-") as folder:
        try:
            return _Supervisor(config, workers, listeners, Path(folder), told).run()
        finally:
            close_listeners(listeners)


def _check(config: Config) -> None:
    """What every worker needs is there: database migrated, master key readable, certificate loading."""

    asyncio.run(_with_store(config, lambda store: open_account(config, store)))
    try:
        open_vault(config, SystemClock())
        tls_context(config)
        open_countries(config.tracking.country_database)
    except (VaultError, CountriesError) as error:
        raise ConfigError([str(error)]) from None
    except (OSError, ValueError) as error:
        raise ConfigError([f"submission.tls_cert: {error}"]) from None


async def _first_admin(config: Config) -> str:
    """The password of the administrator that the first start makes; "" at every later one."""
    return await _with_store(config, lambda store: make_first_admin(store, SystemClock()))


async def _with_store(config: Config, work: Callable[[Store], Awaitable[T]]) -> T:
    store = await open_store(config.database.url, StatusPolicy(config.blocking.hard_bounce_days, config.blocking.soft_bounce_days), SystemClock())
    try:
        return await work(store)
    finally:
        await store.close()


def _with_real_port(config: Config, listeners: Sequence[Listener]) -> Config:
    """A port that the system chose (0 in the configuration) in the addresses that follow from the listener's."""
    chosen = next((listener.endpoint for listener in listeners if listener.role == "http"), config.http.listen)
    before, after = f"http://{config.http.listen}", f"http://{chosen}"
    public_url = after if config.http.public_url == before else config.http.public_url
    tracking_url = after if config.tracking.url == before else config.tracking.url
    return replace(config, http=replace(config.http, public_url=public_url), tracking=replace(config.tracking, url=tracking_url))


def _print_ready(listeners: Sequence[Listener]) -> None:
    print("ready", *(f"{listener.role}={listener.endpoint}" for listener in listeners), flush=True)


class _Supervisor:
    def __init__(self, config: Config, workers: int, listeners: Sequence[Listener], folder: Path, announce: Callable[[Sequence[Listener]], None]) -> None:
        self._config = config
        self._listeners = listeners
        self._folder = folder
        self._announce = announce
        self._clock = SystemClock()
        self._children = [Child(index) for index in range(workers)]
        self._selector = selectors.DefaultSelector()
        self._lifeline = os.pipe()  # nothing is ever written: its end tells the workers that we are gone
        self._is_stopping = False
        self._is_announced = False
        self._kill_at_s = 0.0
        self._code = 0

    def run(self) -> int:
        own, their = socket.socketpair()
        for end in (own, their):
            end.setblocking(False)
        self._selector.register(own, selectors.EVENT_READ)
        signal.set_wakeup_fd(their.fileno())
        before = {number: signal.signal(number, self._signalled) for number in SIGNALS}
        try:
            while not (self._is_stopping and not any(child.pid for child in self._children)):
                if not self._is_stopping:
                    self._start_missing()
                self._wait(own)
                self._reap()
                if self._is_stopping and self._clock.monotonic() > self._kill_at_s:
                    self._send(signal.SIGKILL)
            return self._code
        finally:
            self._send(signal.SIGKILL)  # only after an exception: otherwise nobody is left
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            own.close()
            their.close()
            for fd in self._lifeline:
                os.close(fd)
            self._selector.close()

    def _signalled(self, number: int, frame: object) -> None:
        if number != signal.SIGCHLD and not self._is_stopping:
            self._stop()

    def _stop(self) -> None:
        self._is_stopping = True
        self._kill_at_s = self._clock.monotonic() + self._config.server.drain_within_s + KILL_AFTER_S
        close_listeners(self._listeners)  # who comes now is refused instead of waiting in a queue that nobody empties
        _notify("STOPPING=1")
        self._send(signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        for child in self._children:
            if child.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, number)

    def _wait(self, own: socket.socket) -> None:
        for key, _ in self._selector.select(0.2):
            if key.fileobj is own:
                with contextlib.suppress(BlockingIOError):
                    own.recv(4096)
                continue
            child: Child = key.data
            told = os.read(child.report_fd, 64)
            self._forget_pipe(child)
            if told:
                child.worker_id, child.dead = int(told), []
        if not self._is_announced and not self._is_stopping and all(child.worker_id for child in self._children):
            self._is_announced = True
            self._announce(self._listeners)
            _notify("READY=1")

    def _start_missing(self) -> None:
        now_s = self._clock.monotonic()
        for child in self._children:
            if not child.pid and now_s >= child.restart_at_s:
                self._fork(child)

    def _fork(self, child: Child) -> None:
        """Start a worker. Signals wait meanwhile: one that came between the fork and the note of its pid would reach every worker but this one, and in
        the new process the supervisor's handler would run instead of the worker's end.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            if self._is_stopping:  # told just before they were made to wait
                return
            reading, writing = os.pipe()
            sys.stdout.flush()
            sys.stderr.flush()
            pid = os.fork()
            if pid == 0:
                os.close(reading)
                os._exit(self._be_worker(child, writing, before))
            os.close(writing)
            child.pid, child.report_fd, child.worker_id, child.started_s = pid, reading, 0, self._clock.monotonic()
            self._selector.register(reading, selectors.EVENT_READ, child)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _be_worker(self, child: Child, report_fd: int, mask: set[int]) -> int:
        """In the new process: never returns into the supervisor's loop."""
        code = 70
        try:
            signal.set_wakeup_fd(-1)
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            self._selector.close()
            os.close(self._lifeline[1])

            def report(worker_id: int) -> None:
                os.write(report_fd, str(worker_id).encode())
                os.close(report_fd)

            post = Post(child.index, len(self._children), self._listeners, tuple(child.dead), report)
            code = worker.run(self._config, post, self._folder, self._lifeline[0])
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        return code

    def _reap(self) -> None:
        for child in self._children:
            if not child.pid:
                continue
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if not pid:
                continue
            code = os.waitstatus_to_exitcode(status)
            now_s = self._clock.monotonic()
            if child.report_fd >= 0:
                self._read_late(child)
            if child.worker_id and code not in (STOPPED,):
                child.dead.append(child.worker_id)
            child.pid = 0
            if self._is_stopping:
                continue
            was_ready = bool(child.worker_id)
            child.worker_id = 0
            maillog.worker_stopped(child.index, f"exit code {code}; starting another")
            if not was_ready and not self._is_announced:  # it cannot even start: say so instead of trying for ever
                self._code = code if code > 0 else 70
                self._stop()
                continue
            child.failures = 0 if was_ready else child.failures + 1
            pause_s = min(MAX_PAUSE_S, 0.5 * 2 ** min(child.failures - 1, 10)) if child.failures else 0.0
            child.restart_at_s = max(now_s + pause_s, child.started_s + RESTART_S)

    def _read_late(self, child: Child) -> None:
        told = os.read(child.report_fd, 64)
        self._forget_pipe(child)
        child.worker_id = int(told) if told else 0

    def _forget_pipe(self, child: Child) -> None:
        self._selector.unregister(child.report_fd)
        os.close(child.report_fd)
        child.report_fd = -1


def _notify(state: str) -> None:
    """Tell systemd (sd_notify(3)) when it started us."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
